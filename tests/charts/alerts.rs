//! The alerts: each fires when it should and is silent at the edge of its threshold.
//!
//! `charts/prometheus/tests/alerts.yaml` and `fluentd.yaml` are the table of cases; promtool's own format, which
//! it becomes here, would be three times as long.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{Tool, bundle, data, everything, folder, merged, read, rendered, run, tool_trial};

pub fn trials() -> Vec<Trial> {
    vec![
        tool_trial("promtool", "each_alert_fires_and_is_silent", fires_and_is_silent),
        tool_trial("promtool", "hard_cases", hard_cases),
        tool_trial("promtool", "another_source_of_the_same_series_changes_nothing", doubled),
        tool_trial("promtool", "annotations_can_be_made", annotations),
        tool_trial("pint", "pint_finds_nothing", pint),
    ]
}

/// The files of rules that these values give, by name.
fn files(values: &Value) -> BTreeMap<String, String> {
    let rendered = rendered(&bundle("stack"), values);
    let files = data(&rendered, "obs-prometheus-rules").into_iter().flatten();
    files.map(|(file, text)| (file.clone(), text.as_str().unwrap().to_owned())).collect()
}

pub fn all() -> Value {
    merged(bundle("stack").effective_defaults(), &everything())
}

/// All rules that these values give.
pub fn rules(values: &Value) -> Vec<Value> {
    let groups = files(values)
        .into_values()
        .flat_map(|text| yaml::parse(&text).unwrap()["groups"].as_array().unwrap().clone());
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

pub fn alerts(values: &Value) -> Vec<Value> {
    rules(values).into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

pub fn names(values: &Value) -> BTreeSet<String> {
    alerts(values).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

/// The table of cases: alert → what fires and what is silent.
fn table() -> BTreeMap<String, Value> {
    let mut table = BTreeMap::new();
    for file in ["alerts.yaml", "fluentd.yaml"] {
        let cases = yaml::parse(&read(&format!("charts/prometheus/tests/{file}"))).unwrap();
        for (name, cases) in cases.as_object().unwrap() {
            assert!(table.insert(name.clone(), cases.clone()).is_none(), "{name} is there twice");
        }
    }
    table
}

/// promtool's tests of the alerts, by the file of rules that has them: all rules for each case would take
/// ten times as long. Those of apps need the containers' records besides.
fn test(promtool: &Tool, folder: &Path, name: &str, tests: &BTreeMap<String, Vec<Value>>) -> Vec<Output> {
    let mut homes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let files = files(&all());
    for (alert, tests) in tests {
        let declared = format!("alert: {alert}\n");
        let home = files.iter().find(|(file, text)| !file.starts_with("app-") && text.contains(&declared));
        let home = home.map_or("apps", |(file, _)| file.as_str());
        homes.entry(home.to_owned()).or_default().extend(tests.iter().cloned());
    }
    let run = |(home, tests): (String, Vec<Value>)| {
        let rules = if home == "apps" {
            json!(["rules/app-*.yaml", "rules/containers.yaml"])
        } else {
            json!([format!("rules/{home}")])
        };
        let file = folder.join(format!("{name}-{home}.test.yaml"));
        let text = json!({"rule_files": rules, "evaluation_interval": "1m", "tests": tests});
        fs::write(&file, text.to_string()).unwrap();
        promtool.command().args(["test", "rules"]).arg(&file).output().unwrap()
    };
    homes.into_iter().map(run).collect()
}

/// A folder with the rules of these values.
fn written(values: &Value, name: &str) -> PathBuf {
    let folder = folder(name);
    fs::create_dir(folder.join("rules")).unwrap();
    for (file, text) in files(values) {
        fs::write(folder.join("rules").join(file), text).unwrap();
    }
    folder
}

fn series(case: &Value) -> Vec<Value> {
    let map = case["series"].as_object().into_iter().flatten();
    map.map(|(series, values)| {
        assert!(values.is_string(), "{series}: {values} is no text: 0x20 without quotes is a number");
        json!({"series": series, "values": values})
    })
    .collect()
}

/// A case as promtool's test: which alerts of this name fire at a time, with all their labels.
fn case(alert: &str, what: &str, case: &Value, expected: &[Value]) -> Value {
    let samples: Vec<Value> = expected
        .iter()
        .map(|labels| {
            let labels = labels.as_object().unwrap().iter();
            let labels: Vec<String> = labels
                .map(|(key, value)| {
                    format!(
                        "{key}={}",
                        json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                    )
                })
                .collect();
            let labels =
                format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",{}}}", labels.join(","));
            json!({"labels": labels, "value": 1})
        })
        .collect();
    json!({
        "name": format!("{alert}: {what}"),
        "interval": case["interval"].as_str().unwrap_or("1m"),
        "input_series": series(case),
        "promql_expr_test": [{
            "expr": format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}"),
            "eval_time": case["at"], "exp_samples": samples,
        }],
    })
}

fn cases() -> BTreeMap<String, Vec<Value>> {
    let mut all = BTreeMap::new();
    for (alert, cases) in table() {
        let mut out = Vec::new();
        let labels = cases["fires"]["labels"].as_array().cloned();
        let labels = labels.unwrap_or_else(|| vec![cases["fires"]["labels"].clone()]);
        assert!(labels.iter().all(Value::is_object), "{alert}: no labels");
        out.push(case(&alert, "fires", &cases["fires"], &labels));
        // what is silent is so at the same moment, unless it says otherwise
        for (what, silent) in cases["silent"].as_object().unwrap() {
            let mut silent = silent.clone();
            for key in ["at", "interval"] {
                if silent.get(key).is_none() && cases["fires"].get(key).is_some() {
                    silent[key] = cases["fires"][key].clone();
                }
            }
            out.push(case(&alert, what, &silent, &[]));
        }
        all.insert(alert, out);
    }
    all
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn checked(outputs: &[Output], what: &str) {
    let failed: Vec<String> = outputs.iter().filter(|output| !output.status.success()).map(said).collect();
    assert!(failed.is_empty(), "{what}: {}", failed.join("\n"));
}

/// Each alert of all values is in the table, and nothing else.
fn fires_and_is_silent(promtool: &Tool) {
    let values = all();
    let table: BTreeSet<String> = table().into_keys().collect();
    // it always fires, and has a test of its own
    let alerts = names(&values).into_iter().filter(|name| name != "Watchdog").collect();
    assert_eq!(table, alerts, "charts/prometheus/tests/{{alerts,fluentd}}.yaml and the alerts");
    let folder = written(&values, "alerts");
    checked(&test(promtool, &folder, "alerts", &cases()), "alerts.yaml");
}

/// What is more than one alert and two states: `charts/prometheus/tests/rules.test.yaml`.
fn hard_cases(promtool: &Tool) {
    let folder = written(&all(), "hard");
    let text = read("charts/prometheus/tests/rules.test.yaml");
    fs::write(folder.join("rules.test.yaml"), text).unwrap();
    run(promtool.command().args(["test", "rules"]).arg(folder.join("rules.test.yaml")), "rules.test.yaml");
}

/// Everything again while somebody else brings the series of kube-state-metrics, too, under a job of
/// his own: the same alerts.
fn doubled(promtool: &Tool) {
    let folder = written(&all(), "doubled");
    let mut cases = cases();
    cases.retain(|_, cases| cases.iter().any(|case| case.to_string().contains("kube-state-metrics")));
    assert!(cases.len() > 10, "{}", cases.len());
    for case in cases.values_mut().flatten() {
        let list = case["input_series"].as_array_mut().unwrap();
        let copies: Vec<Value> = list
            .iter()
            .filter(|entry| entry["series"].as_str().unwrap().contains("job=\"kube-state-metrics\""))
            .map(|entry| {
                let series = entry["series"].as_str().unwrap();
                json!({"series": series.replace("job=\"kube-state-metrics\"", "job=\"opencost\""), "values": entry["values"]})
            })
            .collect();
        list.extend(copies);
    }
    checked(&test(promtool, &folder, "doubled", &cases), "doubled series");
}

/// Annotations are templates, and a mistake in one shows when it is used. promtool prints what it got
/// when it expects none.
fn annotations(promtool: &Tool) {
    let values = all();
    let folder = written(&values, "annotations");
    let tests: BTreeMap<String, Vec<Value>> = table()
        .into_iter()
        .map(|(alert, cases)| {
            let test = json!({
                "name": alert, "interval": cases["fires"]["interval"].as_str().unwrap_or("1m"),
                "input_series": series(&cases["fires"]),
                "alert_rule_test": [{"eval_time": cases["fires"]["at"], "alertname": alert, "exp_alerts": []}],
            });
            (alert, vec![test])
        })
        .collect();
    let text: String = test(promtool, &folder, "annotations", &tests).iter().map(said).collect();
    for (alert, _) in table() {
        assert!(
            text.contains(&format!("alertname=\\\"{alert}\\\""))
                || text.contains(&format!("alertname=\"{alert}\"")),
            "{alert}: {text}"
        );
    }
    for wrong in ["error expanding template", "<no value>", "%!"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(wrong)).collect();
        assert!(lines.is_empty(), "{wrong}: {lines:#?}");
    }
    // a variable of a link without a value would show everything, or nothing
    let empty = Regex::new(r#"var-[a-z]+=(?:[&"\\]|$)"#).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| empty.is_match(line)).collect();
    assert!(text.contains("/d/obs-pods?var-namespace=") && lines.is_empty(), "{lines:#?}");
}

/// pint, with the checks that need no server. What is switched off: an alert whose expression has no
/// comparison (`absent`, `vector`), one without `for`, joins that aggregate by less than they could, the
/// same record for another app, and records of another group: the SLOs' windows do not mind a minute.
fn pint(pint: &Tool) {
    let folder = written(&all(), "pint");
    let config = r#"
checks { disabled = ["alerts/comparison", "promql/fragile", "rule/duplicate", "alerts/for", "rule/dependency"] }
parser { schema = "prometheus" }
"#;
    fs::write(folder.join("pint.hcl"), config).unwrap();
    let mut command = pint.command();
    command.current_dir(&folder).args([
        "--no-color",
        "--offline",
        "--config",
        "pint.hcl",
        "lint",
        "--min-severity=warning",
        "--fail-on=warning",
        "rules",
    ]);
    run(&mut command, "pint");
}
