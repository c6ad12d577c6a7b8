//! Grafana where the stack has Loki: the dashboard of logs, and none where it has not. A small umbrella
//! plays the stack.

use kubectl_obs::bundle::{Bundle, archive, embedded};
use kubectl_obs::render::Rendered;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{data, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("grafana::logs_are_shown_where_loki_is", shown)]
}

/// The components that Grafana asks about, and whether they are on.
fn umbrella(on: &[&str]) -> Rendered {
    let peers = [
        "prometheus",
        "alertmanager",
        "kube-state-metrics",
        "node-exporter",
        "postgres-exporter",
        "redis-exporter",
        "blackbox-exporter",
        "loki",
        "opensearch",
        "elasticsearch",
    ];
    let mut files = archive::Files::new();
    let mut components = Vec::new();
    for name in peers {
        components.push(json!({"name": name, "version": "^1.0", "when": on.contains(&name).to_string()}));
        let exports = json!({"url": format!("http://obs-{name}.observability.svc:1"), "scrapeInterval": "30s", "tenant": ""});
        let bundle = json!({"apiVersion": "kubectl-obs.dev/v1", "kind": "Bundle", "name": name, "version": "1.0.0",
            "kubeVersion": ">=1.30", "exports": exports});
        files.insert(format!("components/{name}/bundle.yaml"), bundle.to_string().into_bytes());
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${{ name }}\ndata: {}\n";
        files.insert(format!("components/{name}/templates/config.yaml"), object.into());
    }
    components.push(json!({"name": "grafana", "version": "^1.0"}));
    for (path, content) in archive::unpack(embedded::archive("grafana").unwrap()).unwrap() {
        files.insert(format!("components/grafana/{path}"), content);
    }
    let bundle = json!({"apiVersion": "kubectl-obs.dev/v1", "kind": "Bundle", "name": "small", "version": "1.0.0",
        "components": components});
    files.insert("bundle.yaml".to_owned(), bundle.to_string().into_bytes());
    let bundle = Bundle::load(&files).unwrap_or_else(|err| panic!("{err}"));
    rendered(&bundle, bundle.effective_defaults())
}

fn shown() {
    for on in [vec!["prometheus", "loki"], vec!["loki"], vec!["prometheus"], vec![]] {
        let stack = umbrella(&on);
        let logs = data(&stack, "obs-grafana-dashboard-logs");
        assert_eq!(logs.is_some(), on.contains(&"loki"), "{on:?}");
        let app = data(&stack, "obs-grafana-dashboard-app");
        assert_eq!(app.is_some(), on.contains(&"prometheus"), "{on:?}");
        let providers = data(&stack, "obs-grafana-config").unwrap()["dashboards.yaml"].as_str().unwrap();
        assert_eq!(providers.contains("folder: \"Applications\""), !on.is_empty(), "{on:?}: {providers}");
        let Some(logs) = logs else { continue };
        // it asks the stack's own
        let board: Value = serde_json::from_str(logs["logs.json"].as_str().unwrap()).unwrap();
        let source = &board["templating"]["list"][0];
        assert_eq!((&source["query"], &source["current"]["value"]), (&json!("loki"), &json!("obs-loki")));
    }
}
