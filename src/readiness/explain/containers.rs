//! Containers that cannot be made, cannot start, or crash.

use serde_json::Value;

use super::events::{Seen, newest};
use super::{Cause, Explanation, Gathered, stuck_on_old_revision};
use crate::readiness::fields::{list, text};
use crate::readiness::image;
use crate::readiness::pods::{ContainerTrouble, Trouble, worst_container};

/// How many lines of a crashed container's log are shown.
const LAST_WORDS: usize = 10;

/// The worst container over all pods, as far as it is a cause: not one that merely is not ready.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    let (pod, trouble) = worst(gathered.pods)?;
    if let Some(liveness) = super::probes::liveness(gathered, pod, &trouble, events) {
        return Some(liveness);
    }
    let found = match trouble.trouble {
        Trouble::Image => pull(gathered, pod, &trouble, events),
        Trouble::Config => config(gathered, pod, &trouble),
        Trouble::Start => start(gathered, pod, &trouble),
        Trouble::OutOfMemory => memory(gathered, pod, &trouble),
        Trouble::Crash => crash(gathered, pod, &trouble),
        Trouble::NotReady | Trouble::Waiting => return None,
    };
    Some(match stuck_on_old_revision(gathered, pod) {
        Some(hint) => found.hint(hint),
        None => found,
    })
}

/// The pod that explains most, and its trouble. Pods that are being deleted explain nothing.
pub(super) fn worst(pods: &[Value]) -> Option<(&Value, ContainerTrouble)> {
    pods.iter()
        .filter(|pod| text(pod, "/metadata/deletionTimestamp").is_empty())
        .filter_map(|pod| Some((pod, worst_container(pod)?)))
        .min_by_key(|(_, trouble)| (trouble.trouble, std::cmp::Reverse(trouble.restarts)))
}

fn pull(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble, events: &[Seen]) -> Explanation {
    // While it backs off the status says only "Back-off pulling image"; the event keeps the cause.
    let event = events
        .iter()
        .filter(|e| e.kind == "Pod" && e.name == text(pod, "/metadata/name"))
        .find(|e| e.message.contains("Failed to pull image") && e.message.contains(&trouble.image));
    let message = event.map_or(trouble.message.as_str(), |e| e.message);
    let reason = image::reason(message, &trouble.reason);
    let component = gathered.component;
    let hint = match reason.as_str() {
        "not found" => format!("set {component}.image.tag, or mirror the image and set global.imageRegistry"),
        r if r.starts_with("access denied") => {
            "set global.imagePullSecrets, or mirror the image and set global.imageRegistry".to_owned()
        }
        r if r.contains("rate of pulls") => {
            "wait, or mirror the image and set global.imageRegistry".to_owned()
        }
        r if r.contains("platform") => {
            format!("set {component}.nodeSelector to nodes of another architecture")
        }
        r if r.contains("name is not valid") => format!("correct {component}.image"),
        _ => "let the nodes reach the registry, or mirror the image and set global.imageRegistry".to_owned(),
    };
    let who = if trouble.init { "init container" } else { "container" };
    Explanation::new(
        gathered,
        Cause::Image,
        format!("{who} {} cannot pull image \"{}\": {reason}", trouble.container, trouble.image),
    )
    .short(format!("cannot pull {}: {reason}", trouble.image))
    .event(event, gathered.now)
    .hint(hint)
    .hopeless(trouble.hopeless || image::is_hopeless(message, &trouble.reason))
}

/// kubelet: `secret "x" not found`, `couldn't find key k in Secret ns/x`, `container has runAsNonRoot …`
fn config(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let namespace = text(pod, "/metadata/namespace");
    let what = missing_object(&trouble.message, namespace);
    let new = |what: String| Explanation::new(gathered, Cause::Config, what);
    let out = match &what {
        Some(what) => new(format!("container {} cannot start: {what}", trouble.container))
            .short(what.clone())
            .line(format!("kubelet: {}", trouble.message.trim()))
            .hint("kubectl obs upgrade makes it again if it belongs to the release; else create it, or correct the value that names it"),
        None if trouble.message.contains("runAsNonRoot") => {
            new(format!("container {} would run as root, which its pod forbids", trouble.container))
                .short("its image would run as root")
                .line(format!("kubelet: {}", trouble.message.trim()))
                .hint(format!("use an image with a numeric user: {}.image", gathered.component))
        }
        None => new(trouble.sentence()).short(trouble.message.trim()),
    };
    absent(out.hopeless(trouble.hopeless), &trouble.message, namespace)
}

/// Notes the ConfigMap or Secret that a sentence of the kubelet misses altogether.
pub(super) fn absent(found: Explanation, message: &str, namespace: &str) -> Explanation {
    match absent_object(message) {
        Some((kind, name)) => found.missing(kind, Some(namespace), name),
        None => found,
    }
}

/// `secret "x" not found` → Secret, x
fn absent_object(message: &str) -> Option<(&'static str, &str)> {
    [("secret \"", "Secret"), ("configmap \"", "ConfigMap")].into_iter().find_map(|(word, kind)| {
        let (name, rest) = message.split_once(word)?.1.split_once('"')?;
        // Informers write ns/name, the kubelet only the name.
        rest.trim_start().starts_with("not found").then(|| (kind, name.rsplit('/').next().unwrap_or(name)))
    })
}

/// `Secret ns/x does not exist`, `Secret ns/x has no key k`; None for other sentences.
pub(super) fn missing_object(message: &str, namespace: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("couldn't find key ") {
        let (key, object) = rest.split_once(" in ")?;
        let object = object.split([',', '\n']).next().unwrap_or_default().trim().trim_end_matches('.');
        return Some(format!("{object} has no key {key}"));
    }
    absent_object(message).map(|(kind, name)| format!("{kind} {namespace}/{name} does not exist"))
}

fn start(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let cause = trouble.start_error();
    Explanation::new(gathered, Cause::Start, format!("container {} cannot start: {cause}", trouble.container))
        .short(format!("cannot start: {cause}"))
        .line(format!("image {}", trouble.image))
        .hint(format!(
            "kubectl describe pod -n {} {}",
            text(pod, "/metadata/namespace"),
            text(pod, "/metadata/name")
        ))
        .hopeless(trouble.hopeless)
}

fn memory(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let component = gathered.component;
    let limit = list(pod, if trouble.init { "/spec/initContainers" } else { "/spec/containers" })
        .iter()
        .find(|c| c["name"] == trouble.container.as_str())
        .and_then(|c| c["resources"]["limits"]["memory"].as_str());
    let (what, hint) = match limit {
        Some(limit) => (
            format!(
                "container {} runs out of memory (limit {limit}, {})",
                trouble.container,
                trouble.restarted()
            ),
            match doubled(limit) {
                Some(more) => format!(
                    "raise its memory limit\nkubectl obs upgrade --set {component}.resources.limits.memory={more}"
                ),
                None => format!("raise {component}.resources.limits.memory above {limit}"),
            },
        ),
        // Without a limit of its own it was the node that had no memory left.
        None => (
            format!("container {} was killed because its node has no memory left", trouble.container),
            format!("add memory or a node, or set {component}.resources.requests.memory to what it needs"),
        ),
    };
    last_words(
        Explanation::new(gathered, Cause::Memory, what)
            .short(format!("out of memory ({})", trouble.restarted()))
            .hint(hint)
            .hopeless(trouble.hopeless),
        gathered,
        pod,
        trouble,
    )
}

/// `128Mi` → `256Mi`; None when the number is not a plain one.
fn doubled(quantity: &str) -> Option<String> {
    let digits = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(digits);
    Some(format!("{}{unit}", number.parse::<u64>().ok()?.checked_mul(2)?))
}

fn crash(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let who = if trouble.init { "init container" } else { "container" };
    let code = match trouble.exit_code {
        Some(code) => format!("exit code {code}{}, ", meaning(code)),
        None => String::new(),
    };
    let what = format!("{who} {} crashes at start ({code}{})", trouble.container, trouble.restarted());
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let previous = if trouble.wants_logs == Some(true) { " --previous" } else { "" };
    last_words(
        Explanation::new(gathered, Cause::Crash, what)
            .short(format!("crashes ({code}{})", trouble.restarted()))
            .hint(format!("kubectl logs -n {namespace} {name} -c {}{previous}", trouble.container))
            .hopeless(trouble.hopeless),
        gathered,
        pod,
        trouble,
    )
}

/// What the shell and the runtime mean by an exit code.
fn meaning(code: i64) -> &'static str {
    match code {
        126 => ": the command is not executable",
        127 => ": the command does not exist",
        134 => ": aborted",
        137 => ": killed",
        139 => ": segmentation fault",
        143 => ": terminated",
        _ => "",
    }
}

/// The log's tail; without a log, the termination message.
pub(super) fn last_words(
    mut out: Explanation,
    gathered: &Gathered,
    pod: &Value,
    trouble: &ContainerTrouble,
) -> Explanation {
    let key = (text(pod, "/metadata/name").to_owned(), trouble.container.clone());
    let log = gathered.logs.get(&key).map(String::as_str).filter(|log| !log.trim().is_empty());
    let words = log.unwrap_or(&trouble.message);
    let lines: Vec<&str> = words.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if !lines.is_empty() {
        out = out.line("its last words:");
        for line in &lines[lines.len().saturating_sub(LAST_WORDS)..] {
            out = out.line(format!("  {line}"));
        }
    } else if let Some(event) = newest(&super::seen(gathered.events), "Pod", &key.0, &["Failed", "BackOff"]) {
        out = out.event(Some(event), gathered.now);
    }
    out
}
