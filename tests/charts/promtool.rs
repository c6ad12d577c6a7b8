//! What Prometheus' own tool says of our configuration, and which targets come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};

use crate::support::{
    Tool, bundle, data, everything, folder, merged, read, rendered, run, tool_trial, variants,
};

pub fn trials() -> Vec<Trial> {
    vec![
        tool_trial("promtool", "prometheus_accepts_its_configuration", prometheus_accepts_its_configuration),
        tool_trial("promtool", "discovery_gives_the_right_targets", discovery_gives_the_right_targets),
    ]
}

fn prometheus_accepts_its_configuration(promtool: &Tool) {
    let stack = bundle("stack");
    for (i, (what, values)) in variants(&stack).into_iter().enumerate() {
        let rendered = rendered(&stack, &values);
        let folder = folder(&format!("config-{i}"));
        let at = folder.display();
        // one of the variants is without Prometheus
        let Some(config) = data(&rendered, "obs-prometheus-config") else { continue };
        let config = config["prometheus.yml"].as_str().unwrap();
        let config = config
            .replace("/etc/prometheus/rules", &format!("{at}/rules"))
            .replace("/var/run/secrets/kubernetes.io/serviceaccount", &at.to_string());
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        fs::write(folder.join("token"), "x").unwrap();
        fs::write(folder.join("ca.crt"), CERTIFICATE).unwrap();
        fs::create_dir(folder.join("rules")).unwrap();
        for (file, text) in data(&rendered, "obs-prometheus-rules").into_iter().flatten() {
            fs::write(folder.join("rules").join(file), text.as_str().unwrap()).unwrap();
        }
        let mut command = promtool.command();
        command
            .args(["check", "config"])
            .arg(folder.join("prometheus.yml"))
            .env("POD_NAME", "obs-prometheus-0");
        run(&mut command, &what);
    }
}

/// `charts/prometheus/tests/discovery.yaml` says how it is read.
fn discovery_gives_the_right_targets(promtool: &Tool) {
    let stack = bundle("stack");
    let rendered = rendered(&stack, &merged(stack.effective_defaults(), &everything()));
    let config = data(&rendered, "obs-prometheus-config").unwrap()["prometheus.yml"].as_str().unwrap();
    let config = yaml::parse(config).unwrap();
    let cases = yaml::parse(&read("charts/prometheus/tests/discovery.yaml")).unwrap();
    for (i, case) in cases.as_array().unwrap().iter().enumerate() {
        let what = format!("{}: {}", case["job"], case["name"]);
        let folder = folder(&format!("discovery-{i}"));
        let jobs = config["scrape_configs"].as_array().unwrap();
        let mut job =
            jobs.iter().find(|job| job["job_name"] == case["job"]).unwrap().as_object().unwrap().clone();
        job.remove("kubernetes_sd_configs");
        job.insert("file_sd_configs".to_owned(), json!([{"files": [folder.join("found.json")]}]));
        for key in ["authorization", "tls_config"] {
            job.remove(key);
        }
        let found: Vec<Value> = case["found"].as_array().unwrap().iter().map(found).collect();
        fs::write(folder.join("found.json"), json!(found).to_string()).unwrap();
        fs::write(folder.join("prometheus.yml"), json!({"scrape_configs": [job]}).to_string()).unwrap();

        let mut command = promtool.command();
        command.args(["check", "service-discovery", "--timeout=500ms"]).arg(folder.join("prometheus.yml"));
        let printed = run(command.arg(case["job"].as_str().unwrap()), &what);
        let printed: Value =
            serde_json::from_str(&printed).unwrap_or_else(|err| panic!("{what}: {err}: {printed}"));
        let got: BTreeSet<String> =
            printed.as_array().unwrap().iter().filter_map(|t| target(&t["labels"])).collect();
        let want: BTreeSet<String> = case["targets"].as_array().unwrap().iter().filter_map(target).collect();
        assert_eq!(got, want, "{what}");
    }
}

/// An entry of `found` as file_sd wants it.
fn found(entry: &Value) -> Value {
    let mut labels = entry.as_object().unwrap().clone();
    let address = labels.remove("__address__").unwrap();
    let labels: Map<String, Value> =
        labels.into_iter().map(|(key, value)| (format!("__meta_kubernetes_{key}"), value)).collect();
    json!({"targets": [address], "labels": labels})
}

/// The labels that count, sorted; None for a dropped target.
fn target(labels: &Value) -> Option<String> {
    let counts = |key: &str| match key {
        "__address__" | "__scheme__" | "__metrics_path__" => true,
        "job" => false,
        key => !key.starts_with("__") || key.starts_with("__param_"),
    };
    let labels = labels.as_object()?.iter().filter(|(key, _)| counts(key));
    let labels: BTreeMap<_, _> = labels.collect();
    (!labels.is_empty()).then(|| json!(labels).to_string())
}

/// promtool parses the CA that the configuration names.
const CERTIFICATE: &str = include_str!("ca.crt");
