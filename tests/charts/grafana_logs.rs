//! Grafana where the stack has Loki: its data source, the dashboard of logs, and neither where it has not.
//! A small umbrella plays the stack, so that this does not wait for what else Loki needs.

use kubectl_obs::bundle::{Bundle, archive, embedded};
use kubectl_obs::render::Rendered;
use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{data, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("grafana::logs_are_shown_where_loki_is", shown)]
}

/// The components that Grafana asks about, and whether they are on.
fn umbrella(on: &[&str], tenant: &str) -> Rendered {
    let peers = [
        "prometheus",
        "alertmanager",
        "kube-state-metrics",
        "node-exporter",
        "postgres-exporter",
        "redis-exporter",
        "blackbox-exporter",
        "loki",
    ];
    let mut files = archive::Files::new();
    let mut components = Vec::new();
    for name in peers {
        components.push(json!({"name": name, "version": "^1.0", "when": on.contains(&name).to_string()}));
        let exports = json!({"url": format!("http://obs-{name}.observability.svc:1"), "scrapeInterval": "30s", "tenant": tenant});
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

fn sources(rendered: &Rendered) -> Vec<Value> {
    let file = data(rendered, "obs-grafana-config").unwrap()["datasources.yaml"].as_str().unwrap();
    yaml::parse(file).unwrap()["datasources"].as_array().unwrap().clone()
}

fn shown() {
    for (on, tenant) in [
        (vec!["prometheus", "alertmanager", "loki"], ""),
        (vec!["loki"], "$shop"),
        (vec!["prometheus"], ""),
        (vec![], ""),
    ] {
        let stack = umbrella(&on, tenant);
        let what = format!("{on:?}");
        let all = sources(&stack);
        let loki = all.iter().find(|source| source["uid"] == "obs-loki");
        assert_eq!(loki.is_some(), on.contains(&"loki"), "{what}: {all:?}");
        assert_eq!(data(&stack, "obs-grafana-dashboard-logs").is_some(), on.contains(&"loki"), "{what}");
        assert_eq!(data(&stack, "obs-grafana-dashboard-app").is_some(), on.contains(&"prometheus"), "{what}");
        let defaults = all.iter().filter(|source| source["isDefault"] == true).count();
        assert_eq!(defaults, usize::from(!on.is_empty()), "{what}: one is the default: {all:?}");
        let Some(loki) = loki else { continue };
        assert_eq!((&loki["type"], &loki["editable"]), (&json!("loki"), &json!(false)));
        assert_eq!(loki["url"], "http://obs-loki.observability.svc:1");
        let alertmanager = &loki["jsonData"]["alertmanagerUid"];
        assert_eq!(alertmanager.is_string(), on.contains(&"alertmanager"), "{what}: {loki}");
        // a dollar begins a variable in such a file
        let header = (tenant == "$shop").then(|| json!({"httpHeaderValue1": "$$shop"}));
        assert_eq!(loki.get("secureJsonData"), header.as_ref(), "{what}");
        assert_eq!(loki["jsonData"]["httpHeaderName1"].is_string(), header.is_some(), "{what}");
        // the dashboard asks this one
        let board = data(&stack, "obs-grafana-dashboard-logs").unwrap()["logs.json"].as_str().unwrap();
        let board: Value = serde_json::from_str(board).unwrap();
        assert_eq!(board["templating"]["list"][0]["current"]["value"], "obs-loki");
    }
}
