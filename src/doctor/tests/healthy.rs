//! What the doctor sees of a healthy release, as the servers answer it; only what the checks read.

use serde_json::{Value, json};

/// A release with Prometheus, Alertmanager, Grafana and the exporters, on one node.
pub fn healthy() -> Value {
    let component = |name: &str| json!({"name": name, "version": "v1", "ready": "1/1", "state": "ready", "since": "", "why": ""});
    let names =
        ["alertmanager", "grafana", "kube-state-metrics", "node-exporter", "postgres-exporter", "prometheus"];
    let metadata = |name: &str, component: &str| json!({"name": name, "namespace": "o", "labels": {"kubectl-obs.dev/component": component}});
    json!({
        "format": 1, "takenAt": "2026-11-28T05:30:00Z", "release": "obs", "namespace": "o",
        "components": names,
        "jobs": ["prometheus", "alertmanager", "grafana", "kubelet-cadvisor", "postgres"],
        "rights": {"answer": []},
        "namespaces": {"answer": [{"metadata": {"name": "o"}, "status": {"phase": "Active"}}]},
        "nodes": {"answer": [{"metadata": {"name": "node-1", "labels": {"kubernetes.io/os": "linux"}}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True", "message": "kubelet is posting ready status"},
                {"type": "MemoryPressure", "status": "False"}]}}]},
        "storageClasses": {"answer": [{"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}]},
        "apiServices": {"answer": [{"metadata": {"name": "v1.apps"}, "status": {"conditions": [{"type": "Available", "status": "True"}]}}]},
        "deadWebhooks": {"answer": []},
        "status": {"answer": {"release": "obs", "namespace": "o", "revision": 2, "status": "deployed", "description": "",
            "bundle": "stack 1.0.0", "components": names.map(component)}},
        "drift": {"answer": {"revision": 2, "status": "deployed", "compared": 40, "objects": []}},
        "namesakes": {"answer": []},
        "pods": {"answer": [{"metadata": metadata("obs-prometheus-0", "prometheus"), "status": {"phase": "Running",
            "containerStatuses": [{"name": "prometheus", "restartCount": 0, "lastState": {}, "ready": true}]}}]},
        "claims": {"answer": [{"metadata": metadata("data-0", "prometheus"),
            "spec": {"volumeName": "pv-1", "resources": {"requests": {"storage": "10Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}}]},
        "prometheus": {"answer": [prometheus()]},
        "alertmanager": {"answer": {
            "replicas": {"obs-alertmanager-0": {"answer": {"cluster": {"status": "ready", "peers": [{"name": "a", "address": "10.0.0.2:9094"}]}}}},
            "receivers": {"answer": ["chat"]},
            "alerts": {"answer": [{"labels": {"alertname": "Watchdog"}, "receivers": [{"name": "null"}]}]},
            "silences": {"answer": []}}},
        "grafana": {"answer": {
            "health": {"answer": {"database": "ok", "version": "13.2.0"}}, "login": {"answer": 200},
            "datasources": {"answer": [{"uid": "p", "name": "Prometheus", "type": "prometheus"}, {"uid": "a", "name": "Alertmanager", "type": "alertmanager"}]},
            "datasourceHealth": {"p": {"answer": {"status": "OK", "message": "Successfully queried the Prometheus API."}}, "a": {"unknown": "it answers 404"}},
            "dashboards": {"answer": ["a"]}, "expectedDashboards": ["a"]}},
    })
}

fn prometheus() -> Value {
    let target = |pool: &str, address: &str| {
        json!({"scrapePool": pool, "scrapeUrl": format!("http://{address}/metrics"), "health": "up", "lastError": "",
            "labels": {"instance": address, "job": pool}, "lastScrapeDuration": 0.02, "scrapeInterval": "10s", "scrapeTimeout": "10s"})
    };
    let number = |number: &str| json!({"answer": {"resultType": "vector", "result": [{"metric": {}, "value": [0, number]}]}});
    let nothing = || json!({"answer": {"resultType": "vector", "result": []}});
    let pools = ["prometheus", "alertmanager", "grafana", "kubelet-cadvisor", "app-shop"];
    let targets: Vec<Value> =
        pools.iter().enumerate().map(|(n, pool)| target(pool, &format!("10.0.0.{n}:80"))).collect();
    json!({
        "pod": "obs-prometheus-0",
        "targets": {"answer": {"activeTargets": targets, "droppedTargetCounts": {}}},
        "pools": {"answer": {"scrapePools": pools}},
        "rules": {"answer": {"groups": [{"name": "g", "rules": [
            {"name": "Watchdog", "type": "alerting", "state": "firing", "health": "ok", "alerts": [
                {"labels": {"alertname": "Watchdog", "severity": "none"}, "annotations": {"summary": "alerts work"}, "state": "firing", "activeAt": "2026-11-28T05:00:00Z"}]},
            {"name": "record", "type": "recording", "health": "ok"}]}]}},
        "runtime": {"answer": {"reloadConfigSuccess": true, "lastConfigTime": "2026-11-28T05:00:00Z", "corruptionCount": 0, "storageRetention": "15d or 8GiB"}},
        "alertmanagers": {"answer": {"activeAlertmanagers": [{"url": "http://10.0.0.1:9093/api/v2/alerts"}], "droppedAlertmanagers": []}},
        "clockAhead": 0.1,
        "queries": {
            "appended": number("1200"), "nodes": number("1"), "nodeExporters": number("1"), "containers": number("20"),
            "databasesDown": nothing(), "memory": nothing(), "volumes": nothing(), "inodes": nothing(), "filling": nothing(),
            "missed": nothing(), "undelivered": nothing(), "dropped": nothing(), "messagesFailed": nothing(),
            "alertmanagerConfig": nothing(), "alertmanagerConfigs": number("1"), "unseenObjects": nothing(),
        },
    })
}
