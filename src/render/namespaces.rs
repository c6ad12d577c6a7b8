//! The Namespace objects of a release, with their Pod Security level: `restricted`, and
//! `privileged` where components work on the node itself.

use serde_json::{Value, json};

use super::Facts;

/// The component that the Namespaces belong to.
pub const COMPONENT: &str = "namespace";

/// The release's namespace, and the node namespace if a component needs it.
pub fn objects(facts: &Facts, node_level: bool) -> Vec<Value> {
    let one_for_all = facts.namespace == facts.node_namespace;
    let mut out = vec![namespace(&facts.namespace, node_level && one_for_all)];
    if node_level && !one_for_all {
        out.push(namespace(&facts.node_namespace, true));
    }
    out
}

fn namespace(name: &str, privileged: bool) -> Value {
    let level = if privileged { "privileged" } else { "restricted" };
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": level,
            "pod-security.kubernetes.io/audit": level,
            "pod-security.kubernetes.io/warn": level,
        }},
    })
}
