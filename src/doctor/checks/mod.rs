//! The checks, one file for each theme. A check is an entry of its theme's table and a function below it; what
//! it finds is shown beside its id, so that an id is never used again for something else.

mod alerts;
mod cluster;
mod dashboards;
mod limits;
mod logs;
mod metrics;
mod notify;
mod release;
mod security;
mod storage;
mod workloads;

#[cfg(test)]
pub(in crate::doctor) use cluster::OLDEST;
pub use metrics::scrape_advice;
use serde_json::Value;

use super::{Check, Finding, Severity, Snapshot};
use crate::object::labels;
use crate::words::count;

/// All themes, in the order of blame.
pub const ALL: [&[Check]; 11] = [
    cluster::CHECKS,
    release::CHECKS,
    workloads::CHECKS,
    storage::CHECKS,
    metrics::CHECKS,
    limits::CHECKS,
    alerts::CHECKS,
    notify::CHECKS,
    dashboards::CHECKS,
    logs::CHECKS,
    security::CHECKS,
];

/// What is wrong with a component's pods, so that nobody answers for it.
const NO_PODS: &[&str] =
    &["WK01", "WK02", "WK03", "WK04", "WK05", "WK07", "WK08", "WK09", "WK13", "ST01", "RL03"];

/// The components whose explanation has one of these causes.
fn of_causes(snapshot: &Snapshot, causes: &[&str]) -> Vec<Finding> {
    let status = snapshot.status.answer();
    let components = status.into_iter().flat_map(|status| items(&status["components"]));
    components
        .filter_map(|component| {
            let explanation = &component["explanation"];
            let cause = text(&explanation["cause"]);
            causes.iter().find(|known| known.eq_ignore_ascii_case(cause))?;
            let severity = match cause.eq_ignore_ascii_case("Waiting") && component["state"] != "failed" {
                true => Severity::Warn,
                false => Severity::Fail,
            };
            let evidence = items(&explanation["evidence"]).map(|line| text(line).to_owned());
            let mut finding = Finding::new(severity, text(&explanation["headline"]))
                .about(text(&component["name"]))
                .evidence(evidence);
            finding.fix = text(&explanation["hint"]).lines().map(str::to_owned).collect();
            Some(finding)
        })
        .collect()
}

/// A component of the release that does not answer: as a whole, or one of its pods.
fn silent(component: &str, what: String, why: &str) -> Finding {
    Finding::fail(what)
        .about(component)
        .evidence([why.to_owned()])
        .fix("kubectl obs status")
        .fix(format!("kubectl obs logs {component}"))
}

/// A finding of a query that returns a series for each thing that is wrong, with a line for each; None where it
/// returns nothing.
fn of_series(
    snapshot: &Snapshot,
    query: &str,
    severity: Severity,
    component: &str,
    title: &str,
    line: impl Fn(&Value) -> String,
) -> Option<Finding> {
    let series = snapshot.series(query)?;
    (!series.is_empty())
        .then(|| Finding::new(severity, title).about(component).evidence(series.iter().map(line)))
}

/// The one number that a query returns, which counts something; none of it is 0.
fn number(snapshot: &Snapshot, query: &str) -> Option<usize> {
    match snapshot.series(query)?.first() {
        None => Some(0),
        Some(series) => series["value"][1].as_str()?.parse().ok(),
    }
}

/// Time for a pod to start on a new node and to be scraped, in seconds.
const SETTLED: f64 = 120.0;

/// Was it made so lately that it need not be scraped yet?
fn is_young(snapshot: &Snapshot, object: &Value) -> bool {
    snapshot.age(&object["metadata"]["creationTimestamp"]).is_some_and(|age| age < SETTLED)
}

/// Did Prometheus start so lately that it need not have scraped everything yet?
fn begins(snapshot: &Snapshot) -> bool {
    let began = snapshot.first_prometheus().and_then(|one| one.runtime.answer());
    began.and_then(|runtime| snapshot.age(&runtime["startTime"])).is_some_and(|age| age < SETTLED)
}

/// On how many of how many nodes a component of each node is scraped, by a query; None where that is enough. Its
/// DaemonSet knows which nodes it is meant for: affinity and taints may leave some out.
fn lacking_nodes(snapshot: &Snapshot, component: &str, query: &str) -> Option<(usize, usize)> {
    let up = number(snapshot, query)?;
    let mut components = items(&snapshot.status.answer()?["components"]);
    let ready = text(&components.find(|one| one["name"] == component)?["ready"]);
    // `2/3 nodes`, of `desiredNumberScheduled`
    let wanted: usize = ready.split_once('/')?.1.split(' ').next()?.parse().ok()?;
    let pods = snapshot.pods.answer().into_iter().flatten();
    let pods = pods.filter(|pod| self::component(pod) == component && is_young(snapshot, pod)).count();
    let nodes = snapshot.nodes.answer().into_iter().flatten();
    let nodes = nodes.filter(|node| is_young(snapshot, node)).count();
    (!begins(snapshot) && up + pods.max(nodes) < wanted).then_some((up, wanted))
}

/// The component of the release that a pod or a claim belongs to.
fn component(object: &Value) -> &str {
    text(&object["metadata"]["labels"][labels::OBS_COMPONENT])
}

/// `1 object is`, `2 objects are`
fn are(number: usize, what: &str) -> String {
    format!("{} {}", count(number, what), if number == 1 { "is" } else { "are" })
}

/// A value as text; empty where it is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list; none where it is none.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The status of a condition.
fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    items(&object["status"]["conditions"]).find(|condition| condition["type"] == kind)
}

/// The name of an object.
fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}
