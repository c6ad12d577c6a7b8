//! Why something does not arrive: the chain that it passes, link by link, to the first that is broken
//! ([`chain`]). Gathers for the pure parts: [`metrics()`] and [`logs()`] of a target, and who is told of an
//! [`alert()`].

pub mod alert;
pub mod chain;
pub mod discovery;
pub mod logs;
pub mod metrics;
pub mod policy;
pub mod promql;
pub mod relabel;
pub mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::future::join_all;
use http::Request;
use serde::Serialize;
use serde_json::{Value, json};

use self::alert::PartNow;
use self::chain::{Chain, Link};
use self::logs::{Line, Written};
use self::metrics::{Facts, Probe};
use self::target::Target;
use super::alerts::{self, notified, routing, server};
use super::apps;
use super::apps::pods::{self, list, text};
use super::get::values as shown_values;
use super::health::targets;
use super::pod::{self, Place, TRY};
use super::{Context, components, why};
use crate::cluster::{Access, LogQuery};
use crate::doctor::queries::QUERIES;
use crate::error::{Error, Result};
use crate::object::{builtin, labels};
use crate::release::Record;

/// How many targets that are down are asked, and how many that are up are counted.
const ASKED: usize = 8;
/// Lines of Alertmanager's log that are looked at.
const TAIL: u32 = 2000;
/// The components that collect and store logs.
const FLUENTD: &str = "fluentd";
const LOKI: &str = "loki";
/// Pods whose logs are followed, and lines of each container.
const PODS: usize = 3;
const LINES: u32 = 40;

/// A chain, with all that led to it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// `metrics`, `logs` or `alert`.
    pub of: &'static str,
    /// What it is about.
    pub about: String,
    /// The links, the first first; where one is broken it is the last.
    pub links: Vec<Link>,
    /// The jobs that a pod which is not scraped was followed through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Value>,
    /// What could not be looked at.
    pub warnings: Vec<String>,
    /// Is a link broken?
    pub broken: bool,
}

impl Report {
    fn of(record: &Record, of: &'static str, chain: Chain, jobs: Vec<Value>, warnings: Vec<String>) -> Self {
        Self {
            release: record.release.clone(),
            namespace: record.namespace.clone(),
            of,
            broken: chain.broken().is_some(),
            about: chain.about,
            links: chain.links,
            jobs,
            warnings,
        }
    }
}

/// From a pod to its series.
pub async fn metrics(ctx: &Context<'_>, typed: &str) -> Result<Report> {
    let record = apps::deployed(ctx).await?;
    let place = first_prometheus(ctx, &record).await?;
    let (around, targets, config) = tokio::join!(
        apps::around(ctx, &record),
        pod::api(ctx, &place, targets::PATH),
        pod::api(ctx, &place, "/api/v1/status/config"),
    );
    let (mut seen, warnings) = around?;
    let targets = targets.map_err(|why| silent(&why))?;
    seen.values = shown_values(&record, false).0;
    seen.scraped = apps::scraped(&targets);
    let target = target::find(typed, &seen)?;
    let config = config.and_then(|config| {
        crate::yaml::parse(config["yaml"].as_str().unwrap_or_default()).map_err(|error| error.to_string())
    });
    let own: Vec<&Value> =
        target.pods.iter().flat_map(|pod| metrics::targets_of(&targets, pod)).take(ASKED).collect();
    let namespaces = [target.namespace.as_str(), record.namespace.as_str()];
    let pods = builtin::pods();
    let (policies, labels, prometheus, may_discover, probes, samples, renamed) = tokio::join!(
        policies(ctx, &namespaces),
        labels(ctx, &namespaces),
        ctx.cluster.get(&pods, Some(&place.namespace), &place.pod),
        may_discover(ctx, &place, &target.namespace),
        probes(ctx, &own),
        samples(ctx, &place, &own),
        renamed(ctx, &place, &own),
    );
    let facts = Facts {
        seen,
        config,
        policies,
        namespaces: labels,
        prometheus: prometheus?.unwrap_or_default(),
        may_discover,
        probes,
        samples,
        renamed,
        now: jiff::Timestamp::now(),
        target,
        targets,
    };
    let (chain, passages) = metrics::chain(&facts);
    let jobs = passages.into_iter().map(|passage| {
        json!({"job": passage.job, "discovered": passage.found, "steps": passage.course.steps,
            "labels": passage.course.labels, "unknown": passage.course.unknown})
    });
    Ok(Report::of(&record, "metrics", chain, jobs.collect(), warnings))
}

async fn first_prometheus(ctx: &Context<'_>, record: &Record) -> Result<Place> {
    let places = server::prometheus(ctx, record).await?;
    places.into_iter().next().ok_or_else(|| Error::failed("prometheus has no ready pod"))
}

fn silent(why: &str) -> Error {
    Error::failed(format!("prometheus does not answer: {why}"))
        .hint("kubectl obs doctor says what is wrong with it")
}

/// The NetworkPolicies of these namespaces; None where one may not be looked at.
async fn policies(ctx: &Context<'_>, namespaces: &[&str]) -> Option<Vec<Value>> {
    let kind = ctx.cluster.kinds().await.ok()?.preferred("networking.k8s.io", "NetworkPolicy")?;
    let mut all = Vec::new();
    for namespace in std::collections::BTreeSet::from_iter(namespaces) {
        all.extend(ctx.cluster.list_if_possible(&kind, Some(namespace)).await.ok()??);
    }
    Some(all)
}

async fn labels(ctx: &Context<'_>, namespaces: &[&str]) -> BTreeMap<String, Value> {
    let kind = builtin::namespaces();
    let mut all = BTreeMap::new();
    for name in namespaces {
        if let Ok(Some(found)) = ctx.cluster.get(&kind, None, name).await {
            all.insert((*name).to_owned(), found["metadata"]["labels"].clone());
        }
    }
    all
}

/// May the account of Prometheus list pods there?
async fn may_discover(ctx: &Context<'_>, place: &Place, namespace: &str) -> Option<bool> {
    let pod = ctx.cluster.get(&builtin::pods(), Some(&place.namespace), &place.pod).await.ok()??;
    let account = pod["spec"]["serviceAccountName"].as_str()?;
    let who = format!("system:serviceaccount:{}:{account}", place.namespace);
    let right = Access {
        verb: "list".into(),
        resource: "pods".into(),
        namespace: Some(namespace.to_owned()),
        ..Access::default()
    };
    ctx.cluster.may(&who, &right).await.ok()
}

/// What the pods behind targets that are down answer.
async fn probes(ctx: &Context<'_>, own: &[&Value]) -> BTreeMap<String, Probe> {
    let down = own.iter().filter(|target| target["health"] == "down");
    let asked = down.map(|target| async {
        let url = text(&target["scrapeUrl"]);
        let found = &target["discoveredLabels"];
        let place = (text(&found["__meta_kubernetes_namespace"]), text(&found["__meta_kubernetes_pod_name"]));
        let probe = probe(ctx, &url, &place.0, &place.1).await;
        (url, probe)
    });
    join_all(asked).await.into_iter().collect()
}

async fn probe(ctx: &Context<'_>, url: &str, namespace: &str, name: &str) -> Probe {
    let Some(port) = metrics::port_of(url) else {
        return Probe::Unknown(format!("{url} has no port"));
    };
    if !url.starts_with("http://") {
        return Probe::Unknown("it speaks TLS".to_owned());
    }
    let path = url.splitn(4, '/').nth(3).map_or("/".to_owned(), |path| format!("/{path}"));
    match ctx.cluster.pod_http_get(namespace, name, port, &path, TRY).await {
        Ok(answer) => {
            let text = answer.text();
            let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Probe::Answered(answer.status, first.chars().take(120).collect())
        }
        Err(error) if error.message().contains("connection refused") => Probe::Refused,
        Err(error) => Probe::Unknown(error.message().to_owned()),
    }
}

/// How many series each scrape left.
async fn samples(ctx: &Context<'_>, place: &Place, own: &[&Value]) -> BTreeMap<(String, String), f64> {
    let asked = own.iter().map(|target| async {
        let (job, instance) = (text(&target["labels"]["job"]), text(&target["labels"]["instance"]));
        let query = format!(
            "scrape_samples_post_metric_relabeling{{job={},instance={}}}",
            quoted(&job),
            quoted(&instance)
        );
        let data = pod::query(ctx, place, &query, None).await.ok()?;
        let number = data["result"][0]["value"][1].as_str()?.parse().ok()?;
        Some(((job, instance), number))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Labels of their own that were renamed, by job.
async fn renamed(ctx: &Context<'_>, place: &Place, own: &[&Value]) -> BTreeMap<String, String> {
    const SET: [&str; 6] = ["app", "container", "instance", "job", "namespace", "pod"];
    let jobs: std::collections::BTreeSet<String> =
        own.iter().map(|target| text(&target["labels"]["job"])).collect();
    let asked = jobs.into_iter().flat_map(|job| SET.map(|label| (job.clone(), label)));
    let asked = asked.map(|(job, label)| async move {
        let query = format!("count({{job={},exported_{label}!=\"\"}})", quoted(&job));
        let data = pod::query(ctx, place, &query, None).await.ok()?;
        list(&data["result"]).next().map(|_| (job, format!("{label} is exported_{label}")))
    });
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (job, what) in join_all(asked).await.into_iter().flatten() {
        let known = all.entry(job).or_default();
        if !known.is_empty() {
            known.push_str(", ");
        }
        known.push_str(&what);
    }
    all
}

/// From what a pod writes to the line in Loki.
pub async fn logs(ctx: &Context<'_>, typed: &str) -> Result<Report> {
    let record = apps::deployed(ctx).await?;
    let (mut seen, warnings) = apps::around(ctx, &record).await?;
    seen.values = shown_values(&record, false).0;
    let target = target::find(typed, &seen)?;
    let has = |name: &str| record.components.iter().any(|component| component.name == name);
    let collector = |pod: &&Value| {
        pod["metadata"]["labels"][labels::OBS_COMPONENT] == FLUENTD && why::pod_reason(pod).is_none()
    };
    let collectors = seen.pods.iter().filter(collector).filter_map(|pod| pod["spec"]["nodeName"].as_str());
    let collectors = collectors.map(str::to_owned).collect();
    let namespaces = builtin::namespaces();
    let (written, troubles, namespace) = tokio::join!(
        written(ctx, &record, &target, &seen.values),
        troubles(ctx, &record),
        ctx.cluster.get(&namespaces, None, &target.namespace),
    );
    // the bundle alone has no level of that name
    let exclude = match &seen.values[FLUENTD]["exclude"] {
        Value::Null => seen.values["exclude"].clone(),
        exclude => exclude.clone(),
    };
    let facts = logs::Facts {
        collects: has(FLUENTD),
        stores: has(LOKI),
        exclude,
        annotations: namespace.ok().flatten().unwrap_or_default()["metadata"]["annotations"].clone(),
        written,
        collectors,
        troubles,
        now: jiff::Timestamp::now(),
        target,
    };
    Ok(Report::of(&record, "logs", logs::chain(&facts), Vec::new(), warnings))
}

/// What the containers of its first pods wrote, and what Loki has of it.
async fn written(ctx: &Context<'_>, record: &Record, target: &Target, values: &Value) -> Vec<Written> {
    let running = target.pods.iter().filter(|pod| pod["status"]["phase"] == "Running").take(PODS);
    let containers = running.flat_map(|pod| pods::containers(pod).map(move |container| (pod, container)));
    let asked = containers.map(|(pod, container)| async move {
        let (pod_name, name) = (text(&pod["metadata"]["name"]), text(&container["name"]));
        let lines = lines(ctx, &target.namespace, &pod_name, &name).await;
        let first = lines.as_ref().ok().and_then(|lines| lines.iter().find_map(|line| line.time));
        let stored = match first {
            Some(first) => {
                let labels = [("namespace", &target.namespace), ("pod", &pod_name), ("container", &name)];
                let labels = labels.map(|(label, value)| format!("{label}={}", quoted(value)));
                stored(ctx, record, values, &format!("{{{}}}", labels.join(",")), first).await
            }
            None => Ok(Vec::new()),
        };
        Written { node: text(&pod["spec"]["nodeName"]), pod: pod_name, container: name, lines, stored }
    });
    join_all(asked).await
}

/// The last lines of a container.
async fn lines(ctx: &Context<'_>, namespace: &str, pod: &str, container: &str) -> Result<Vec<Line>, String> {
    let query = LogQuery { tail: Some(LINES), ..LogQuery::default() };
    let log = ctx.cluster.log_lines(namespace, pod, container, query).await;
    let mut log = log.map_err(|error| Error::from(error).message().to_owned())?;
    let mut all = Vec::new();
    while let Some(line) = log.next().await.map_err(|error| error.message().to_owned())? {
        all.push(Line { time: line.time, text: line.text });
    }
    Ok(all)
}

/// The lines of a stream that Loki has since a time.
async fn stored(
    ctx: &Context<'_>,
    record: &Record,
    values: &Value,
    selector: &str,
    since: jiff::Timestamp,
) -> Result<Vec<String>, String> {
    let places = pod::places(ctx, record, LOKI).await.ok_or("the release has no loki")??;
    let Place { namespace, pod, port } = places.into_iter().next().ok_or("loki has no ready pod")?;
    let until = jiff::Timestamp::now().as_nanosecond() + 60_000_000_000;
    let path = format!(
        "/loki/api/v1/query_range?query={}&start={}&end={until}&limit=1000&direction=backward",
        pod::percent_encode(selector),
        since.as_nanosecond() - 1_000_000_000
    );
    let mut request = Request::get(path);
    let tenant = values[LOKI]["tenant"].as_str().or(values["tenant"].as_str()).unwrap_or_default();
    if !tenant.is_empty() {
        request = request.header("X-Scope-OrgID", tenant);
    }
    let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
    let answer = ctx.cluster.pod_http(&namespace, &pod, port, request, TRY).await;
    let answer = answer.map_err(|error| error.message().to_owned())?;
    if answer.status != 200 {
        return Err(format!("it answers {}", answer.status));
    }
    let data = crate::json::read(&answer.body, pod::MAX_VALUES).ok_or("it does not answer JSON")?;
    let streams = list(&data["data"]["result"]);
    Ok(streams.flat_map(|stream| list(&stream["values"])).map(|entry| text(&entry[1])).collect())
}

/// What Prometheus says is wrong with the Fluentd of each node.
async fn troubles(ctx: &Context<'_>, record: &Record) -> BTreeMap<String, Vec<String>> {
    const WORDS: [(&str, &str); 4] = [
        ("retried", "it cannot deliver"),
        ("paused", "a buffer is full, and nothing more is read"),
        ("unreadable", "it may not read some files"),
        ("behind", "it lies behind what is written"),
    ];
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Ok(place) = first_prometheus(ctx, record).await else { return all };
    let place = &place;
    let asked = WORDS.map(|(name, words)| async move {
        let query = QUERIES.iter().find(|query| query.name == name)?;
        let data = pod::query(ctx, place, query.text, None).await.ok()?;
        Some((words, data))
    });
    for (words, data) in join_all(asked).await.into_iter().flatten() {
        for series in list(&data["result"]) {
            let label = |name: &str| text(&series["metric"][name]);
            let more = [label("store"), label("reason")];
            let more: Vec<String> = more.into_iter().filter(|value| !value.is_empty()).collect();
            let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
            all.entry(label("node")).or_default().push(format!("node {}: {words}{more}", label("node")));
        }
    }
    all
}

/// A text in PromQL.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// From a rule to who is told.
pub async fn alert(ctx: &Context<'_>, name: &str) -> Result<Report> {
    let record = components::latest(ctx).await?;
    let (seen, report) = tokio::join!(alerts::of_prometheus(ctx, &record), alerts::alerts(ctx));
    let (seen, report) = (seen?, report?);
    let values = shown_values(&record, false).0;
    let own = alert::rules(&seen.rules, name);
    let queries: Vec<String> = own.iter().map(|rule| text(&rule["query"])).collect();
    let place = first_prometheus(ctx, &record).await?;
    let (parts, absent, alertmanagers, failed, (receivers, failures)) = tokio::join!(
        parts(ctx, &place, &queries),
        absent(ctx, &place, &queries),
        pod::api(ctx, &place, "/api/v1/alertmanagers"),
        failed(ctx, &place),
        answers(ctx, &record, name),
    );
    let disabled = [&values["prometheus"]["rules"]["disable"], &values["rules"]["disable"]];
    let facts = alert::Facts {
        name: name.to_owned(),
        disabled: disabled.into_iter().flat_map(list).map(text).collect(),
        parts,
        absent,
        alerts: report.alerts.into_iter().filter(|alert| alert.name == name).collect(),
        untold: report.untold,
        alertmanagers: alertmanagers.ok().map(|data| list(&data["activeAlertmanagers"]).count()),
        receivers,
        failures,
        failed,
        rules: seen.rules,
    };
    Ok(Report::of(&record, "alert", alert::chain(&facts), Vec::new(), Vec::new()))
}

/// What each part of the expressions is at present.
async fn parts(ctx: &Context<'_>, place: &Place, queries: &[String]) -> Result<Vec<PartNow>, String> {
    let parts = queries.iter().flat_map(|query| promql::parts(query));
    let asked = parts.map(|part| async move {
        let holds = pod::query(ctx, place, &part.text, None).await?;
        let compared = match (&part.left, part.compared) {
            (Some(left), Some(compared)) => {
                let data = pod::query(ctx, place, left, None).await?;
                let values =
                    list(&data["result"]).filter_map(|series| series["value"][1].as_str()?.parse().ok());
                Some((compared, values.take(1000).collect()))
            }
            _ => None,
        };
        Ok(PartNow { text: part.text, holds_for: list(&holds["result"]).count(), compared })
    });
    join_all(asked).await.into_iter().collect()
}

/// The selectors without any series, each with how many have the same name.
async fn absent(ctx: &Context<'_>, place: &Place, queries: &[String]) -> Vec<(String, usize)> {
    let mut selectors: Vec<String> = queries.iter().flat_map(|query| promql::selectors(query)).collect();
    selectors.sort();
    selectors.dedup();
    let number = async |query: &str| -> Option<usize> {
        let data = pod::query(ctx, place, &format!("count({query})"), None).await.ok()?;
        match list(&data["result"]).next() {
            None => Some(0),
            Some(series) => series["value"][1].as_str()?.parse().ok(),
        }
    };
    let mut absent = Vec::new();
    for selector in selectors {
        if number(&selector).await == Some(0) {
            let same = match promql::metric(&selector) {
                Some(metric) => number(metric).await.unwrap_or_default(),
                None => 0,
            };
            absent.push((selector, same));
        }
    }
    absent
}

/// Requests to receivers that failed.
async fn failed(ctx: &Context<'_>, place: &Place) -> Vec<String> {
    let Some(query) = QUERIES.iter().find(|query| query.name == "messagesFailed") else {
        return Vec::new();
    };
    let data = pod::query(ctx, place, query.text, None).await.unwrap_or_default();
    let line = |series: &Value| {
        let label = |name: &str| text(&series["metric"][name]);
        let receiver = label("receiver_name");
        let receiver = if receiver.is_empty() { String::new() } else { format!(" of {receiver}") };
        format!("{}{receiver}: {}", label("integration"), label("reason"))
    };
    list(&data["result"]).map(line).collect()
}

/// The receivers that tell somebody, and what Alertmanager's logs say of the alert.
async fn answers(
    ctx: &Context<'_>,
    record: &Record,
    name: &str,
) -> (BTreeMap<String, Vec<String>>, Vec<notified::Failure>) {
    let Some(Ok(alertmanager)) = server::Alertmanager::of(ctx, record).await else {
        return Default::default();
    };
    let receivers = match alertmanager.routing().await {
        Ok(routing) => telling(&routing),
        Err(_) => BTreeMap::new(),
    };
    let logs = alertmanager
        .places
        .iter()
        .map(|place| ctx.cluster.logs(&place.namespace, &place.pod, server::ALERTMANAGER, false, TAIL));
    let logs: Vec<String> = join_all(logs).await.into_iter().flatten().collect();
    let mut failures = notified::failures(logs.iter().flat_map(|log| log.lines()), name);
    failures.reverse();
    failures.dedup();
    (receivers, failures)
}

fn telling(routing: &routing::Routing) -> BTreeMap<String, Vec<String>> {
    let telling = routing.receivers.iter().filter(|receiver| !receiver.integrations.is_empty());
    telling.map(|receiver| (receiver.name.clone(), receiver.integrations.clone())).collect()
}
