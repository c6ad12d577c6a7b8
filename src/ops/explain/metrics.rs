//! From a pod to its series in Prometheus, link by link: does it run, does anything ask for it, is what asks
//! well written, may Prometheus discover it, which rule drops it, does a policy keep it away, what does it
//! answer, and what is stored. Pure over what was gathered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::chain::{Chain, Link};
use super::discovery::{self, Passage};
use super::policy::{self, End, Verdict};
use super::target::Target;
use crate::doctor::scrape_advice;
use crate::ops::apps::pods::{
    annotation, annotation_faults, is_part, list, named_port, ports, text, workload,
};
use crate::ops::apps::unwatched::{Seen, is_service_of, unwatched};
use crate::ops::apps::{fit, paste};
use crate::ops::why;
use crate::words::count;

/// What a pod answered when it was asked through the kubelet, past every policy and at its loopback, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Its status and the first line of its body.
    Answered(u16, String),
    /// Nothing listens there.
    Refused,
    /// It could not be asked: why.
    Unknown(String),
}

/// What is known.
#[derive(Debug)]
pub struct Facts {
    /// Whose metrics.
    pub target: Target,
    /// What there is around it.
    pub seen: Seen,
    /// The configuration of Prometheus, or why it is not known.
    pub config: Result<Value, String>,
    /// What `/api/v1/targets` answers.
    pub targets: Value,
    /// The policies of both namespaces; None where they may not be listed.
    pub policies: Option<Vec<Value>>,
    /// The labels of namespaces.
    pub namespaces: BTreeMap<String, Value>,
    /// The pod of Prometheus.
    pub prometheus: Value,
    /// May Prometheus list pods there? None where nobody says.
    pub may_discover: Option<bool>,
    /// What targets that are down answer, by their URL.
    pub probes: BTreeMap<String, Probe>,
    /// How many series each scrape brought, by job and instance.
    pub samples: BTreeMap<(String, String), f64>,
    /// The labels of its own that Prometheus renamed, by job.
    pub renamed: BTreeMap<String, String>,
    /// When it was looked at.
    pub now: jiff::Timestamp,
}

/// The targets of a pod.
pub fn targets_of<'v>(targets: &'v Value, pod: &Value) -> Vec<&'v Value> {
    let meta = &pod["metadata"];
    let of_pod = |target: &&Value| {
        let label = |name: &str, own: &str| match &target["discoveredLabels"][name] {
            Value::Null => target["labels"][own].clone(),
            found => found.clone(),
        };
        label("__meta_kubernetes_namespace", "namespace") == meta["namespace"]
            && label("__meta_kubernetes_pod_name", "pod") == meta["name"]
    };
    list(&targets["activeTargets"]).filter(of_pod).collect()
}

/// The chain, and the passages of the pod that is not scraped through the jobs.
pub fn chain(facts: &Facts) -> (Chain, Vec<Passage>) {
    let mut chain = Chain::new(facts.target.to_string());
    let running: Vec<&Value> =
        facts.target.pods.iter().filter(|pod| pod["status"]["phase"] == "Running").collect();
    if !chain.add(runs(&facts.target, &running)) {
        return (chain, Vec::new());
    }
    let unscraped = running.iter().copied().find(|pod| targets_of(&facts.targets, pod).is_empty());
    let passages = match (unscraped, &facts.config) {
        (Some(pod), Ok(config)) => {
            let services: Vec<&Value> = facts.seen.services.iter().collect();
            discovery::passages(config, pod, &services)
        }
        _ => Vec::new(),
    };
    chain.add(asked(facts, &running, &passages));
    if let Some(pod) = unscraped {
        for link in written(facts, pod).into_iter().chain(discoverable(facts)) {
            chain.add(link);
        }
        chain.add(not_discovered(facts, pod, &passages));
    }
    let active: Vec<(&Value, &Value)> = running
        .iter()
        .flat_map(|pod| targets_of(&facts.targets, pod).into_iter().map(move |target| (*pod, target)))
        .collect();
    if chain.goes_on() {
        let lines = active.iter().map(|(_, target)| {
            format!("job {}: {}", text(&target["scrapePool"]), text(&target["scrapeUrl"]))
        });
        chain.add(
            Link::holds("AP08", format!("Prometheus has {} of it", count(active.len(), "target")))
                .evidence(lines),
        );
        scraped(facts, &active, &mut chain);
        stored(facts, &active, &mut chain);
    }
    (chain, passages)
}

fn name(pod: &Value) -> String {
    text(&pod["metadata"]["name"])
}

/// Do its pods run?
pub(super) fn runs(target: &Target, running: &[&Value]) -> Link {
    let describe =
        format!("kubectl describe {} {} -n {}", kubectl_kind(&target.kind), target.name, target.namespace);
    let reasons = |pods: &[&Value]| {
        let reason = |pod: &&Value| Some(format!("{}: {}", name(pod), why::pod_reason(pod)?));
        pods.iter().filter_map(reason).collect::<Vec<_>>()
    };
    let all: Vec<&Value> = target.pods.iter().collect();
    match (all.len(), running.len()) {
        (0, _) => {
            let link = Link::broken("AP01", format!("{target} has no pod"));
            match target.kind.as_str() {
                "app" => link.fix(format!(
                    "kubectl get pods -n {} --show-labels shows which labels there are",
                    target.namespace
                )),
                _ => link.fix(describe),
            }
        }
        (all_pods, 0) => Link::broken("AP01", format!("none of its {} runs", count(all_pods, "pod")))
            .evidence(reasons(&all))
            .fix(format!("kubectl describe pod {} -n {}", name(&target.pods[0]), target.namespace)),
        (all_pods, _) => {
            let not_ready = reasons(&all);
            match not_ready.len() {
                0 => Link::holds("AP01", format!("{} and ready", runs_in_words(all_pods))),
                some => Link::warns("AP01", format!("{some} of {} not ready", count(all_pods, "pod")))
                    .evidence(not_ready),
            }
        }
    }
}

fn runs_in_words(pods: usize) -> String {
    format!("{} {} running", count(pods, "pod"), if pods == 1 { "is" } else { "are" })
}

/// What kubectl calls it.
fn kubectl_kind(kind: &str) -> &str {
    match kind {
        "app" | "component" => "pods",
        kind => kind,
    }
}

/// The application of the values that takes a pod, with its place in the list.
fn app_of<'f>(facts: &'f Facts, pod: &Value) -> Option<(usize, &'f Value)> {
    let apps = list(&facts.seen.values["apps"]).enumerate();
    apps.into_iter().find(|(_, app)| {
        app["namespace"] == pod["metadata"]["namespace"]
            && is_part(&app["selector"], &pod["metadata"]["labels"])
    })
}

/// Does anything ask for it to be scraped?
fn asked(facts: &Facts, running: &[&Value], passages: &[Passage]) -> Link {
    let mut who: BTreeSet<String> = BTreeSet::new();
    let mut refused = None;
    for pod in running {
        if let Some((_, app)) = app_of(facts, pod) {
            who.insert(format!("app {} of the values", text(&app["name"])));
        }
        match annotation(pod, "scrape") {
            Some("false") => refused = Some(name(pod)),
            Some(value) => {
                who.insert(format!("annotation prometheus.io/scrape: \"{value}\" of its pods"));
            }
            None => {}
        }
        for service in facts.seen.services.iter().filter(|service| is_service_of(service, pod)) {
            if annotation(service, "scrape").is_some_and(|value| value != "false") {
                who.insert(format!("annotation prometheus.io/scrape of Service {}", name(service)));
            }
        }
        for target in targets_of(&facts.targets, pod) {
            who.insert(format!("job {}", text(&target["scrapePool"])));
        }
        if facts.seen.faults_around(pod).iter().any(|fault| fault.contains("belongs in its pod template")) {
            who.insert("an annotation prometheus.io/scrape of what runs it".to_owned());
        }
    }
    let taken = passages.iter().filter(|passage| passage.course.labels.is_some());
    who.extend(taken.map(|passage| format!("job {}", passage.job)));
    if !who.is_empty() {
        return Link::holds("AP03", "something asks for it to be scraped").evidence(who);
    }
    if let Some(pod) = refused {
        return Link::broken("AP03", "its annotation says that it is not to be scraped")
            .evidence([format!("{pod}: prometheus.io/scrape: \"false\"")])
            .fix("take the annotation out of the pod template, or set it to \"true\"");
    }
    let link = match &facts.config {
        Ok(_) => Link::broken("AP03", "nothing asks for it to be scraped"),
        Err(why) => Link::unknown("AP03", format!("whether a job asks for it is not known: {why}")),
    };
    let found = running.first().and_then(|pod| {
        let own = workload(pod)?;
        let mut all = unwatched(&facts.seen, facts.now).into_iter();
        all.find(|one| pod["metadata"]["namespace"] == one.namespace.as_str() && one.workload == own)
    });
    let port = running.first().and_then(|pod| {
        named_port(pod)
            .map(|endpoint| text(&endpoint.port))
            .and_then(|named| ports(pod).find(|(name, _)| *name == named).map(|(_, number)| number))
            .or_else(|| ports(pod).next().map(|(_, number)| number))
    });
    let port = port.map_or("PORT".to_owned(), |port| port.to_string());
    let by_annotation = format!(
        "or annotate the pod template: prometheus.io/scrape: \"true\", prometheus.io/port: \"{port}\""
    );
    match found {
        Some(found) => match (found.list, &found.entry) {
            (Some(place), Some(entry)) => link
                .evidence(found.signs)
                .fix(format!("add to the values: {place}: {}", paste::flow(entry)))
                .fix("kubectl obs apps suggest > more.yaml, then kubectl obs upgrade -f more.yaml does it")
                .fix(by_annotation),
            _ => link.evidence(found.signs).fix(found.advice.unwrap_or(by_annotation)),
        },
        None => link.fix(by_annotation.trim_start_matches("or ").to_owned()),
    }
}

/// Is what asks for it well written?
fn written(facts: &Facts, pod: &Value) -> Vec<Link> {
    let mut links = Vec::new();
    let mut faults: Vec<String> =
        annotation_faults(pod).into_iter().filter(|fault| !fault.starts_with("it is annotated")).collect();
    faults.extend(facts.seen.faults_around(pod));
    if !faults.is_empty() {
        links.push(
            Link::broken("AP04", "the annotations are not what is read")
                .evidence(faults)
                .fix("correct them in the pod template; they are texts: prometheus.io/scrape: \"true\", prometheus.io/port: \"8080\""),
        );
    } else if annotation(pod, "scrape").is_some() {
        links.push(Link::holds("AP04", "the annotations of its pods are well written"));
    }
    if let Some((place, _)) = app_of(facts, pod) {
        let around = fit::Around { pods: &facts.target.pods, ..fit::Around::default() };
        let misfits = fit::misfits(&facts.seen.values, &around).into_iter();
        let misfits: Vec<String> =
            misfits.filter(|misfit| misfit.app == place).map(|misfit| misfit.text).collect();
        if !misfits.is_empty() {
            links.push(
                Link::broken("AP05", "what the values say of it does not fit its pods")
                    .evidence(misfits)
                    .fix("correct the entry of apps:, then kubectl obs upgrade -f …"),
            );
        }
    }
    let services = facts.seen.services.iter().filter(|service| is_service_of(service, pod));
    for service in services.filter(|service| annotation(service, "scrape") == Some("true")) {
        let lost = |port: &&Value| discovery::target_port(port, pod).is_none();
        let all = list(&service["spec"]["ports"]).count();
        let lost: Vec<String> = list(&service["spec"]["ports"])
            .filter(lost)
            .map(|port| {
                format!(
                    "port {} leads to \"{}\", which no container declares",
                    port["port"],
                    text(&port["targetPort"])
                )
            })
            .collect();
        if all > 0 && lost.len() == all {
            links.push(
                Link::broken("AP05", format!("Service {} leads to no port of its pods", name(service)))
                    .evidence(lost)
                    .fix(format!(
                        "correct targetPort: kubectl edit service {} -n {}",
                        name(service),
                        facts.target.namespace
                    )),
            );
        }
    }
    links
}

fn discoverable(facts: &Facts) -> Option<Link> {
    let namespace = &facts.target.namespace;
    Some(match facts.may_discover? {
        true => Link::holds("AP07", format!("Prometheus may list pods in {namespace}")),
        false => Link::broken("AP07", format!("Prometheus may not list pods in {namespace}"))
            .fix("kubectl obs drift shows whether its roles were changed")
            .fix(format!("scrape.namespaces has to name {namespace}, where it is not empty")),
    })
}

/// That there is no target of it, and which rule dropped it. Always broken.
fn not_discovered(facts: &Facts, pod: &Value, passages: &[Passage]) -> Link {
    let namespace = &facts.target.namespace;
    if pod["status"]["podIP"].as_str().is_none_or(str::is_empty) {
        return Link::broken("AP08", format!("pod {} has no address yet", name(pod)))
            .fix(format!("kubectl describe pod {} -n {namespace}", name(pod)));
    }
    let missing = || Link::broken("AP08", format!("Prometheus has no target of pod {}", name(pod)));
    if let Err(why) = &facts.config {
        return missing()
            .evidence([format!("which rule drops it is not known: {why}")])
            .fix("look again; if it stays so, kubectl obs logs prometheus");
    }
    if let Some(taken) = passages.iter().find(|passage| passage.course.labels.is_some()) {
        let labels = taken.course.labels.clone().unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let url = format!("{}://{}{}", label("__scheme__"), label("__address__"), label("__metrics_path__"));
        let what = match &taken.course.unknown {
            Some(why) => format!("{why}; whether it is kept cannot be said"),
            None => format!("the rules of job {} keep it: {url}", taken.job),
        };
        return missing()
            .evidence([what])
            .fix("within some seconds it should have: look again; if it stays so, kubectl obs logs prometheus, and scrape.limits.targets");
    }
    let app = app_of(facts, pod).map(|(_, app)| format!("app-{}", text(&app["name"])));
    let own = |passage: &Passage| app.as_ref() == Some(&passage.job);
    // of those that go equally far the first is told
    let told = passages.iter().rev().max_by_key(|passage| (own(passage), passage.course.steps.len()));
    let Some(step) = told.and_then(|passage| passage.course.dropped()) else {
        return Link::broken("AP08", format!("no job of Prometheus looks for such pods in {namespace}"))
            .fix(format!("annotated.namespaces and scrape.namespaces have to name {namespace}, where they are not empty"));
    };
    let job = told.map(|passage| passage.job.as_str()).unwrap_or_default();
    let all = told.map(|passage| passage.course.steps.len()).unwrap_or_default();
    Link::broken("AP08", format!("rule {} of job {job} drops it", step.number))
        .evidence([
            format!("{} (pod {})", step.rule, name(pod)),
            format!("it saw \"{}\"", step.saw),
            match all {
                1 => String::new(),
                all => format!("{} before it let it through", count(all - 1, "rule")),
            },
        ])
        .fix("change what the rule looks at; -o json has every rule with the labels that it set")
}

/// Did nobody answer at all, as where a policy drops packets or refuses them? The words are those of Go's net and of
/// the system. Whatever else a scrape says, it was told by somebody who was reached.
fn is_unanswered(error: &str) -> bool {
    const UNANSWERED: [&str; 6] = [
        "context deadline exceeded",
        "i/o timeout",
        "connection timed out",
        "no route to host",
        "network is unreachable",
        "operation not permitted",
    ];
    // the beginning of the answer had come
    const BEGUN: [&str; 2] = ["while reading body", "TLS handshake"];
    UNANSWERED.iter().any(|words| error.contains(words)) && !BEGUN.iter().any(|words| error.contains(words))
}

/// Is it scraped, and if not, what keeps Prometheus from it?
fn scraped(facts: &Facts, active: &[(&Value, &Value)], chain: &mut Chain) {
    let health = |wanted: &str| active.iter().filter(|(_, target)| target["health"] == wanted).count();
    let (up, unknown) = (health("up"), health("unknown"));
    let Some((pod, down)) = active.iter().find(|(_, target)| target["health"] == "down") else {
        chain.add(match unknown {
            0 => Link::holds("AP11", format!("{up} of {} scraped", are(active.len()))),
            _ => Link::ends("AP11", format!("{unknown} of {} not scraped yet", are(active.len())))
                .fix("look again when its interval has passed"),
        });
        return;
    };
    let (error, url) = (text(&down["lastError"]), text(&down["scrapeUrl"]));
    let evidence = [format!("{url}: {error}")];
    if let (true, Some(policies), Some(port)) = (is_unanswered(&error), &facts.policies, port_of(&url)) {
        let nothing = Value::Null;
        let labels =
            |pod: &Value| facts.namespaces.get(&text(&pod["metadata"]["namespace"])).unwrap_or(&nothing);
        let from = End { pod: &facts.prometheus, namespace_labels: labels(&facts.prometheus) };
        let to = End { pod, namespace_labels: labels(pod) };
        chain.add(match policy::connection(policies, from, to, port) {
            Verdict::Denied(names) => Link::broken("AP09", format!("a NetworkPolicy keeps Prometheus from port {port}"))
                .evidence(evidence.clone())
                .evidence(names.into_iter().map(|name| format!("{name} is about it, and does not allow it")))
                .fix(format!(
                    "let it in: ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}}}], ports: [{{port: {port}}}]}}]",
                    text(&facts.prometheus["metadata"]["namespace"])
                )),
            Verdict::Allowed(name) => Link::holds("AP09", format!("NetworkPolicy {name} allows it")),
            Verdict::Open => Link::holds("AP09", "no NetworkPolicy is about it"),
        });
    }
    let declared: Vec<String> = ports(pod).map(|(_, number)| number.to_string()).collect();
    let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
    let refused = error.contains("connection refused");
    match facts.probes.get(&url) {
        Some(Probe::Refused) => drop(chain.add(
            Link::broken("AP12", format!("nothing listens on port {} of pod {}", port_of(&url).unwrap_or_default(), name(pod)))
                .evidence(evidence.clone())
                .evidence([format!("ports that it declares: {declared}")])
                .fix("correct the port where it is asked for, or let the process listen there"),
        )),
        Some(Probe::Answered(200, line)) if !is_metric(line) => drop(chain.add(
            Link::broken("AP12", "what it answers are no metrics")
                .evidence(evidence.clone())
                .evidence([format!("it begins with: {line}")])
                .fix("correct the path where it is asked for (annotation prometheus.io/path, or path: of the app)"),
        )),
        Some(Probe::Answered(200, _)) if refused => drop(chain.add(
            Link::broken("AP13", "it listens on 127.0.0.1 alone")
                .evidence(evidence.clone())
                .evidence(["asked at its loopback it answers metrics".to_owned()])
                .fix("let the process listen on 0.0.0.0 (or [::])"),
        )),
        Some(Probe::Answered(200, _)) => {
            chain.add(Link::holds("AP12", "asked through the kubelet it answers metrics"));
        }
        Some(Probe::Answered(status, _)) => drop(chain.add(
            Link::broken("AP12", format!("it answers {status}")).evidence(evidence.clone()).fix(scrape_advice(&error)),
        )),
        Some(Probe::Unknown(why)) => {
            chain.add(Link::unknown("AP12", format!("it could not be asked: {why}")));
        }
        None => {}
    }
    let mesh = list(&pod["spec"]["containers"]).chain(list(&pod["spec"]["initContainers"]));
    let mesh = mesh
        .filter_map(|container| container["name"].as_str())
        .find(|name| ["istio-proxy", "linkerd-proxy"].contains(name));
    if let Some(proxy) = mesh.filter(|_| error.contains("EOF") || error.contains("connection reset")) {
        chain.add(
            Link::broken("AP10", "its service mesh wants what Prometheus does not speak")
                .evidence(evidence.clone())
                .evidence([format!("{proxy} runs in pod {}", name(pod))])
                .fix("exclude the port of the metrics from the mesh, or allow plain text there"),
        );
    }
    let all = active.len() - up - unknown;
    chain.add(
        Link::broken("AP11", format!("{all} of {} down", are(active.len())))
            .evidence(evidence)
            .fix(scrape_advice(&error)),
    );
}

fn are(targets: usize) -> String {
    format!("{} {}", count(targets, "target"), if targets == 1 { "is" } else { "are" })
}

/// The port of `http://10.0.0.1:9102/metrics`.
pub fn port_of(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((_, port)) => port.parse().ok(),
        None => Some(if scheme == "https" { 443 } else { 80 }),
    }
}

/// Can a line be one of the text format: a comment, or a name with a number?
fn is_metric(line: &str) -> bool {
    let line = line.trim();
    let name = line.split(['{', ' ']).next().unwrap_or_default();
    line.is_empty()
        || line.starts_with('#')
        || (!name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
            && line.split_whitespace().count() > 1)
}

/// What is stored of it?
fn stored(facts: &Facts, active: &[(&Value, &Value)], chain: &mut Chain) {
    let mut empty = Vec::new();
    let mut lines = Vec::new();
    for (pod, target) in active {
        let (job, instance) = (text(&target["labels"]["job"]), text(&target["labels"]["instance"]));
        let selector = format!("{{job=\"{job}\",instance=\"{instance}\"}}");
        match facts.samples.get(&(job, instance)) {
            Some(number) if *number > 0.0 => {
                lines.push(format!("{number} series of pod {}: {selector}", name(pod)));
            }
            Some(_) => empty.push(format!("pod {}: {selector}", name(pod))),
            None => {}
        }
    }
    chain.add(match (lines.is_empty(), empty.is_empty()) {
        (_, false) => Link::broken("AP14", "it is scraped, and nothing of it is stored")
            .evidence(empty)
            .fix("it exposes nothing yet, or annotated.dropMetrics drops all of it: ask it with kubectl port-forward and curl"),
        (true, true) => Link::unknown("AP14", "how much is stored of it is not known yet"),
        (false, true) => Link::holds("AP14", "its series are stored").evidence(lines),
    });
    let jobs: BTreeSet<String> = active.iter().map(|(_, target)| text(&target["labels"]["job"])).collect();
    let renamed = jobs.iter().filter_map(|job| Some(format!("job {job}: {}", facts.renamed.get(job)?)));
    let renamed: Vec<String> = renamed.collect();
    if !renamed.is_empty() {
        chain.add(
            Link::warns("AP15", "labels that it sets itself were renamed")
                .evidence(renamed)
                .fix("give them other names: those of the pod are set by Prometheus"),
        );
    }
}
