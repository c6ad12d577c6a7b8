//! Event → sentence, for those who listen to a screen reader or want a log in words: no columns, no
//! marks, units spoken out. Pure.

use super::lines::Row;
use crate::event::{ComponentState, Phase, Start};

/// `install of release obs in namespace observability begins: stack 1.0.0, on cluster kind-dev with
/// Kubernetes 1.34`
pub(super) fn started(start: &Start) -> String {
    let Start { operation, release, namespace, bundle, cluster, kubernetes } = start;
    let bundle = bundle.as_ref().map(|bundle| format!("{bundle}, ")).unwrap_or_default();
    format!(
        "{operation} of release {release} in namespace {namespace} begins: {bundle}on cluster {cluster} with \
         Kubernetes {kubernetes}"
    )
}

/// `warning: the namespace was there before and is not labelled`
pub(super) fn warning(message: &str) -> String {
    format!("warning: {message}")
}

/// `the objects were applied within 0.9 seconds: 61 created`
pub(super) fn phase_done(phase: Phase, summary: &str, seconds: f64) -> String {
    let what = match phase {
        Phase::Checked => "the plan was checked",
        Phase::Applied => "the objects were applied",
        Phase::Pruned => "objects of earlier revisions were removed",
        Phase::Ready => "everything became ready",
        Phase::Healthy => "the health checks passed",
        Phase::Deleted => "the objects were deleted",
    };
    format!("{what} within {}: {summary}", span(seconds))
}

/// `grafana is starting, 0 of 1 ready after 6 seconds, usually ready after 25 seconds: readiness probe:
/// connection refused`
pub(super) fn component(row: &Row) -> String {
    let (name, after) = (&row.name, span(row.seconds.round()));
    // what has no pods has nothing to count
    let counted = !row.ready.is_empty() && !row.ready.starts_with("0/0");
    let ready = if counted { format!(", {}", row.ready.replacen('/', " of ", 1)) } else { String::new() };
    let of_it = if counted { " ready" } else { "" };
    let why = if row.why.is_empty() { String::new() } else { format!(": {}", row.why) };
    match row.state {
        ComponentState::Ready => format!("{name} is ready after {after}{ready}"),
        ComponentState::Failed => format!("{name} failed{ready}{of_it} after {after}{why}"),
        ComponentState::Starting => {
            let usual = row.usual.map(|usual| format!(", usually ready after {}", span(usual.round())));
            format!("{name} is starting{ready}{of_it} after {after}{}{why}", usual.unwrap_or_default())
        }
    }
}

/// `still waiting for grafana and loki after 1 minute 30 seconds`
pub(super) fn heartbeat(waiting: &[&Row], phase: Option<Phase>, awaiting: &str, seconds: f64) -> String {
    let after = span(seconds.round());
    let names: Vec<&str> = waiting.iter().map(|row| row.name.as_str()).collect();
    match names.as_slice() {
        [] => {
            let what = phase.map_or("working", super::lines::doing);
            let why = if awaiting.is_empty() { String::new() } else { format!(": {awaiting}") };
            format!("still {what} after {after}{why}")
        }
        [one] => format!("still waiting for {one} after {after}"),
        [first @ .., last] => format!("still waiting for {} and {last} after {after}", first.join(", ")),
    }
}

/// `0.4 seconds`, `1 second`, `3 minutes 12 seconds`, `2 hours 5 minutes`.
fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 && seconds.fract() > 0.05 && seconds.fract() < 0.95 {
        return format!("{seconds:.1} seconds");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
    let total = seconds.round() as usize;
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    let parts = match hours {
        0 => [(minutes, "minute"), (seconds, "second")],
        _ => [(hours, "hour"), (minutes, "minute")],
    };
    let said: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| crate::words::count(*n, unit)).collect();
    if said.is_empty() { "0 seconds".to_owned() } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spoken_with_their_units() {
        for (seconds, expected) in [
            (0.0, "0 seconds"),
            (0.42, "0.4 seconds"),
            (1.0, "1 second"),
            (9.97, "10 seconds"),
            (60.0, "1 minute"),
            (192.3, "3 minutes 12 seconds"),
            (3600.0, "1 hour"),
            (7500.0, "2 hours 5 minutes"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn a_heartbeat_names_all_that_is_awaited() {
        let row = |name: &str| Row {
            name: name.into(),
            state: ComponentState::Starting,
            ready: "0/1".into(),
            why: String::new(),
            seconds: 90.0,
            usual: None,
        };
        let (a, b, c) = (row("grafana"), row("loki"), row("prometheus"));
        let said = |rows: &[&Row]| heartbeat(rows, Some(Phase::Ready), "", 90.0);
        assert_eq!(said(&[&a]), "still waiting for grafana after 1 minute 30 seconds");
        assert_eq!(
            said(&[&a, &b, &c]),
            "still waiting for grafana, loki and prometheus after 1 minute 30 seconds"
        );
        assert_eq!(
            heartbeat(&[], Some(Phase::Healthy), "7 of 10 checks pass", 30.0),
            "still testing after 30 seconds: 7 of 10 checks pass"
        );
    }
}
