//! Kubernetes events in one shape, whichever API wrote them, newest first.

use jiff::Timestamp;
use serde_json::Value;

use crate::readiness::fields::text;
use crate::readiness::spans::age;

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub reason: &'a str,
    pub message: &'a str,
    /// Kind and name of the object that it is about.
    pub kind: &'a str,
    pub name: &'a str,
    pub warning: bool,
    pub at: Option<Timestamp>,
    /// How many times it was seen.
    pub times: u64,
}

impl Seen<'_> {
    /// `Event (12s ago): no persistent volumes available for this claim and no storage class is set`
    pub fn quote(&self, now: Timestamp) -> String {
        let when = self.at.map(|at| format!(" ({})", age(now, at))).unwrap_or_default();
        format!("Event{when}: {}", self.message.trim().trim_end_matches(['.', ':']))
    }
}

/// Reads events of core/v1 (`involvedObject`, `message`) and events.k8s.io/v1 (`regarding`, `note`).
pub(super) fn seen(events: &[Value]) -> Vec<Seen<'_>> {
    let mut all: Vec<Seen> = events
        .iter()
        .map(|event| {
            let about =
                event.get("involvedObject").or_else(|| event.get("regarding")).unwrap_or(&Value::Null);
            Seen {
                reason: text(event, "/reason"),
                message: [text(event, "/message"), text(event, "/note")]
                    .into_iter()
                    .find(|s| !s.is_empty())
                    .unwrap_or_default(),
                kind: text(about, "/kind"),
                name: text(about, "/name"),
                warning: event["type"] == "Warning",
                at: last_time(event),
                times: ["/series/count", "/count", "/deprecatedCount"]
                    .iter()
                    .find_map(|pointer| event.pointer(pointer)?.as_u64())
                    .unwrap_or(1),
            }
        })
        .collect();
    // Stable: events without a time keep their order, after those that have one.
    all.sort_by_key(|event| std::cmp::Reverse(event.at));
    all
}

fn last_time(event: &Value) -> Option<Timestamp> {
    [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ]
    .iter()
    .filter_map(|pointer| text(event, pointer).parse().ok())
    .max()
}

/// The newest event about an object whose reason is one of `reasons`.
pub(super) fn newest<'a, 'e>(
    events: &'a [Seen<'e>],
    kind: &str,
    name: &str,
    reasons: &[&str],
) -> Option<&'a Seen<'e>> {
    events.iter().find(|e| e.kind == kind && e.name == name && reasons.contains(&e.reason))
}
