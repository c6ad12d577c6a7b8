//! A workload that changed its name, kind or namespace is, to the cluster, a second workload. It can
//! start beside the old one, unless both need something that only one of them can have: then the old
//! one goes first.

use serde_json::Value;

/// A port of the node: number, protocol, address (empty: all of them).
type HostPort<'a> = (u64, &'a str, &'a str);

/// Must the old workload be gone before the new one is applied? So it is when they take the same
/// port of a node, or use the same volume claim of one namespace that one pod at a time can mount.
/// Claims that a pod names are taken to be such: their access modes are not in the workload, and
/// going first costs time at worst.
pub fn must_go_first(old_live: &Value, new_desired: &Value) -> bool {
    let identity = |object: &Value| {
        [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]].map(Value::clone)
    };
    if identity(old_live) == identity(new_desired) {
        return false;
    }
    let (old_ports, new_ports) = (host_ports(old_live), host_ports(new_desired));
    if old_ports.iter().any(|a| new_ports.iter().any(|b| collide(a, b))) {
        return true;
    }
    let claims = exclusive_claims(old_live);
    old_live["metadata"]["namespace"] == new_desired["metadata"]["namespace"]
        && exclusive_claims(new_desired).iter().any(|claim| claims.contains(claim))
}

fn collide(a: &HostPort, b: &HostPort) -> bool {
    let everywhere = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    a.0 == b.0 && a.1 == b.1 && (a.2 == b.2 || everywhere(a.2) || everywhere(b.2))
}

/// The spec of the pods that a workload makes; None for other kinds.
fn pod_spec(object: &Value) -> Option<&Value> {
    let at = match object["kind"].as_str()? {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    object.pointer(at)
}

fn host_ports(object: &Value) -> Vec<HostPort<'_>> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let of_node = spec["hostNetwork"] == true;
    let containers = ["containers", "initContainers"].into_iter().flat_map(|field| items(&spec[field]));
    containers
        .flat_map(|container| items(&container["ports"]))
        .filter_map(|port| {
            // on the node's network every port is one of the node, whether it says so or not
            let number = port["hostPort"].as_u64().filter(|number| *number > 0);
            let number = number.or_else(|| port["containerPort"].as_u64().filter(|_| of_node))?;
            let address = port["hostIP"].as_str().unwrap_or_default();
            Some((number, port["protocol"].as_str().unwrap_or("TCP"), address))
        })
        .collect()
}

/// Names of the claims that the pods use and may not share.
fn exclusive_claims(object: &Value) -> Vec<String> {
    let volumes = pod_spec(object).map(|spec| items(&spec["volumes"])).into_iter().flatten();
    let mut claims: Vec<String> = volumes
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
        .map(str::to_owned)
        .collect();
    if object["kind"] == "StatefulSet" {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let first = object.pointer("/spec/ordinals/start").and_then(Value::as_u64).unwrap_or(0);
        let count = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        // more pods than any node set has: a bound on what is built here, not on what is allowed
        let ordinals = first..first.saturating_add(count.min(10_000));
        for template in items(&object["spec"]["volumeClaimTemplates"]) {
            let modes = items(&template["spec"]["accessModes"]);
            if modes.iter().all(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany") {
                continue;
            }
            let template = template["metadata"]["name"].as_str().unwrap_or_default();
            claims.extend(ordinals.clone().map(|ordinal| format!("{template}-{name}-{ordinal}")));
        }
    }
    claims
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(kind: &str, name: &str, namespace: &str, spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
               "spec": {"template": {"spec": spec}}})
    }

    fn exporter(name: &str, port: Value) -> Value {
        workload("DaemonSet", name, name, json!({"containers": [{"name": "x", "ports": [port]}]}))
    }

    #[test]
    fn two_workloads_do_not_share_a_port_of_the_node() {
        let old = exporter("a", json!({"containerPort": 9100, "hostPort": 9100, "protocol": "TCP"}));
        for (port, first) in [
            (json!({"containerPort": 1, "hostPort": 9100}), true),
            (json!({"containerPort": 1, "hostPort": 9100, "protocol": "UDP"}), false),
            (json!({"containerPort": 1, "hostPort": 9100, "hostIP": "127.0.0.1"}), true),
            (json!({"containerPort": 9100, "hostPort": 9101}), false),
            (json!({"containerPort": 9100}), false),
        ] {
            assert_eq!(must_go_first(&old, &exporter("b", port.clone())), first, "{port}");
        }
        let local = |name, ip| exporter(name, json!({"containerPort": 1, "hostPort": 1, "hostIP": ip}));
        assert!(!must_go_first(&local("a", "10.0.0.1"), &local("b", "10.0.0.2")));
        assert!(!must_go_first(&old, &old), "the same workload is changed in place");
    }

    #[test]
    fn on_the_nodes_network_every_port_is_the_nodes() {
        let node = |name: &str, port: u64| {
            let spec = json!({"hostNetwork": true, "containers": [{"name": "x", "ports": [{"containerPort": port}]}]});
            workload("DaemonSet", name, "n", spec)
        };
        assert!(must_go_first(&node("a", 9100), &node("b", 9100)));
        assert!(!must_go_first(&node("a", 9100), &node("b", 9101)));
        assert!(must_go_first(
            &node("a", 9100),
            &exporter("b", json!({"containerPort": 1, "hostPort": 9100}))
        ));
    }

    #[test]
    fn two_workloads_do_not_share_a_claim() {
        let uses = |kind: &str, name: &str, namespace: &str, claim: Value| {
            let spec = json!({"volumes": [{"name": "data", "persistentVolumeClaim": claim}]});
            workload(kind, name, namespace, spec)
        };
        let claim = json!({"claimName": "data-grafana-0"});
        let old = uses("Deployment", "a", "n", claim.clone());
        assert!(must_go_first(&old, &uses("Deployment", "b", "n", claim.clone())));
        assert!(
            !must_go_first(&old, &uses("Deployment", "b", "m", claim.clone())),
            "another namespace's claim"
        );
        assert!(!must_go_first(&old, &uses("Deployment", "b", "n", json!({"claimName": "other"}))));

        let set = |modes: Value| {
            let mut set = workload("StatefulSet", "grafana", "n", json!({}));
            set["spec"]["replicas"] = json!(2);
            set["spec"]["volumeClaimTemplates"] =
                json!([{"metadata": {"name": "data"}, "spec": {"accessModes": modes}}]);
            set
        };
        assert!(must_go_first(&set(json!(["ReadWriteOnce"])), &old), "a set became a Deployment");
        assert!(!must_go_first(&set(json!(["ReadWriteMany"])), &old), "a claim that many may mount");
    }

    #[test]
    fn what_makes_no_pods_collides_with_nothing() {
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "a"}});
        assert!(!must_go_first(&map, &exporter("b", json!({"hostPort": 1}))));
    }
}
