//! What the doctor sees of a healthy release, as the servers answer it; only what the checks read.

use serde_json::{Value, json};

use crate::doctor::queries::QUERIES;

/// A release with Prometheus, Alertmanager, Grafana and the exporters, on one node.
pub fn healthy() -> Value {
    let ready = |name: &str| if ["fluentd", "node-exporter"].contains(&name) { "1/1 nodes" } else { "1/1" };
    let component = |name: &str| json!({"name": name, "version": "v1", "ready": ready(name), "state": "ready", "since": "", "why": ""});
    let names = [
        "alertmanager",
        "elasticsearch",
        "fluentd",
        "grafana",
        "kube-state-metrics",
        "loki",
        "node-exporter",
        "postgres-exporter",
        "prometheus",
    ];
    let metadata = |name: &str, component: &str| json!({"name": name, "namespace": "o", "labels": {"kubectl-obs.dev/component": component}});
    json!({
        "format": 1, "takenAt": "2026-11-28T05:30:00Z", "release": "obs", "namespace": "o",
        "components": names,
        "jobs": ["prometheus", "alertmanager", "grafana", "kubelet-cadvisor", "postgres"],
        "version": {"answer": "v1.34.4"}, "dns": {"answer": true}, "admins": {"answer": []},
        "services": {"answer": [{"kind": "Service", "metadata": {"name": "obs-grafana"}, "spec": {"type": "ClusterIP"}},
            {"kind": "Ingress", "metadata": {"name": "obs-grafana"}, "spec": {"tls": [{"hosts": ["g.example.org"]}], "rules": [{"host": "g.example.org"}]}}]},
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
            "containerStatuses": [{"name": "prometheus", "image": "quay.io/prometheus/prometheus:v3.15.0", "restartCount": 0, "lastState": {}, "ready": true}]}}]},
        "claims": {"answer": [{"metadata": metadata("data-0", "prometheus"),
            "spec": {"volumeName": "pv-1", "resources": {"requests": {"storage": "10Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}}]},
        "prometheus": {"answer": [prometheus()]},
        "alertmanager": {"answer": {
            "replicas": {"obs-alertmanager-0": {"answer": {"cluster": {"status": "ready", "peers": [{"name": "a", "address": "10.0.0.2:9094"}]}}}},
            "receivers": {"answer": ["chat"]}, "routes": {"answer": {"critical": ["chat"], "warning": ["chat"]}},
            "alerts": {"answer": [{"labels": {"alertname": "Watchdog"}, "receivers": [{"name": "null"}]}]},
            "silences": {"answer": []}}},
        "grafana": {"answer": {
            "health": {"answer": {"database": "ok", "version": "13.2.0"}}, "login": {"answer": 200}, "weakPassword": {"answer": false}, "anonymous": {"answer": "nobody"},
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
    // what nobody named returns nothing: most queries return what is wrong
    let counted = [("appended", "1200"), ("nodes", "1"), ("nodeExporters", "1"), ("containers", "20")];
    let counted =
        counted.into_iter().chain([("alertmanagerConfigs", "1"), ("logNodes", "1"), ("received", "12.5")]);
    let mut queries: serde_json::Map<String, Value> =
        QUERIES.iter().map(|query| (query.name.to_owned(), nothing())).collect();
    queries.extend(counted.map(|(name, answer)| (name.to_owned(), number(answer))));
    let pools = ["prometheus", "alertmanager", "grafana", "kubelet-cadvisor", "app-shop"];
    let targets: Vec<Value> =
        pools.iter().enumerate().map(|(n, pool)| target(pool, &format!("10.0.0.{n}:80"))).collect();
    json!({
        "pod": "obs-prometheus-0",
        "targets": {"answer": {"activeTargets": targets, "droppedTargetCounts": {}}},
        "pools": {"answer": {"scrapePools": pools}},
        "rules": {"answer": {"groups": [{"name": "g", "rules": [
            {"name": "Watchdog", "type": "alerting", "labels": {"severity": "none"}, "state": "firing", "health": "ok", "alerts": [
                {"labels": {"alertname": "Watchdog", "severity": "none"}, "annotations": {"summary": "alerts work"}, "state": "firing", "activeAt": "2026-11-28T05:00:00Z"}]},
            {"name": "record", "type": "recording", "health": "ok"}]}]}},
        "runtime": {"answer": {"reloadConfigSuccess": true, "lastConfigTime": "2026-11-28T05:00:00Z", "corruptionCount": 0, "storageRetention": "15d or 8GiB"}},
        "alertmanagers": {"answer": {"activeAlertmanagers": [{"url": "http://10.0.0.1:9093/api/v2/alerts"}], "droppedAlertmanagers": []}},
        "flags": {"answer": {"web.enable-admin-api": "false", "web.enable-lifecycle": "false"}},
        "clockAhead": 0.1,
        "queries": queries,
    })
}
