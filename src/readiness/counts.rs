//! How many of how many: the `1/1` and `3/3 nodes` of status and progress.

use serde_json::Value;

use super::fields::{count, int};
use crate::object::split_api_version;

/// What all these objects have together, as a person reads it: `3/3 nodes`.
pub fn total<'v>(objects: impl IntoIterator<Item = &'v Value>) -> String {
    let (mut ready, mut wanted, mut suffix) = (0, 0, "");
    for counts in objects.into_iter().filter_map(counts) {
        ready += counts.0;
        wanted += counts.1;
        suffix = if counts.2 == "nodes" { " nodes" } else { "" };
    }
    format!("{ready}/{wanted}{suffix}")
}

/// Ready units, wanted units and their name: empty for pods, `nodes` for DaemonSets,
/// `completions` for Jobs. None for kinds that have nothing to count.
///
/// During a Deployment's rollout ready pods of the old revision do not count: the status does not
/// tell them apart, so all old ones are taken to be ready (never shows more than is true).
pub fn counts(object: &Value) -> Option<(u32, u32, &'static str)> {
    let (group, _) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
    let replicas = || int(object, "/spec/replicas").unwrap_or(1);
    let (ready, wanted, unit) = match (group, object["kind"].as_str().unwrap_or_default()) {
        ("apps", "Deployment") => {
            let old = count(object, "/status/replicas") - count(object, "/status/updatedReplicas");
            (count(object, "/status/readyReplicas") - old.max(0), replicas(), "")
        }
        ("apps", "StatefulSet" | "ReplicaSet") | ("", "ReplicationController") => {
            (count(object, "/status/readyReplicas"), replicas(), "")
        }
        ("apps", "DaemonSet") => {
            (count(object, "/status/numberReady"), count(object, "/status/desiredNumberScheduled"), "nodes")
        }
        ("batch", "Job") => {
            (count(object, "/status/succeeded"), int(object, "/spec/completions").unwrap_or(1), "completions")
        }
        ("", "Pod") => {
            let ready = super::pods::pod(object).is_ready();
            (i64::from(ready), 1, "")
        }
        ("monitoring.coreos.com", "Prometheus" | "PrometheusAgent" | "Alertmanager" | "ThanosRuler") => {
            (count(object, "/status/availableReplicas"), replicas(), "")
        }
        _ => return None,
    };
    let wanted = u32::try_from(wanted.max(0)).unwrap_or(u32::MAX);
    let ready = u32::try_from(ready.max(0)).unwrap_or(u32::MAX);
    Some((ready.min(wanted), wanted, unit))
}
