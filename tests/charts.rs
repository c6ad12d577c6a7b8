//! The bundles in `charts/`: their values fit their schemas, they render, lint finds nothing, the
//! values reference is complete; the tools of Prometheus and Alertmanager accept what they give them; and a
//! real Alertmanager delivers.
//!
//! Trials such as `promtool::…` run the program that PROMTOOL names, as `make test` sets it:
//! `PROMTOOL=$(devcluster/devcluster tool promtool) cargo test --test charts`; so do those of amtool,
//! alertmanager and pint. Without it they are ignored, with the reason, or fail when `OBS_REQUIRE_CLUSTER=1`.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "charts/alertmanager.rs"]
mod alertmanager;
#[path = "charts/alerts.rs"]
mod alerts;
#[path = "charts/delivery.rs"]
mod delivery;
#[path = "charts/grafana.rs"]
mod grafana;
#[path = "charts/grafana_boards.rs"]
mod grafana_boards;
#[path = "charts/grafana_logs.rs"]
mod grafana_logs;
#[path = "charts/grafana_network.rs"]
mod grafana_network;
#[path = "charts/grafana_queries.rs"]
mod grafana_queries;
#[path = "charts/logs.rs"]
mod logs;
#[path = "charts/logs_setup.rs"]
mod logs_setup;
#[path = "charts/mistakes.rs"]
mod mistakes;
#[path = "charts/promtool.rs"]
mod promtool;
#[path = "support/receivers.rs"]
#[expect(dead_code, unreachable_pub, reason = "tests on a cluster use the rest")]
mod receivers;
#[path = "charts/rule_lints.rs"]
mod rule_lints;
#[path = "charts/scope.rs"]
mod scope;
#[path = "charts/support.rs"]
mod support;
#[path = "charts/wording.rs"]
mod wording;

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;

use kubectl_obs::bundle::{embedded, lint};
use libtest_mimic::Arguments;
use serde_json::Value;
use support::{bundle, rendered, trial, variants};

fn main() -> ExitCode {
    let mut trials = vec![
        trial("values_fit_the_schema_and_render", values_fit_the_schema_and_render),
        trial("lint_finds_nothing", lint_finds_nothing),
        trial(
            "the_reference_lists_every_value_with_its_default",
            the_reference_lists_every_value_with_its_default,
        ),
    ];
    trials.extend(promtool::trials());
    trials.extend(alertmanager::trials());
    trials.extend(alerts::trials());
    trials.extend(logs::trials());
    trials.extend(logs_setup::trials());
    trials.extend(delivery::trials());
    trials.extend(wording::trials());
    trials.extend(rule_lints::trials());
    trials.extend(scope::trials());
    trials.extend(mistakes::trials());
    trials.extend(grafana::trials());
    trials.extend(grafana_boards::trials());
    trials.extend(grafana_logs::trials());
    trials.extend(grafana_network::trials());
    trials.extend(grafana_queries::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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
