//! Where Prometheus may look, and where it does: its rights cover what each job discovers, and with
//! `scrape.namespaces` nothing beyond the namespaces that jobs name.

use std::collections::BTreeSet;

use kubectl_obs::render::Rendered;
use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{bundle, data, merged, rendered, trial, variants};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("rights_cover_what_jobs_discover", covered),
        trial("a_scope_gives_rights_in_its_namespaces_alone", scoped),
    ]
}

/// What the ServiceAccount of Prometheus may list: resource and namespace; an empty one is the whole cluster.
fn rights(rendered: &Rendered) -> BTreeSet<(String, String)> {
    let ours = |value: &Value| value["metadata"]["labels"]["kubectl-obs.dev/component"] == "prometheus";
    let mut out = BTreeSet::new();
    for object in rendered.objects.iter().filter(|object| ours(object.value())) {
        if !["Role", "ClusterRole"].contains(&object.kind()) {
            continue;
        }
        let namespace = object.value()["metadata"]["namespace"].as_str().unwrap_or_default();
        let bound =
            rendered.objects.iter().filter(|other| other.kind() == format!("{}Binding", object.kind()));
        let mut bound = bound.filter(|other| other.name() == object.name());
        assert!(
            bound.any(
                |other| other.value()["metadata"]["namespace"] == object.value()["metadata"]["namespace"]
            ),
            "{} {} is not bound in {namespace}",
            object.kind(),
            object.name()
        );
        for rule in object.value()["rules"].as_array().unwrap() {
            for resource in rule["resources"].as_array().into_iter().flatten() {
                out.insert((resource.as_str().unwrap().to_owned(), namespace.to_owned()));
            }
        }
    }
    out
}

/// What the jobs of a configuration list.
fn discovered(rendered: &Rendered) -> BTreeSet<(String, String)> {
    let Some(config) = data(rendered, "obs-prometheus-config") else { return BTreeSet::new() };
    let config = yaml::parse(config["prometheus.yml"].as_str().unwrap()).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let alerting = list(&config["alerting"]["alertmanagers"]);
    let mut out = BTreeSet::new();
    for job in list(&config["scrape_configs"]).iter().chain(&alerting) {
        for found in list(&job["kubernetes_sd_configs"]) {
            let resources: &[&str] = match found["role"].as_str().unwrap() {
                "pod" => &["pods"],
                "endpointslice" => &["endpointslices", "services", "pods"],
                "node" => &["nodes"],
                other => panic!("which rights does the role {other} need?"),
            };
            let named = list(&found["namespaces"]["names"]);
            let named: Vec<&str> = named.iter().map(|name| name.as_str().unwrap()).collect();
            let named = if named.is_empty() { vec![""] } else { named };
            for resource in resources {
                out.extend(named.iter().map(|name| ((*resource).to_owned(), (*name).to_owned())));
            }
        }
    }
    out
}

fn covered() {
    let stack = bundle("stack");
    let mut count = 0;
    for (what, values) in variants(&stack) {
        let rendered = rendered(&stack, &values);
        let rights = rights(&rendered);
        for (resource, namespace) in discovered(&rendered) {
            count += 1;
            let covered = [namespace.clone(), String::new()].map(|place| (resource.clone(), place));
            assert!(
                covered.iter().any(|right| rights.contains(right)),
                "{what}: {resource} in {namespace:?}: {rights:?}"
            );
        }
    }
    assert!(count > 50, "{count}");
}

fn scoped() {
    let stack = bundle("stack");
    let app = json!({"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": 80});
    for (jobs, cluster_wide) in [
        (json!({}), BTreeSet::from(["nodes".to_owned(), "nodes/metrics".to_owned()])),
        (json!({"kubelet": {"enabled": false}}), BTreeSet::new()),
        (json!({"kubelet": {"enabled": false}, "apiserver": {"enabled": false}}), BTreeSet::new()),
    ] {
        let values = json!({"scrape": {"namespaces": ["shop"]}, "apps": [app], "prometheus": {"jobs": jobs}});
        let rendered = rendered(&stack, &merged(stack.effective_defaults(), &values));
        let rights = rights(&rendered);
        let everywhere = rights.iter().filter(|(_, namespace)| namespace.is_empty());
        let everywhere: BTreeSet<String> = everywhere.map(|(resource, _)| resource.clone()).collect();
        assert_eq!(everywhere, cluster_wide, "{jobs}");
        let used: BTreeSet<String> =
            discovered(&rendered).into_iter().map(|(_, namespace)| namespace).collect();
        let given: BTreeSet<String> = rights.into_iter().map(|(_, namespace)| namespace).collect();
        assert_eq!(given, used, "{jobs}: rights where nothing is looked for");
        let roles =
            rendered.objects.iter().filter(|o| o.kind() == "ClusterRole" && o.name().ends_with("prometheus"));
        assert_eq!(roles.count() == 0, jobs["apiserver"]["enabled"] == false, "{jobs}");
    }
}
