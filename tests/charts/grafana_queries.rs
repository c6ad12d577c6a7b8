//! The rules for queries of dashboards: a job is named, what is divided by is greater than zero, a restart
//! or a second source doubles nothing. They are checked as text, since a query of a dashboard is no PromQL
//! before its variables have values; promtool parses it with some.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use regex::Regex;
use serde_json::{Value, json};

use crate::grafana_boards::{boards, of_prometheus, queries};
use crate::support::{Tool, bundle, data, everything, folder, merged, rendered, run, tool_trial, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("grafana::queries_keep_the_rules", keep_the_rules),
        trial("grafana::the_rules_find_what_they_forbid", find_what_they_forbid),
        trial("grafana::recorded_series_are_recorded", recorded),
        trial("grafana::queries_of_logs_are_of_one_namespace", of_logs),
        tool_trial("promtool", "grafana_queries_are_promql", parsed),
    ]
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// Where the parenthesis that opens at `from` is closed.
fn closed(text: &str, from: usize) -> usize {
    let mut depth = 0;
    for (i, c) in text[from..].char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return from + i;
        }
    }
    text.len()
}

/// What is wrong with a query.
fn wrong(query: &str) -> Vec<String> {
    static SELECTOR: LazyLock<Regex> = LazyLock::new(|| pattern(r"([a-zA-Z_:$][a-zA-Z0-9_:]*)?\{([^{}]*)\}"));
    static METRIC: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(?:container|kube|kubelet|node|pg|redis|probe|prometheus|alertmanager|grafana|apiserver|http|database|process)_[a-z0-9_]+\b",
        )
    });
    static DIVISION: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"/ (?:(?:on|ignoring) \([^)]*\) )?(?:group_(?:left|right) \([^)]*\) )?"));
    static RANGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[([^\]]*)\]"));
    static KUBE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bkube_[a-z0-9_]+\{"));
    static WHOLE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\ble="[0-9]+""#));
    let mut out = Vec::new();
    let mut say = |what: String| out.push(what);

    let texts = pattern(r#""[^"]*""#);
    let bare =
        texts.replace_all(query, |found: &regex::Captures| "·".repeat(found[0].len() / 2)).into_owned();
    for found in SELECTOR.captures_iter(query) {
        let name = found.get(1).map_or("", |name| name.as_str());
        // recorded ones have lost it; these say where they come from by what they are
        if name == "$" {
            continue; // "${1}" of a label_replace
        }
        if !name.contains(':')
            && !["ALERTS", "up"].contains(&name)
            && !pattern(r#"\bjob(=|=~)""#).is_match(&found[2])
        {
            say(format!("{name}{{…}} names no job"));
        }
        if found[2].contains("cluster") || found[2].contains("image!=") {
            say(format!("{name}{{…}} names a label that need not be there"));
        }
    }
    for found in METRIC.find_iter(&bare) {
        let recorded = bare[..found.start()].ends_with(':') || bare[found.end()..].starts_with(':');
        if !recorded && !bare[found.end()..].starts_with('{') {
            say(format!("{} has no selector", found.as_str()));
        }
    }
    for found in DIVISION.find_iter(&bare) {
        let rest = &bare[found.end()..];
        let positive = rest.starts_with(|c: char| c.is_ascii_digit() && c != '0')
            || (rest.starts_with('(') && rest[..closed(rest, 0)].ends_with("> 0"));
        if !positive {
            say(format!("may divide by zero: / {rest}"));
        }
    }
    for found in KUBE.find_iter(query) {
        let before = &query[..found.start()];
        let aggregated =
            pattern(r"\bmax by \([^)]*\) \((?:increase\(|max_over_time\(|round\()?$").is_match(before);
        if !aggregated {
            say(format!("{} is not aggregated by what it is about (max by)", found.as_str()));
        }
    }
    if WHOLE.is_match(query) {
        say("a whole number as le is stored with .0, or without".to_owned());
    }
    for found in RANGE.captures_iter(&bare) {
        if !["$__rate_interval", "5m", "1h", "1d"].contains(&&found[1]) {
            say(format!("[{}] is neither $__rate_interval nor a time that the panel speaks of", &found[1]));
        }
    }
    if query.contains("irate(") || query.contains("{__name__=~\".+\"") {
        say("costs more than it shows".to_owned());
    }
    out
}

fn keep_the_rules() {
    let mut count = 0;
    for (file, board) in of_prometheus() {
        for (panel, query) in queries(&board) {
            count += 1;
            assert_eq!(wrong(&query), Vec::<String>::new(), "{file}: {panel}: {query}");
        }
    }
    assert!(count > 150, "{count}");
}

/// A query of logs names a namespace, and what it divides by is greater than zero: Loki reads what a query
/// does not leave out.
fn of_logs() {
    let board = &boards()["logs"];
    let all = queries(board);
    assert!(all.len() >= 8, "{all:?}");
    for (panel, query) in all {
        let selectors = query.matches('{').count();
        assert!(
            selectors > 0 && selectors == query.matches("{namespace=\"$namespace\",app=~\"$app\"}").count(),
            "{panel}: {query}"
        );
        assert!(!query.contains(" / ") || query.ends_with(" > 0)"), "{panel}: {query}");
        assert!(query.contains("[$__auto]") || panel == "Lines", "{panel}: {query}");
    }
}

fn find_what_they_forbid() {
    for (query, what) in [
        ("sum(rate(http_requests_total[5m]))", "no selector"),
        ("sum(rate(http_requests_total{status=\"500\"}[5m]))", "names no job"),
        ("a:b / c:d", "divide by zero"),
        ("a:b / on (x) group_left () (c:d)", "divide by zero"),
        ("a:b / (c:d > 0 or e:f)", "divide by zero"),
        ("sum(kube_pod_info{job=\"kube-state-metrics\"})", "max by"),
        ("sum by (x) (kube_pod_info{job=\"kube-state-metrics\"})", "max by"),
        ("rate(x{job=\"a\",le=\"1\"}[5m])", "whole number"),
        ("rate(x{job=\"a\",cluster=\"b\"}[5m])", "need not be there"),
        ("rate(x{job=\"a\"}[2m])", "[2m]"),
        ("irate(x{job=\"a\"}[5m])", "costs"),
    ] {
        let wrong = wrong(query);
        assert!(wrong.iter().any(|text| text.contains(what)), "{query}: {wrong:?}");
    }
    for query in [
        "a:b / (c:d > 0)",
        "a:b / on (x) group_left () (sum(c:d) > 0)",
        "a:b / 86400",
        "max by (node) (kube_node_info{job=\"kube-state-metrics\"})",
        "sum(rate(x{job=\"a/b\",le=~\"1([.]0)?\"}[$__rate_interval]))",
    ] {
        assert_eq!(wrong(query), Vec::<String>::new(), "{query}");
    }
}

/// Series with a colon in their name are made by rules of the same stack.
fn recorded() {
    let stack = bundle("stack");
    let rendered = rendered(&stack, &merged(stack.effective_defaults(), &everything()));
    let mut made = BTreeSet::new();
    for text in data(&rendered, "obs-prometheus-rules").unwrap().values() {
        let file = yaml::parse(text.as_str().unwrap()).unwrap();
        for rule in
            file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
        {
            made.extend(rule["record"].as_str().map(str::to_owned));
        }
    }
    let name = pattern(r"\b[a-z_]+(?::[a-z0-9_]+)+\b");
    let texts = pattern(r#""[^"]*""#);
    let mut count = 0;
    for (file, board) in of_prometheus() {
        for (panel, query) in queries(&board) {
            for found in name.find_iter(&texts.replace_all(&query, "")) {
                count += 1;
                assert!(made.contains(found.as_str()), "{file}: {panel}: {}", found.as_str());
            }
        }
    }
    assert!(count > 30, "{count}");
}

/// A query as Prometheus gets it: with a value for each variable.
fn with_values(query: &str) -> String {
    let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
    query.replace("$histogram", "http_request_duration_seconds_bucket")
}

fn parsed(promtool: &Tool) {
    let mut rules = Vec::new();
    for (file, board) in of_prometheus() {
        for (panel, query) in queries(&board) {
            rules.push(json!({"record": "checked", "expr": with_values(&query), "labels": {"panel": format!("{file}: {panel} {}", rules.len())}}));
        }
    }
    let file = folder("grafana-queries").join("rules.yaml");
    let groups: Vec<Value> =
        rules.iter().enumerate().map(|(i, rule)| json!({"name": i.to_string(), "rules": [rule]})).collect();
    fs::write(&file, json!({"groups": groups}).to_string()).unwrap();
    run(promtool.command().args(["check", "rules", "--lint=none"]).arg(&file), "queries of dashboards");
}
