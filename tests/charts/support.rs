//! What all tests of the bundles need: the embedded bundles, values worth looking at, their renderings,
//! and the tools that `make test` names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use kubectl_obs::bundle::{Bundle, archive, embedded};
use kubectl_obs::render::{Facts, Rendered, render};
use kubectl_obs::yaml;
use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Map, Value, json};

pub fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A program from upstream that checks what we give it.
pub struct Tool(PathBuf);

impl Tool {
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

/// A trial that needs the program which the variable of its name in capitals names. libtest cannot
/// ignore a test when it runs; libtest-mimic can, and says why.
pub fn tool_trial(tool: &'static str, name: &str, test: fn(&Tool)) -> Trial {
    let variable = tool.to_uppercase();
    Trial::ignorable_test(format!("{tool}::{name}"), move || {
        match env::var_os(&variable).filter(|path| !path.is_empty()) {
            Some(path) => test(&Tool(path.into())),
            None if env::var("OBS_REQUIRE_CLUSTER").is_ok_and(|value| value == "1") => {
                return Err(Failed::from(format!("OBS_REQUIRE_CLUSTER=1, but {variable} is not set")));
            }
            None => {
                return Ok(Completion::ignored_with(format!("{variable} is not set; make test sets it")));
            }
        }
        Ok(Completion::Completed)
    })
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

pub fn bundle(name: &str) -> Bundle {
    let archive = embedded::archive(name).unwrap_or_else(|| panic!("no bundle {name}"));
    Bundle::load(&archive::unpack(archive).unwrap()).unwrap_or_else(|err| panic!("{name}: {err}"))
}

pub fn rendered(bundle: &Bundle, values: &Value) -> Rendered {
    let facts = Facts {
        release: "obs".to_owned(),
        namespace: "observability".to_owned(),
        node_namespace: "observability-node".to_owned(),
        kubernetes: "1.34.4".to_owned(),
        hmac_key: vec![1; 32],
    };
    render(bundle, values, &facts).unwrap_or_else(|err| panic!("{}: {err}", bundle.name()))
}

pub fn merged(below: &Value, over: &Value) -> Value {
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
pub fn variants(bundle: &Bundle) -> Vec<(String, Value)> {
    let defaults = bundle.effective_defaults();
    let mut out = vec![(format!("{} as it is", bundle.name()), defaults.clone())];
    for profile in bundle.profiles() {
        out.push((
            format!("{} {profile}", bundle.name()),
            merged(defaults, bundle.profile(profile).unwrap()),
        ));
    }
    let own = match bundle.name() {
        "alertmanager" => Some("alertmanager"),
        "grafana" => Some("grafana"),
        "postgres-exporter" => Some("postgresExporter"),
        "redis-exporter" => Some("redisExporter"),
        "blackbox-exporter" => Some("blackboxExporter"),
        "loki" => Some("loki"),
        "fluentd" => Some("fluentd"),
        _ => None,
    };
    if let Some(key) = own {
        let mut much = everything()[key].clone();
        // whether it is there is the stack's business
        much.as_object_mut().unwrap().shift_remove("enabled");
        out.push((format!("{} with much to do", bundle.name()), merged(defaults, &much)));
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
            everything(),
            json!({"scrape": {"namespaces": ["shop", "observability"]}, "prometheus": {"jobs": {"apiserver": {"enabled": false}}}}),
            json!({"scrape": {"namespaces": ["shop"]}, "nodeExporter": {"enabled": false}, "prometheus": {
                "jobs": {"kubelet": {"enabled": false}, "apiserver": {"enabled": false}}}}),
            json!({"prometheus": {"enabled": false}}),
            json!({"opensearch": {"enabled": true}, "fluentd": {"enabled": true}}),
            json!({"opensearch": {"enabled": true, "replicas": 3, "tls": {"certManager": {"issuer": "ca"}}, "retention": {"time": ""}},
                "elasticsearch": {"enabled": true, "security": {"enabled": false}, "mmap": true,
                    "external": {"url": ""}, "networkPolicy": {"allowTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}}}),
            json!({"alertmanager": {"enabled": false}, "apps": everything()["apps"]}),
            json!({"prometheus": {"rules": {"enabled": false}}, "global": {"storageClass": "-",
                "imageRegistry": "r.example:5000/m", "tolerations": [{"operator": "Exists"}]},
                "kubeStateMetrics": {"labels": {"pods": ["app"], "nodes": ["*"]}}}),
        ] {
            out.push((over.to_string(), merged(defaults, &over)));
        }
    }
    out
}

/// Values of the stack that use all of it: every component, every kind of receiver, two apps.
pub fn everything() -> Value {
    yaml::parse(include_str!("everything.yaml")).unwrap()
}

/// Runs a tool; gives what it printed, or fails with it.
pub fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// An empty folder of its own.
pub fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// `data` of a ConfigMap.
pub fn data<'r>(rendered: &'r Rendered, name: &str) -> Option<&'r Map<String, Value>> {
    let object = rendered.objects.iter().find(|o| o.kind() == "ConfigMap" && o.name() == name)?;
    object.value()["data"].as_object()
}
