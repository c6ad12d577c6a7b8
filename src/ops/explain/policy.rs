//! Do NetworkPolicies let a connection through? Evaluated as KEP "NetworkPolicy v1" says: a pod that no policy
//! selects is open; one that is selected takes what any of its policies allows. A pod on the network of its node is
//! none that a policy selects, and to others it is that node's address. Pure. Whether the cluster's network enforces
//! them at all, and policies of its own kinds, are not seen.

use std::net::IpAddr;

use serde_json::Value;

use crate::cluster::in_block;
use crate::ops::apps::monitors::matches;
use crate::ops::apps::pods::{containers, list};

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct End<'v> {
    /// The pod.
    pub pod: &'v Value,
    /// The labels of its namespace.
    pub namespace_labels: &'v Value,
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// None is about it.
    Open,
    /// One of those that are about it allows it.
    Allowed(String),
    /// These are about it, and none allows it.
    Denied(Vec<String>),
}

/// What the policies of both ends say of a connection to a port, TCP. The first that denies it counts.
pub fn connection(policies: &[Value], from: End<'_>, to: End<'_>, port: u16) -> Verdict {
    let way_out = one_way(policies, "Egress", from, to, to.pod, port);
    match (way_out, one_way(policies, "Ingress", to, from, to.pod, port)) {
        (Verdict::Denied(names), _) | (_, Verdict::Denied(names)) => Verdict::Denied(names),
        (_, Verdict::Allowed(name)) | (Verdict::Allowed(name), _) => Verdict::Allowed(name),
        (Verdict::Open, Verdict::Open) => Verdict::Open,
    }
}

/// The policies of one end about the other.
fn one_way(
    policies: &[Value],
    direction: &str,
    own: End<'_>,
    other: End<'_>,
    server: &Value,
    port: u16,
) -> Verdict {
    if is_of_node(own.pod) {
        return Verdict::Open;
    }
    let (rules, peers) = if direction == "Egress" { ("egress", "to") } else { ("ingress", "from") };
    let about = policies.iter().filter(|policy| {
        let spec = &policy["spec"];
        let directed = match spec["policyTypes"].is_array() {
            true => list(&spec["policyTypes"]).any(|kind| kind == direction),
            // without a list it is about ingress, and about egress where it has such rules
            false => direction == "Ingress" || spec["egress"].is_array(),
        };
        directed
            && policy["metadata"]["namespace"] == own.pod["metadata"]["namespace"]
            && matches(&spec["podSelector"], &own.pod["metadata"]["labels"])
    });
    let mut denying = Vec::new();
    for policy in about {
        let meta = &policy["metadata"];
        let name = |key: &str| meta[key].as_str().unwrap_or_default();
        let allows = |rule: &Value| {
            let peer = list(&rule[peers]).next().is_none()
                || list(&rule[peers]).any(|peer| is_peer(peer, &meta["namespace"], other));
            peer && (list(&rule["ports"]).next().is_none()
                || list(&rule["ports"]).any(|allowed| is_port(allowed, server, port)))
        };
        let shown = format!("{}/{}", name("namespace"), name("name"));
        if list(&policy["spec"][rules]).any(allows) {
            return Verdict::Allowed(shown);
        }
        denying.push(shown);
    }
    if denying.is_empty() { Verdict::Open } else { Verdict::Denied(denying) }
}

/// Is it on the network of its node?
fn is_of_node(pod: &Value) -> bool {
    pod["spec"]["hostNetwork"] == true
}

fn is_peer(peer: &Value, namespace: &Value, other: End<'_>) -> bool {
    if peer["ipBlock"].is_object() {
        let address = other.pod["status"]["podIP"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
        let Some(address) = address else { return false };
        let within = |cidr: &Value| {
            let parts = cidr.as_str().and_then(|cidr| cidr.split_once('/'));
            parts.is_some_and(|(network, bits)| in_block(address, network, bits))
        };
        return within(&peer["ipBlock"]["cidr"]) && !list(&peer["ipBlock"]["except"]).any(within);
    }
    if is_of_node(other.pod) {
        return false;
    }
    let here = match peer["namespaceSelector"].is_object() {
        true => matches(&peer["namespaceSelector"], other.namespace_labels),
        false => other.pod["metadata"]["namespace"] == *namespace,
    };
    here && (!peer["podSelector"].is_object()
        || matches(&peer["podSelector"], &other.pod["metadata"]["labels"]))
}

fn is_port(allowed: &Value, server: &Value, port: u16) -> bool {
    if allowed["protocol"].as_str().unwrap_or("TCP") != "TCP" {
        return false;
    }
    match &allowed["port"] {
        Value::Null => true,
        Value::String(name) => {
            let ports = containers(server).flat_map(|container| list(&container["ports"]));
            ports.into_iter().any(|known| known["name"] == name.as_str() && known["containerPort"] == port)
        }
        first => {
            let first = first.as_u64().unwrap_or_default();
            let last = allowed["endPort"].as_u64().unwrap_or(first);
            (first..=last).contains(&u64::from(port))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, app: &str, ip: &str) -> Value {
        json!({"metadata": {"namespace": namespace, "name": app, "labels": {"app": app}}, "status": {"podIP": ip},
            "spec": {"containers": [{"ports": [{"name": "metrics", "containerPort": 9102}]}]}})
    }

    fn policy(namespace: &str, spec: Value) -> Value {
        json!({"metadata": {"namespace": namespace, "name": "p"}, "spec": spec})
    }

    #[test]
    fn policies_are_evaluated_as_kubernetes_does() {
        let (prometheus, web) = (pod("obs", "prometheus", "10.1.0.5"), pod("shop", "web", "10.2.0.7"));
        let names =
            (json!({"kubernetes.io/metadata.name": "obs"}), json!({"kubernetes.io/metadata.name": "shop"}));
        let from = End { pod: &prometheus, namespace_labels: &names.0 };
        let to = End { pod: &web, namespace_labels: &names.1 };
        let by_namespace =
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "obs"}}});
        let ingress = |rules: Value| json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules});
        let denied = || Verdict::Denied(vec!["shop/p".into()]);
        let allowed = || Verdict::Allowed("shop/p".into());
        let rows = [
            // about other pods, another namespace, the other direction
            (
                policy("shop", json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": []})),
                Verdict::Open,
            ),
            (policy("other", ingress(json!([]))), Verdict::Open),
            (policy("shop", json!({"podSelector": {}, "policyTypes": ["Egress"]})), Verdict::Open),
            // deny all; allow all
            (policy("shop", json!({"podSelector": {}})), denied()),
            (policy("shop", ingress(json!([{}]))), allowed()),
            // pods of the own namespace alone
            (policy("shop", ingress(json!([{"from": [{"podSelector": {}}]}]))), denied()),
            (policy("shop", ingress(json!([{"from": [by_namespace]}]))), allowed()),
            (
                policy(
                    "shop",
                    ingress(
                        json!([{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "grafana"}}}]}]),
                    ),
                ),
                denied(),
            ),
            // ports by number, name and range; another protocol
            (policy("shop", ingress(json!([{"ports": [{"port": 80}]}]))), denied()),
            (policy("shop", ingress(json!([{"ports": [{"port": "metrics"}]}]))), allowed()),
            (policy("shop", ingress(json!([{"ports": [{"port": 9000, "endPort": 9200}]}]))), allowed()),
            (policy("shop", ingress(json!([{"ports": [{"port": 9102, "protocol": "UDP"}]}]))), denied()),
            // addresses
            (policy("shop", ingress(json!([{"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]))), allowed()),
            (
                policy(
                    "shop",
                    ingress(
                        json!([{"from": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.0.0/24"]}}]}]),
                    ),
                ),
                denied(),
            ),
            // the way out of Prometheus' own namespace
            (
                policy(
                    "obs",
                    json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}),
                ),
                Verdict::Denied(vec!["obs/p".into()]),
            ),
        ];
        for (policy, expected) in rows {
            assert_eq!(connection(std::slice::from_ref(&policy), from, to, 9102), expected, "{policy}");
        }
        // one that allows is enough
        let both = [policy("shop", json!({"podSelector": {}})), policy("shop", ingress(json!([{}])))];
        assert_eq!(connection(&both, from, to, 9102), allowed());
    }

    #[test]
    fn a_pod_on_the_network_of_its_node_is_selected_by_no_policy_and_known_by_its_address() {
        let (prometheus, mut exporter) =
            (pod("obs", "prometheus", "10.1.0.5"), pod("shop", "web", "192.168.0.7"));
        exporter["spec"]["hostNetwork"] = json!(true);
        let none = Value::Null;
        let from = End { pod: &prometheus, namespace_labels: &none };
        let to = End { pod: &exporter, namespace_labels: &none };
        let deny = policy("shop", json!({"podSelector": {}}));
        assert_eq!(connection(&[deny], from, to, 9102), Verdict::Open);
        let way_out = |to: Value| {
            policy("obs", json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [to]}]}))
        };
        let any_pod = way_out(json!({"namespaceSelector": {}}));
        assert_eq!(connection(&[any_pod], from, to, 9102), Verdict::Denied(vec!["obs/p".into()]));
        let nodes = way_out(json!({"ipBlock": {"cidr": "192.168.0.0/24"}}));
        assert_eq!(connection(&[nodes], from, to, 9102), Verdict::Allowed("obs/p".into()));
        // and where it is Prometheus that is there
        let deny = policy("shop", json!({"podSelector": {}, "policyTypes": ["Egress"]}));
        assert_eq!(connection(&[deny], to, from, 9102), Verdict::Open);
    }
}
