//! The bundles in `charts/`: their values fit their schemas, they render, lint finds nothing, the
//! values reference is complete; and Prometheus' own tool accepts what they give it.
//!
//! The trials `promtool::…` run the program that PROMTOOL names, as `make test` sets it:
//! `PROMTOOL=$(devcluster/devcluster tool promtool) cargo test --test charts`. Without it they are
//! ignored, with the reason, or fail when `OBS_REQUIRE_CLUSTER=1`.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use kubectl_obs::bundle::{Bundle, archive, embedded, lint};
use kubectl_obs::render::{Facts, Rendered, render};
use kubectl_obs::yaml;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::{Map, Value, json};

fn main() -> ExitCode {
    let trials = vec![
        trial("values_fit_the_schema_and_render", values_fit_the_schema_and_render),
        trial("lint_finds_nothing", lint_finds_nothing),
        trial(
            "the_reference_lists_every_value_with_its_default",
            the_reference_lists_every_value_with_its_default,
        ),
        promtool_trial("prometheus_accepts_its_configuration", prometheus_accepts_its_configuration),
        promtool_trial("alerts_fire_when_they_should", alerts_fire_when_they_should),
        promtool_trial("discovery_gives_the_right_targets", discovery_gives_the_right_targets),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// libtest cannot ignore a test when it runs; libtest-mimic can, and says why.
fn promtool_trial(name: &str, test: fn(&Promtool)) -> Trial {
    Trial::ignorable_test(format!("promtool::{name}"), move || {
        match env::var_os("PROMTOOL").filter(|path| !path.is_empty()) {
            Some(path) => test(&Promtool(path.into())),
            None if env::var("OBS_REQUIRE_CLUSTER").is_ok_and(|value| value == "1") => {
                return Err(Failed::from("OBS_REQUIRE_CLUSTER=1, but PROMTOOL is not set"));
            }
            None => return Ok(Completion::ignored_with("PROMTOOL is not set; make test sets it")),
        }
        Ok(Completion::Completed)
    })
}

fn bundle(name: &str) -> Bundle {
    let archive = embedded::archive(name).unwrap_or_else(|| panic!("no bundle {name}"));
    Bundle::load(&archive::unpack(archive).unwrap()).unwrap_or_else(|err| panic!("{name}: {err}"))
}

fn rendered(bundle: &Bundle, values: &Value) -> Rendered {
    let facts = Facts {
        release: "obs".to_owned(),
        namespace: "observability".to_owned(),
        node_namespace: "observability-node".to_owned(),
        kubernetes: "1.34.4".to_owned(),
        hmac_key: vec![1; 32],
    };
    render(bundle, values, &facts).unwrap_or_else(|err| panic!("{}: {err}", bundle.name()))
}

fn merged(below: &Value, over: &Value) -> Value {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            let mut out = below.clone();
            for (key, value) in over {
                let value = below.get(key).map_or_else(|| value.clone(), |below| merged(below, value));
                out.insert(key.clone(), value);
            }
            out.into()
        }
        (_, over) => over.clone(),
    }
}

/// The values worth looking at: defaults, profiles, and what templates decide upon.
fn variants(bundle: &Bundle) -> Vec<(String, Value)> {
    let defaults = bundle.effective_defaults();
    let mut out = vec![(format!("{} as it is", bundle.name()), defaults.clone())];
    for profile in bundle.profiles() {
        out.push((
            format!("{} {profile}", bundle.name()),
            merged(defaults, bundle.profile(profile).unwrap()),
        ));
    }
    if bundle.name() == "stack" {
        for over in [
            json!({"kubeStateMetrics": {"enabled": false}, "nodeExporter": {"enabled": false}}),
            json!({"prometheus": {"jobs": {
                "kubelet": {"enabled": false}, "apiserver": {"enabled": false},
                "pods": {"enabled": false}, "services": {"enabled": false}}}}),
            json!({"clusterName": "prod", "scrape": {"interval": "2s"}, "prometheus": {
                "nativeHistograms": true, "retention": {"size": "4GB"}, "externalLabels": {"team": "a"},
                "externalUrl": "https://x.example/prometheus", "secretMounts": ["login"],
                "annotated": {"namespaces": ["a", "b"], "dropMetrics": ["go_gc_.*", "x"]},
                "extraScrapeConfigs": [{"job_name": "router", "static_configs": [{"targets": ["10.0.0.1:1"]}]}],
                "remoteWrite": [{"url": "https://x.example/write"}],
                "extraRules": {"mine": {"groups": [{"name": "mine", "rules": [{"alert": "A", "expr": "vector(1)"}]}]}}}}),
            json!({"prometheus": {"rules": {"enabled": false}}, "global": {"storageClass": "-",
                "imageRegistry": "r.example:5000/m", "tolerations": [{"operator": "Exists"}]},
                "kubeStateMetrics": {"labels": {"pods": ["app"], "nodes": ["*"]}}}),
        ] {
            out.push((over.to_string(), merged(defaults, &over)));
        }
    }
    out
}

fn values_fit_the_schema_and_render() {
    for name in embedded::names() {
        let bundle = bundle(name);
        let validator = jsonschema::validator_for(bundle.effective_schema().unwrap()).unwrap();
        for (what, values) in variants(&bundle) {
            let errors: Vec<String> =
                validator.iter_errors(&values).map(|err| format!("{}: {err}", err.instance_path())).collect();
            assert!(errors.is_empty(), "{what}: {errors:#?}");
            assert!(!rendered(&bundle, &values).objects.is_empty(), "{what}");
        }
    }
}

fn lint_finds_nothing() {
    for name in embedded::names() {
        let bundle = bundle(name);
        let mut findings = lint::lint(&bundle);
        findings.extend(lint::rendered(&rendered(&bundle, bundle.effective_defaults())));
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

/// What the schema calls a value: paths with dots, down to where the defaults have no more keys.
fn leaves(schema: &Value, defaults: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    assert!(
        path.is_empty() || schema["description"].as_str().is_some_and(|text| !text.is_empty()),
        "{path} has no description in the schema"
    );
    match (schema["properties"].as_object(), defaults.as_object()) {
        (Some(properties), Some(map)) if !map.is_empty() => {
            assert_eq!(schema["additionalProperties"], false, "{path} takes unknown keys");
            // `false`: the umbrella sets it itself
            for (key, schema) in properties.iter().filter(|(_, schema)| **schema != false) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let default = map.get(key).unwrap_or_else(|| panic!("{path} has no default"));
                leaves(schema, default, &path, out);
            }
        }
        _ => out.push((path.to_owned(), defaults.clone())),
    }
}

fn the_reference_lists_every_value_with_its_default() {
    let stack = bundle("stack");
    let mut values = Vec::new();
    leaves(stack.effective_schema().unwrap(), stack.effective_defaults(), "", &mut values);
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/values.md")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
        .map(|row| row.splitn(3, "` | ").collect())
        .filter(|cells: &Vec<&str>| cells.len() == 3)
        .collect();
    let documented = |path: &str| rows.iter().find(|cells| cells[0] == path);
    for (path, default) in &values {
        let row = documented(path).unwrap_or_else(|| panic!("docs/values.md has no row for {path}"));
        let text = row[1].trim_start_matches('`').replace("\\|", "|");
        let shown: Value = serde_json::from_str(&text).unwrap_or_else(|err| panic!("{path}: {text}: {err}"));
        assert_eq!(shown, *default, "docs/values.md: the default of {path}");
    }
    let known: BTreeSet<&str> = values.iter().map(|(path, _)| path.as_str()).collect();
    for cells in rows {
        assert!(known.contains(cells[0]), "docs/values.md has a row for {}, which is no value", cells[0]);
    }
}

/// Where promtool is, 3.15 or later.
struct Promtool(PathBuf);

impl Promtool {
    fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

/// Runs promtool; gives what it printed, or fails with it.
fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// An empty folder of its own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// `data` of a ConfigMap.
fn data<'r>(rendered: &'r Rendered, name: &str) -> Option<&'r Map<String, Value>> {
    let object = rendered.objects.iter().find(|o| o.kind() == "ConfigMap" && o.name() == name)?;
    object.value()["data"].as_object()
}

fn prometheus_accepts_its_configuration(promtool: &Promtool) {
    let stack = bundle("stack");
    for (i, (what, values)) in variants(&stack).into_iter().enumerate() {
        let rendered = rendered(&stack, &values);
        let folder = folder(&format!("config-{i}"));
        let at = folder.display();
        let config = data(&rendered, "obs-prometheus-config").unwrap()["prometheus.yml"].as_str().unwrap();
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

fn alerts_fire_when_they_should(promtool: &Promtool) {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/prometheus/tests/rules.test.yaml");
    run(promtool.command().args(["test", "rules", tests]), "rules.test.yaml");
}

/// `charts/prometheus/tests/discovery.yaml` says how it is read.
fn discovery_gives_the_right_targets(promtool: &Promtool) {
    let stack = bundle("stack");
    let rendered = rendered(&stack, stack.effective_defaults());
    let config = data(&rendered, "obs-prometheus-config").unwrap()["prometheus.yml"].as_str().unwrap();
    let config = yaml::parse(config).unwrap();
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/charts/prometheus/tests/discovery.yaml"));
    let cases = yaml::parse(&text.unwrap()).unwrap();
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
    let labels: std::collections::BTreeMap<_, _> = labels.collect();
    (!labels.is_empty()).then(|| json!(labels).to_string())
}

/// promtool parses the CA that the configuration names.
const CERTIFICATE: &str = include_str!("charts/ca.crt");
