//! The checks, one file for each theme. A check is an entry of its theme's table and a function below it; what
//! it finds is shown beside its id, so that an id is never used again for something else.

mod alerts;
mod cluster;
mod dashboards;
mod metrics;
mod notify;
mod release;
mod storage;
mod workloads;

use serde_json::Value;

use super::Check;

/// All themes, in the order of blame.
pub const ALL: [&[Check]; 8] = [
    cluster::CHECKS,
    release::CHECKS,
    workloads::CHECKS,
    storage::CHECKS,
    metrics::CHECKS,
    alerts::CHECKS,
    notify::CHECKS,
    dashboards::CHECKS,
];

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
