//! Probes that fail, and volumes that cannot be mounted: what only events tell.

use serde_json::Value;

use super::containers::{absent, last_words, missing_object, worst};
use super::events::{Seen, newest};
use super::{Cause, Explanation, Gathered, stuck_on_old_revision};
use crate::readiness::fields::text;
use crate::readiness::pods::{ContainerTrouble, Trouble};

/// Mounts and sandboxes first (nothing runs yet), then probes.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    let (pod, trouble) = worst(gathered.pods)?;
    let found = match trouble.trouble {
        Trouble::Waiting => mount(gathered, pod, events)?,
        Trouble::NotReady => unhealthy(gathered, pod, &trouble, events)?,
        _ => return None,
    };
    Some(match stuck_on_old_revision(gathered, pod) {
        Some(hint) => found.hint(hint),
        None => found,
    })
}

fn mount(gathered: &Gathered, pod: &Value, events: &[Seen]) -> Option<Explanation> {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let event = newest(
        events,
        "Pod",
        name,
        &["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"],
    )?;
    let new = |what: String| Explanation::new(gathered, Cause::Mount, what).event(Some(event), gathered.now);
    if event.reason == "FailedCreatePodSandBox" {
        return Some(
            new(format!("the node's network does not let pod {name} begin"))
                .short("its pod gets no network")
                .hint(format!("kubectl describe node {}", text(pod, "/spec/nodeName"))),
        );
    }
    if event.message.contains("Multi-Attach") {
        return Some(
            new("its volume is still attached to another node".to_owned())
                .short("its volume is attached to another node")
                .hint("the old pod must end first; if its node is dead: kubectl get volumeattachments"),
        );
    }
    let volume =
        event.message.split("volume \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    if let Some(what) = missing_object(event.message, namespace) {
        let found = new(format!("volume {volume} cannot be mounted: {what}"))
            .short(what)
            .hint("kubectl obs upgrade makes it again if it belongs to the release; else create it, or correct the value that names it")
            .hopeless(true);
        return Some(absent(found, event.message, namespace));
    }
    let volume = if volume.is_empty() { "a volume".to_owned() } else { format!("volume {volume}") };
    Some(
        new(format!("{volume} cannot be mounted on node {}", text(pod, "/spec/nodeName")))
            .short(format!("{volume} cannot be mounted"))
            .hint(format!("kubectl describe pod -n {namespace} {name}")),
    )
}

fn unhealthy(
    gathered: &Gathered,
    pod: &Value,
    trouble: &ContainerTrouble,
    events: &[Seen],
) -> Option<Explanation> {
    let name = text(pod, "/metadata/name");
    let event = events
        .iter()
        .filter(|e| e.kind == "Pod" && e.name == name && e.reason == "Unhealthy")
        .find(|e| e.message.starts_with("Readiness probe") || e.message.starts_with("Startup probe"));
    let kind = if event.is_some_and(|e| e.message.starts_with("Startup")) { "startup" } else { "readiness" };
    let answer = event.map_or("no answer yet", |e| probe_answer(e.message));
    let out = Explanation::new(
        gathered,
        Cause::Probe,
        format!("container {} runs and does not answer its {kind} probe: {answer}", trouble.container),
    )
    .short(format!("{kind} probe: {answer}"))
    .event(event, gathered.now)
    .hint(format!(
        "kubectl logs -n {} {name} -c {}",
        text(pod, "/metadata/namespace"),
        trouble.container
    ));
    Some(last_words(out, gathered, pod, trouble))
}

/// A container that the kubelet kills because it does not answer looks like a crash (137, 143);
/// its event tells the difference.
pub(super) fn liveness(
    gathered: &Gathered,
    pod: &Value,
    trouble: &ContainerTrouble,
    events: &[Seen],
) -> Option<Explanation> {
    if !matches!(trouble.trouble, Trouble::Crash | Trouble::NotReady) || trouble.restarts == 0 {
        return None;
    }
    let name = text(pod, "/metadata/name");
    let about = |e: &&Seen| e.kind == "Pod" && e.name == name;
    let killed = events.iter().filter(about).find(|e| {
        e.reason == "Killing"
            && e.message.contains(&format!("Container {} ", trouble.container))
            && (e.message.contains("liveness probe") || e.message.contains("startup probe"))
    })?;
    // Exit codes other than those of signals and of a clean end are the application's own crash.
    if trouble.trouble == Trouble::Crash && !matches!(trouble.exit_code, None | Some(0 | 2 | 137 | 143)) {
        return None;
    }
    let kind = if killed.message.contains("startup probe") { "startup" } else { "liveness" };
    let event = events
        .iter()
        .filter(about)
        .find(|e| e.reason == "Unhealthy" && e.message.to_lowercase().starts_with(&format!("{kind} probe")));
    let answer = event.map_or("no answer", |e| probe_answer(e.message));
    let out = Explanation::new(
        gathered,
        Cause::Liveness,
        format!(
            "container {} is restarted because its {kind} probe fails: {answer} ({})",
            trouble.container,
            trouble.restarted()
        ),
    )
    .short(format!("{kind} probe: {answer}"))
    .event(event.or(Some(killed)), gathered.now)
    .hint(format!(
        "it may need more CPU or memory to start in time: {}.resources\nkubectl logs -n {} {name} -c {} --previous",
        gathered.component,
        text(pod, "/metadata/namespace"),
        trouble.container
    ))
    .hopeless(trouble.restarts >= 4);
    Some(last_words(out, gathered, pod, trouble))
}

/// `Readiness probe failed: Get "http://…": dial tcp …: connect: connection refused` → `connection refused`
fn probe_answer(message: &str) -> &str {
    if let Some((_, code)) = message.split_once("statuscode: ") {
        return match code.trim() {
            "401" => "HTTP 401",
            "403" => "HTTP 403",
            "404" => "HTTP 404",
            "500" => "HTTP 500",
            "502" => "HTTP 502",
            "503" => "HTTP 503",
            "504" => "HTTP 504",
            _ => "an HTTP error",
        };
    }
    if message.contains("deadline exceeded")
        || message.contains("Timeout exceeded")
        || message.contains("timed out")
    {
        return "no answer in time";
    }
    let cause = message.trim().lines().next().unwrap_or_default().rsplit(": ").next().unwrap_or_default();
    if cause.is_empty() || cause.ends_with("failed:") { "it fails" } else { cause }
}
