//! What breaks queries when a cluster grows, is upgraded or has a second source of the same series, and
//! stays unseen until then: a join whose one side is not one, objects that are counted twice, bounds of
//! buckets that another version spells otherwise, labels that nobody exports. Checked as text, in all rules
//! and in the queries of the dashboards.

use std::sync::LazyLock;

use libtest_mimic::Trial;
use regex::Regex;
use serde_json::{Value, json};

use crate::alerts::{all, rules};
use crate::grafana_boards::{boards, queries};
use crate::support::{bundle, trial, variants};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("rules_keep_what_upgrades_need", rules_keep),
        trial("dashboards_keep_what_upgrades_need", dashboards_keep),
        trial("the_lints_find_what_they_forbid", find_what_they_forbid),
    ]
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// What is wrong with an expression; `values` say which labels of objects are exported.
fn wrong(expr: &str, values: &Value) -> Vec<String> {
    [joins(expr), objects(expr), bounds(expr), labels(expr, &values["kubeStateMetrics"]["labels"])].concat()
}

/// The one side of a join is aggregated: two series of it, as of a pod that moves to another node, would
/// fail the whole rule.
fn joins(expr: &str) -> Vec<String> {
    static LEFT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bgroup_left\b\s*(?:\([^)]*\))?\s*"));
    // a recorded series has been aggregated by its rule
    static ONE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^(?:\(|label_replace\()*(?:(?:max|min|sum|count|group|avg|topk)\b|[a-z_]+:[a-z0-9_:]+)")
    });
    let mut out = Vec::new();
    for found in LEFT.find_iter(expr) {
        let side = &expr[found.end()..];
        if !ONE.is_match(side) {
            out.push(format!("the one side of a join is not aggregated: {}", &expr[found.start()..]));
        }
    }
    if expr.contains("group_right") {
        out.push("group_right: put the one side on the right, and use group_left".to_owned());
    }
    out
}

/// Of objects only what our own kube-state-metrics says counts, and once.
fn objects(expr: &str) -> Vec<String> {
    static KUBE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bkube_[a-z0-9_]+\b"));
    static ONCE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\bmax by \([^)]*\) \((?:(?:increase|changes|max_over_time|round|label_replace)\()?$")
    });
    static TEXTS: LazyLock<Regex> = LazyLock::new(|| pattern(r#""[^"]*""#));
    let mut out = Vec::new();
    let bare = TEXTS.replace_all(expr, |found: &regex::Captures| "x".repeat(found[0].len())).into_owned();
    for found in KUBE.find_iter(&bare) {
        if !expr[found.end()..].starts_with("{job=\"kube-state-metrics\"") {
            out.push(format!("{} of which job?", found.as_str()));
        }
        if !ONCE.is_match(&bare[..found.start()]) {
            out.push(format!("{} is not aggregated by what it is about (max by)", found.as_str()));
        }
    }
    out
}

/// A bound without a fraction is stored as `1` or as `1.0`, as the version likes.
fn bounds(expr: &str) -> Vec<String> {
    static LE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\ble\s*(=~|!~|!=|=)\s*"([^"]*)""#));
    let whole = |bound: &str| !bound.is_empty() && bound.bytes().all(|c| c.is_ascii_digit());
    let mut out = Vec::new();
    for found in LE.captures_iter(expr) {
        let (how, text) = (&found[1], &found[2]);
        let wrong = match how {
            "=" | "!=" => whole(text.trim_end_matches(".0")),
            _ => text.trim_matches(['(', ')']).split('|').any(whole),
        };
        if wrong {
            out.push(format!("le{how}\"{text}\": a whole number is stored with .0, or without"));
        }
    }
    out
}

/// Labels of objects are exported only where values allow them: `kube_pod_labels` by `labels.pods`.
fn labels(expr: &str, allowed: &Value) -> Vec<String> {
    static OF: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bkube_([a-z]+)_(?:labels|annotations)\b"));
    static LABEL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:label|annotation)_([a-z0-9_]+)\b"));
    let known = |name: &str, list: &Value| {
        let plain = |label: &Value| label.as_str().map(|label| label.replace(['.', '/', '-'], "_"));
        list.as_array().into_iter().flatten().filter_map(plain).any(|label| label == "*" || label == name)
    };
    let mut out = Vec::new();
    for found in OF.captures_iter(expr) {
        if allowed[format!("{}s", &found[1])].as_array().is_none_or(Vec::is_empty) {
            out.push(format!("{} is empty: kubeStateMetrics.labels allows none", &found[0]));
        }
    }
    for found in LABEL.captures_iter(expr) {
        // functions of PromQL and of Grafana
        let is_function = ["replace", "join", "values"].contains(&&found[1]);
        let lists = allowed.as_object().into_iter().flatten().map(|(_, list)| list);
        if !is_function && !lists.into_iter().any(|list| known(&found[1], list)) {
            out.push(format!("{} is no label that kubeStateMetrics.labels allows", &found[0]));
        }
    }
    out
}

fn rules_keep() {
    let mut count = 0;
    let all = variants(&bundle("stack")).into_iter().map(|(_, values)| values).chain([all()]);
    for values in all {
        for rule in rules(&values) {
            count += 1;
            let expr = rule["expr"].as_str().unwrap();
            // what is anybody's own need not be as ours
            if rule["alert"] == "A" {
                continue;
            }
            let what = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
            assert_eq!(wrong(expr, &values), Vec::<String>::new(), "{what}: {expr}");
        }
    }
    assert!(count > 500, "{count}");
}

fn dashboards_keep() {
    let mut count = 0;
    for (file, board) in boards() {
        for (panel, query) in queries(&board) {
            count += 1;
            assert_eq!(wrong(&query, &json!({})), Vec::<String>::new(), "{file}: {panel}: {query}");
        }
    }
    assert!(count > 150, "{count}");
}

fn find_what_they_forbid() {
    let values = json!({"kubeStateMetrics": {"labels": {"pods": ["app.kubernetes.io/name"], "nodes": []}}});
    for (expr, what) in [
        ("a:b * on (pod) group_left (node) c_info", "one side"),
        ("a:b * on (pod) group_left () (c_info == 1)", "one side"),
        ("a:b * on (pod) group_left label_replace(c_info, \"a\", \"b\", \"c\", \"d\")", "one side"),
        ("max by (a) (b) * on (a) group_right () c", "group_right"),
        ("max by (pod) (kube_pod_info)", "which job"),
        ("max by (pod) (kube_pod_info{job=\"opencost\"})", "which job"),
        ("sum by (pod) (kube_pod_info{job=\"kube-state-metrics\"})", "max by"),
        ("kube_pod_info{job=\"kube-state-metrics\"} == 1", "max by"),
        ("rate(x_bucket{le=\"1\"}[5m])", "whole number"),
        ("rate(x_bucket{le=\"10.0\"}[5m])", "whole number"),
        ("rate(x_bucket{job=\"a\", le !~ \"0.5|1|2[.]5\"}[5m])", "whole number"),
        ("max by (node) (kube_node_labels{job=\"kube-state-metrics\"})", "kube_node_labels is empty"),
        ("sum by (label_team) (x)", "label_team is no label"),
    ] {
        let wrong = wrong(expr, &values);
        assert!(wrong.iter().any(|text| text.contains(what)), "{expr}: {wrong:?}");
    }
    for expr in [
        "a:b * on (pod) group_left (node) topk by (pod) (1, max by (pod, node) (c_info))",
        "a:b * on (pod) group_left () (max by (pod) (c) == 1)",
        "a:b * on (pod) group_left () c:d",
        "max by (pod) (changes(kube_pod_status_ready{job=\"kube-state-metrics\"}[5m]))",
        "rate(x_bucket{le=~\"1([.]0)?|0[.]5\"}[5m]) or rate(x_bucket{le=\"0.5\"}[5m]) or rate(x_bucket{le=\"+Inf\"}[5m])",
        "max by (label_app_kubernetes_io_name) (kube_pod_labels{job=\"kube-state-metrics\"})",
        "up{handle=\"1\"}",
    ] {
        assert_eq!(wrong(expr, &values), Vec::<String>::new(), "{expr}");
    }
}
