//! The alerts: each fires when it should and is silent at the edge of its threshold, has a runbook, and
//! is written so that it does not flap and still works tomorrow.
//!
//! `charts/prometheus/tests/alerts.yaml` is the table of cases; promtool's own format, which it becomes
//! here, would be three times as long.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{
    Tool, bundle, data, everything, folder, merged, read, rendered, run, tool_trial, trial, variants,
};

pub fn trials() -> Vec<Trial> {
    vec![
        tool_trial("promtool", "each_alert_fires_and_is_silent", fires_and_is_silent),
        tool_trial("promtool", "hard_cases", hard_cases),
        tool_trial("promtool", "another_source_of_the_same_series_changes_nothing", doubled),
        tool_trial("promtool", "annotations_can_be_made", annotations),
        tool_trial("pint", "pint_finds_nothing", pint),
        trial("each_alert_has_its_runbook", runbooks),
        trial("alerts_are_well_written", well_written),
        trial("what_is_absent_is_a_job_that_is_configured", absences),
    ]
}

/// The files of rules that these values give, by name.
fn files(values: &Value) -> BTreeMap<String, String> {
    let rendered = rendered(&bundle("stack"), values);
    let files = data(&rendered, "obs-prometheus-rules").into_iter().flatten();
    files.map(|(file, text)| (file.clone(), text.as_str().unwrap().to_owned())).collect()
}

fn all() -> Value {
    merged(bundle("stack").effective_defaults(), &everything())
}

/// All rules that these values give.
fn rules(values: &Value) -> Vec<Value> {
    let groups = files(values)
        .into_iter()
        .flat_map(|(_, text)| yaml::parse(&text).unwrap()["groups"].as_array().unwrap().clone());
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn alerts(values: &Value) -> Vec<Value> {
    rules(values).into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

fn names(values: &Value) -> BTreeSet<String> {
    alerts(values).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

/// The table of cases: alert → what fires and what is silent.
fn table() -> BTreeMap<String, Value> {
    let table = yaml::parse(&read("charts/prometheus/tests/alerts.yaml")).unwrap();
    table.as_object().unwrap().iter().map(|(name, cases)| (name.clone(), cases.clone())).collect()
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
    assert_eq!(table, alerts, "charts/prometheus/tests/alerts.yaml and the alerts");
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
}

/// Each alert has a file in docs/runbooks, each file an alert; it says what it means, how to see it and
/// what to do, with commands that exist.
fn runbooks() {
    let alerts = names(&all());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let files: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(files, alerts, "docs/runbooks and the alerts");
    let mut verbs = BTreeSet::new();
    for alert in &alerts {
        let text = read(&format!("docs/runbooks/{alert}.md"));
        assert!(text.starts_with(&format!("# {alert}\n")), "{alert}");
        for title in ["## What it means", "## How to see it", "## What to do"] {
            let part = text.split(title).nth(1).unwrap_or_else(|| panic!("{alert} has no {title}"));
            assert!(part.split("## ").next().unwrap().trim().len() > 30, "{alert}: {title} says nothing");
        }
        let words = text.split("kubectl obs ").skip(1);
        verbs.extend(words.map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>()
        }));
    }
    assert!(verbs.len() > 5, "{verbs:?}");
    for verb in verbs {
        let help = Command::new(env!("CARGO_BIN_EXE_kubectl-obs")).args([&verb, "--help"]).output().unwrap();
        assert!(help.status.success(), "a runbook names kubectl obs {verb}, which does not exist");
    }
    for rule in self::alerts(&all()) {
        let url = rule["annotations"]["runbook_url"].as_str().unwrap();
        let alert = rule["alert"].as_str().unwrap();
        assert_eq!(url, format!("https://kubectl-obs.dev/docs/runbooks/{alert}.md"));
    }
}

/// What each alert has, and what makes alerts flap, go silent or double.
fn well_written() {
    let values = all();
    let mut disable: BTreeSet<String> = BTreeSet::new();
    let stack = bundle("stack");
    let schema = stack.effective_schema().unwrap();
    let names_in_schema =
        schema.pointer("/properties/prometheus/properties/rules/properties/disable/items/enum").unwrap();
    disable.extend(names_in_schema.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
    let alerts: BTreeSet<String> = names(&values).into_iter().filter(|name| name != "Watchdog").collect();
    assert_eq!(disable, alerts, "prometheus.rules.disable and the alerts");

    for rule in rules(&values) {
        let expr = rule["expr"].as_str().unwrap();
        let what = format!("{}: {expr}", rule["alert"].as_str().or(rule["record"].as_str()).unwrap());
        assert!(!expr.contains("image!="), "{what}: not every cAdvisor has the label image");
        // a bound without a fraction is stored as "1.0" or "1"
        for bound in expr.split("le=").skip(1) {
            assert!(bound.starts_with("~\""), "{what}: le must be a regular expression");
        }
        for selector in expr.split("kube_").skip(1) {
            let name: String =
                selector.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let rest = &selector[name.len()..];
            assert!(
                !rest.starts_with('{') || rest.starts_with("{job=\"kube-state-metrics\""),
                "{what}: kube_{name} of which job?"
            );
            assert!(!name.ends_with("_labels"), "{what}: kube_{name} is empty unless values allow labels");
        }
        let Some(alert) = rule["alert"].as_str() else { continue };
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info", "none"].contains(&severity), "{alert}: {severity}");
        let description = rule["annotations"]["description"].as_str().unwrap();
        assert!(!rule["annotations"]["summary"].as_str().unwrap().is_empty(), "{alert}");
        // what is about something says about what
        let about_one = !expr.starts_with("absent(") && alert != "Watchdog" && alert != "InfoInhibitor";
        assert!(!about_one || description.contains("{{"), "{alert}: {description}");
        // a rate that crosses its threshold to and fro must not be a message each time
        let ratio = expr.contains("rate(")
            || expr.contains("increase(")
            || expr.contains(" / ")
            || expr.contains(":ratio_");
        if ratio && (severity == "critical" || severity == "warning") {
            assert!(rule["keep_firing_for"].is_string(), "{alert} needs keep_firing_for");
        }
        if expr.starts_with("absent(") {
            let labels = rule["labels"].as_object().unwrap();
            assert!(labels.len() > 1, "{alert}: what absent() gives has no labels of its own");
        }
    }
}

/// An alert that something is absent is loaded only where its job is configured: what nobody scrapes is
/// always absent.
fn absences() {
    let stack = bundle("stack");
    let mut seen = BTreeSet::new();
    for (what, values) in variants(&stack) {
        let rendered = rendered(&stack, &values);
        let Some(config) = data(&rendered, "obs-prometheus-config") else { continue };
        let config = yaml::parse(config["prometheus.yml"].as_str().unwrap()).unwrap();
        let jobs: BTreeSet<&str> = config["scrape_configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["job_name"].as_str().unwrap())
            .collect();
        for rule in alerts(&values) {
            let expr = rule["expr"].as_str().unwrap();
            for absent in expr.split("absent(").skip(1) {
                let job = absent.split("job=\"").nth(1).unwrap().split('"').next().unwrap();
                assert!(jobs.contains(job), "{what}: {} looks for job {job}", rule["alert"]);
                seen.insert(job.to_owned());
            }
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
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
