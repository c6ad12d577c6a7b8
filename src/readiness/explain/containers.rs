//! Containers that cannot be made, cannot start, or crash: the worst one over all pods.

use serde_json::Value;

use super::crash::{crash, last_words, logs_command, memory};
use super::events::{Seen, newest};
use super::rollout::stuck_on_old_revision;
use super::{Cause, Explanation, Gathered, start};
use crate::readiness::fields::{list, text};
use crate::readiness::image;
use crate::readiness::pods::{ContainerTrouble, Trouble, worst_container};

/// The worst container, as far as it is a cause: not one that merely is not ready.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    let (pod, trouble) = worst(gathered.pods)?;
    if let Some(liveness) = super::probes::liveness(gathered, pod, &trouble, events) {
        return Some(liveness);
    }
    let found = match trouble.trouble {
        Trouble::Image => pull(gathered, pod, &trouble, events),
        Trouble::Config => config(gathered, pod, &trouble),
        Trouble::Start => start::explain(gathered, pod, &trouble),
        Trouble::OutOfMemory => memory(gathered, pod, &trouble),
        Trouble::Crash => crash(gathered, pod, &trouble, events),
        Trouble::NotReady | Trouble::Waiting => return None,
    };
    Some(match stuck_on_old_revision(gathered, pod) {
        Some(hint) => found.hint(hint),
        None => found,
    })
}

/// The pod that explains most, and its trouble. Pods that are being deleted explain nothing, and
/// those that the node refused or evicted have no container to blame.
pub(super) fn worst(pods: &[Value]) -> Option<(&Value, ContainerTrouble)> {
    pods.iter()
        .filter(|pod| text(pod, "/metadata/deletionTimestamp").is_empty())
        .filter(|pod| text(pod, "/status/phase") != "Failed" || text(pod, "/status/reason").is_empty())
        .filter_map(|pod| Some((pod, worst_container(pod)?)))
        .min_by_key(|(_, trouble)| (trouble.trouble, std::cmp::Reverse(trouble.restarts)))
}

fn pull(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble, events: &[Seen]) -> Explanation {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    // While it backs off the status says only "Back-off pulling image"; the event keeps the cause.
    let event = events
        .iter()
        .filter(|e| e.kind == "Pod" && e.name == name)
        .find(|e| e.message.contains("Failed to pull image") && e.message.contains(&trouble.image));
    let message = event.map_or(trouble.message.as_str(), |e| e.message);
    let reason = image::reason(message, &trouble.reason);
    let component = gathered.component;
    let no_secret = newest(events, "Pod", name, &["FailedToRetrieveImagePullSecret"]);
    let hint = match reason.as_str() {
        "not found" => format!("set {component}.image.tag, or mirror the image and set global.imageRegistry"),
        r if r.starts_with("access denied") => match no_secret {
            Some(_) => format!(
                "create the pull secret, or correct global.imagePullSecrets\nkubectl create secret docker-registry -n {namespace} {} --docker-server=… --docker-username=… --docker-password=…",
                pull_secrets(pod).join(", ")
            ),
            None => {
                "set global.imagePullSecrets, or mirror the image and set global.imageRegistry".to_owned()
            }
        },
        r if r.contains("rate of pulls") => {
            "wait, or mirror the image and set global.imageRegistry".to_owned()
        }
        r if r.contains("platform") => {
            format!("set {component}.nodeSelector to nodes of another architecture")
        }
        r if r.contains("name is not valid") => format!("correct {component}.image"),
        r if r.contains("imagePullPolicy") => {
            format!("load the image onto the nodes, or set {component}'s imagePullPolicy to IfNotPresent")
        }
        _ => "let the nodes reach the registry, or mirror the image and set global.imageRegistry".to_owned(),
    };
    let mut out = Explanation::new(
        gathered,
        Cause::Image,
        format!("{} cannot pull image \"{}\": {reason}", trouble.who(), trouble.image),
    )
    .short(format!("cannot pull {}: {reason}", trouble.image))
    .event(event, gathered.now);
    if event.is_none() && !trouble.message.trim().is_empty() {
        out = out.line(format!("kubelet: {}", trouble.message.trim()));
    }
    if no_secret.is_some() {
        let secrets = pull_secrets(pod);
        out = out.line(format!("its pull secret {namespace}/{} does not exist", secrets.join(", ")));
        if let [secret] = secrets.as_slice() {
            out = out.missing("Secret", Some(namespace), secret);
        }
    }
    let by_now = event.is_some_and(|event| image::is_hopeless_by_now(event.message, event.times));
    out.hint(hint).hopeless(trouble.hopeless || image::is_hopeless(message, &trouble.reason) || by_now)
}

fn pull_secrets(pod: &Value) -> Vec<&str> {
    list(pod, "/spec/imagePullSecrets").iter().filter_map(|secret| secret["name"].as_str()).collect()
}

/// kubelet: `secret "x" not found`, `couldn't find key k in Secret ns/x`, `container has runAsNonRoot …`
fn config(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let namespace = text(pod, "/metadata/namespace");
    let component = gathered.component;
    let what = missing_object(&trouble.message, namespace);
    let new = |what: String| {
        Explanation::new(gathered, Cause::Config, what).line(format!("kubelet: {}", trouble.message.trim()))
    };
    let out = match &what {
        Some(what) => {
            new(format!("{} cannot start: {what}", trouble.who())).short(what.clone()).hint(MAKE_IT)
        }
        None if trouble.message.contains("non-numeric user") => {
            new(format!("{} may not run as root, and its image names its user by a word", trouble.who()))
                .short("its image has no numeric user")
                .hint(format!("set runAsUser in {component}'s securityContext to the number of that user"))
        }
        None if trouble.message.contains("runAsNonRoot") => {
            new(format!("{} would run as root, which its pod forbids", trouble.who()))
                .short("its image would run as root")
                .hint(format!("use an image with a numeric user: {component}.image"))
        }
        None => Explanation::new(gathered, Cause::Config, trouble.sentence()).short(trouble.message.trim()),
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

/// The fix for an object that is not there.
pub(super) const MAKE_IT: &str = "kubectl obs upgrade makes it again if it belongs to the release; \
                                  else create it, or correct the value that names it";

/// `Secret ns/x does not exist`, `Secret ns/x has no key k`; None for other sentences.
pub(super) fn missing_object(message: &str, namespace: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("couldn't find key ") {
        let (key, object) = rest.split_once(" in ")?;
        let object = object.split([',', '\n']).next().unwrap_or_default().trim().trim_end_matches('.');
        return Some(format!("{object} has no key {key}"));
    }
    absent_object(message).map(|(kind, name)| format!("{kind} {namespace}/{name} does not exist"))
}

/// Nothing is wrong: an init container runs, and the others wait for it.
pub(super) fn init_runs(gathered: &Gathered) -> Option<Explanation> {
    let (pod, trouble) = worst(gathered.pods)?;
    if trouble.trouble != Trouble::Waiting || !trouble.init || trouble.wants_logs.is_none() {
        return None;
    }
    let again = if trouble.restarts > 0 { format!(" ({})", trouble.restarted()) } else { String::new() };
    let what =
        format!("init container {} is still running{again}, and the others wait for it", trouble.container);
    let out = Explanation::new(gathered, Cause::Waiting, what)
        .short(format!("init container {} is running", trouble.container))
        .hint(logs_command(pod, &trouble));
    Some(last_words(out, gathered, pod, &trouble))
}
