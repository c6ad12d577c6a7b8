//! Probes that fail: what only events tell.

use serde_json::Value;

use super::containers::worst;
use super::crash::{crash, last_words, logs_command, spec};
use super::events::Seen;
use super::rollout::stuck_on_old_revision;
use super::{Cause, Explanation, Gathered, mounts};
use crate::readiness::fields::{list, text};
use crate::readiness::pods::{ContainerTrouble, Trouble};

/// Mounts and sandboxes first (nothing runs yet), then probes.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    let (pod, trouble) = worst(gathered.pods)?;
    let found = match trouble.trouble {
        Trouble::Waiting => mounts::explain(gathered, pod, events)?,
        Trouble::NotReady => unhealthy(gathered, pod, &trouble, events),
        _ => return None,
    };
    Some(match stuck_on_old_revision(gathered, pod) {
        Some(hint) => found.hint(hint),
        None => found,
    })
}

fn unhealthy(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble, events: &[Seen]) -> Explanation {
    let name = text(pod, "/metadata/name");
    let event = events
        .iter()
        .filter(|e| e.kind == "Pod" && e.name == name && e.reason == "Unhealthy")
        .find(|e| e.message.starts_with("Readiness probe") || e.message.starts_with("Startup probe"));
    // It was restarted and no probe has failed yet: how it ended tells more than that it runs again.
    if event.is_none() && trouble.restarts > 0 && trouble.exit_code.is_some() {
        return crash(gathered, pod, trouble, events);
    }
    let kind = if event.is_some_and(|e| e.message.starts_with("Startup")) { "startup" } else { "readiness" };
    let answer = event.map_or("no answer yet".to_owned(), |e| probe_answer(e.message));
    let logs = logs_command(pod, trouble);
    let out = Explanation::new(
        gathered,
        Cause::Probe,
        format!("container {} runs and does not answer its {kind} probe: {answer}", trouble.container),
    )
    .short(format!("{kind} probe: {answer}"))
    .event(event, gathered.now)
    .hint(match fix(&answer, &spec(pod, trouble)[format!("{kind}Probe")], spec(pod, trouble)) {
        Some(fix) => format!("{fix}\n{logs}"),
        None => logs,
    });
    last_words(out, gathered, pod, trouble)
}

/// What to do about a probe that gets this answer, if the answer tells.
fn fix(answer: &str, probe: &Value, container: &Value) -> Option<String> {
    let path = probe["httpGet"]["path"].as_str().unwrap_or("/");
    let port = ["httpGet", "tcpSocket", "grpc"].iter().find_map(|how| port(&probe[how]["port"]));
    match answer {
        "connection refused" => {
            let port = port?;
            let known = list(container, "/ports").iter().any(|p| {
                p["name"] == port.as_str()
                    || p["containerPort"].as_i64().is_some_and(|p| port.parse() == Ok(p))
            });
            match known {
                true => Some(format!("nothing listens on port {port} yet: see what it waits for")),
                false => Some(format!(
                    "nothing listens on port {port}, and the container names no such port: correct the probe's port"
                )),
            }
        }
        "HTTP 404" => Some(format!("it has no {path}: correct the probe's path")),
        "HTTP 401" | "HTTP 403" => Some(format!("{path} wants credentials: let the probe ask another path")),
        "no answer in time" => {
            let seconds = probe["timeoutSeconds"].as_i64().unwrap_or(1);
            Some(format!(
                "it has {seconds}s to answer: give it more CPU, or the probe a longer timeoutSeconds"
            ))
        }
        _ => None,
    }
}

fn port(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|port| port.to_string()))
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
    let answer = event.map_or("no answer".to_owned(), |e| probe_answer(e.message));
    let container = spec(pod, trouble);
    let fix = fix(&answer, &container[format!("{kind}Probe")], container).unwrap_or_else(|| {
        format!("it may need more CPU or memory to start in time: {}.resources", gathered.component)
    });
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
    .hint(format!("{fix}\n{}", logs_command(pod, trouble)))
    .hopeless(trouble.restarts >= 4);
    Some(last_words(out, gathered, pod, trouble))
}

/// `Readiness probe failed: Get "http://…": dial tcp …: connect: connection refused` → `connection refused`
fn probe_answer(message: &str) -> String {
    if let Some((_, code)) = message.split_once("statuscode: ") {
        let code: String = code.chars().take_while(char::is_ascii_digit).collect();
        return format!("HTTP {code}");
    }
    if message.contains("deadline exceeded")
        || message.contains("Timeout exceeded")
        || message.contains("timed out")
        || message.contains("i/o timeout")
    {
        return "no answer in time".to_owned();
    }
    let cause = message.trim().lines().next().unwrap_or_default().rsplit(": ").next().unwrap_or_default();
    if cause.is_empty() || cause.ends_with("failed:") { "it fails".to_owned() } else { cause.to_owned() }
}
