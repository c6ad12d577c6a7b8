//! What a Node says to a pod: labels that its nodeSelector names, taints that it does not tolerate.

use serde_json::Value;

use crate::readiness::fields::{list, text};

/// Does the pod's nodeSelector name this node? One without a nodeSelector asks by affinity.
pub(super) fn is_selected(pod: &Value, node: &Value) -> bool {
    let wanted = pod.pointer("/spec/nodeSelector").and_then(Value::as_object);
    wanted.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| node["metadata"]["labels"][key] == *value)
    })
}

/// The taints that keep the pod away: of the nodes that its nodeSelector names, else of all.
pub(super) fn untolerated(pod: &Value, nodes: &[Value]) -> Vec<String> {
    let selected: Vec<&Value> = nodes.iter().filter(|node| is_selected(pod, node)).collect();
    let nodes = if selected.is_empty() { nodes.iter().collect() } else { selected };
    let mut found: Vec<String> = nodes
        .iter()
        // a cordoned node is told as such
        .filter(|node| node["spec"]["unschedulable"] != true)
        .flat_map(|node| list(node, "/spec/taints"))
        .filter(|taint| taint["effect"] != "PreferNoSchedule")
        .filter(|taint| !list(pod, "/spec/tolerations").iter().any(|t| tolerates(t, taint)))
        .map(|taint| match text(taint, "/value") {
            "" => text(taint, "/key").to_owned(),
            value => format!("{}={value}", text(taint, "/key")),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
    let exists = toleration["operator"] == "Exists";
    (effect.is_empty() || taint["effect"] == effect)
        && (key.is_empty() && exists
            || taint["key"] == key && (exists || text(taint, "/value") == text(toleration, "/value")))
}
