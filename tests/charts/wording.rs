//! How alerts are written: with a runbook, with what a person needs to know, and so that they do not flap,
//! go silent or double.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::alerts::{alerts, all, names, rules};
use crate::support::{bundle, data, read, rendered, trial, variants};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("each_alert_has_its_runbook", runbooks),
        trial("alerts_are_well_written", well_written),
        trial("what_is_absent_is_a_job_that_is_configured", absences),
        trial("alerts_link_to_dashboards_that_are_there", dashboards),
    ]
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
    for rule in crate::alerts::alerts(&all()) {
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

/// Each alert links to a dashboard that the stack's Grafana has, with variables that this has; and to none
/// where nobody could reach it.
fn dashboards() {
    let stack = bundle("stack");
    let (mut linked, mut unlinked) = (0, 0);
    for (what, values) in variants(&stack) {
        let rendered = rendered(&stack, &values);
        let maps = rendered.objects.iter().filter(|object| object.kind() == "ConfigMap");
        let files = maps.filter_map(|map| map.value()["data"].as_object()).flatten();
        let boards: BTreeMap<String, Value> = files
            .filter(|(file, _)| file.ends_with(".json"))
            .filter_map(|(_, text)| serde_json::from_str(text.as_str()?).ok())
            .map(|board: Value| (board["uid"].as_str().unwrap_or_default().to_owned(), board))
            .collect();
        let ini = data(&rendered, "obs-grafana-config").and_then(|files| files.get("grafana.ini"));
        let root = ini.and_then(|ini| {
            let line = ini.as_str()?.lines().find_map(|line| line.strip_prefix("root_url"))?;
            Some(line.trim_start_matches([' ', '=']).to_owned()).filter(|url| !url.contains("%("))
        });
        for rule in alerts(&values) {
            let alert = rule["alert"].as_str().unwrap();
            let Some(link) = rule["annotations"]["dashboard_url"].as_str() else {
                let none = root.is_none() || ["Watchdog", "GrafanaDown", "A"].contains(&alert);
                assert!(none || boards.is_empty(), "{what}: {alert} has no dashboard");
                unlinked += 1;
                continue;
            };
            linked += 1;
            let root = root.as_ref().unwrap_or_else(|| panic!("{what}: {alert}: {link} leads nowhere"));
            let rest = link.strip_prefix(&format!("{root}d/"));
            let rest = rest.unwrap_or_else(|| panic!("{alert}: {link} is not below {root}"));
            let (uid, query) = rest.split_once('?').unwrap_or((rest, ""));
            let board = boards.get(uid).unwrap_or_else(|| panic!("{what}: {alert}: there is no {uid}"));
            let variables: Vec<&str> = board["templating"]["list"]
                .as_array()
                .unwrap()
                .iter()
                .map(|variable| variable["name"].as_str().unwrap())
                .collect();
            for (name, value) in query.split('&').filter_map(|part| part.split_once('=')) {
                let name = name.strip_prefix("var-").unwrap();
                assert!(variables.contains(&name), "{alert}: {uid} has no variable {name}");
                assert!(!value.contains("{{") || value.ends_with(" | urlquery }}"), "{alert}: {value}");
            }
        }
    }
    assert!(linked > 80 && unlinked > 80, "{linked} {unlinked}");
}
