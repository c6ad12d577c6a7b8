//! From what a pod writes to the line in Loki.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::logs::{Facts, Line, Written, chain};
use super::super::target::Target;
use super::{end, said};

fn line(second: &str, text: &str) -> Line {
    Line { time: format!("2026-11-28T10:00:{second}Z").parse().ok(), text: text.to_owned() }
}

/// A pod whose lines arrive.
fn facts() -> Facts {
    let written = [r#"{"level":"info","message":"a"}"#, r#"{"level":"warn","message":"b"}"#];
    Facts {
        target: Target {
            kind: "deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
            pods: vec![
                json!({"metadata": {"namespace": "shop", "name": "web-1"}, "status": {"phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "web", "ready": true, "state": {"running": {}}}]}}),
            ],
        },
        collects: true,
        stores: true,
        exclude: json!({}),
        annotations: Value::Null,
        written: vec![Written {
            pod: "web-1".into(),
            container: "web".into(),
            node: "n".into(),
            lines: Ok(vec![line("01", written[0]), line("02", written[1]), line("59", "on its way")]),
            stored: Ok(written.map(str::to_owned).to_vec()),
        }],
        collectors: BTreeSet::from(["n".to_owned()]),
        troubles: BTreeMap::new(),
        now: "2026-11-28T10:01:05Z".parse().unwrap(),
    }
}

fn writes(facts: &mut Facts, lines: &[&str]) {
    facts.written[0].lines = Ok(lines.iter().map(|text| line("01", text)).collect());
    facts.written[0].stored = Ok(lines.iter().map(|text| (*text).to_owned()).collect());
}

/// A change, how the chain ends, and words that it says.
type Row = (&'static str, fn(&mut Facts), &'static str, &'static str);

const ROWS: &[Row] = &[
    ("nothing", |_| {}, "✔AP21", "its last 2 lines are in Loki"),
    ("no pod", |f| f.target.pods.clear(), "✘AP01", "deployment shop/web has no pod"),
    ("it is quiet", |f| f.written[0].lines = Ok(Vec::new()), "✘AP17", "let it log to stdout"),
    (
        "nobody may read it",
        |f| f.written[0].lines = Err("you may not get pods/log".into()),
        "?AP21",
        "web-1/web: you may not get pods/log",
    ),
    ("text", |f| writes(f, &["ready", "served"]), "✔AP21", "it writes text (2 lines)"),
    (
        "text and JSON",
        |f| writes(f, &["ready", "{\"level\":\"info\"}"]),
        "✔AP21",
        "1 of its last 2 lines are JSON",
    ),
    ("no level", |f| writes(f, &["{\"msg\":\"a\"}"]), "✔AP21", "add a field level"),
    ("no logs are collected", |f| f.collects = false, "✘AP20", "--profile logs"),
    (
        "excluded",
        |f| f.exclude = json!({"namespaces": ["shop"]}),
        "✘AP20",
        "fluentd.exclude.namespaces has shop",
    ),
    (
        "its container is excluded",
        |f| f.exclude = json!({"containers": ["shop/*/web"]}),
        "✘AP20",
        "fluentd.exclude.containers has shop/*/web",
    ),
    (
        "its owner does not want it",
        |f| f.target.pods[0]["metadata"]["annotations"] = json!({"kubectl-obs.dev/logs": "false"}),
        "✘AP20",
        "pod web-1 has the annotation",
    ),
    ("no collector", |f| f.collectors.clear(), "✘LG01", "node n has no fluentd that is ready"),
    (
        "lost, for a store that does not take lines",
        |f| {
            f.troubles = BTreeMap::from([("n".to_owned(), vec!["to loki: 429".to_owned()])]);
            f.written[0].stored = Ok(Vec::new());
        },
        "✘AP21",
        "to loki: 429",
    ),
    (
        "some are missing",
        |f| drop(f.written[0].stored.as_mut().map(Vec::pop)),
        "!AP21",
        "web-1/web: 1 of its last 2 lines",
    ),
    (
        "old lines count where there are no younger ones",
        |f| {
            let lines = ["08:00:00", "10:00:01", "10:01:00"];
            let line = |time: &str| Line {
                time: format!("2026-11-28T{time}Z").parse().ok(),
                text: format!("at {time}"),
            };
            f.written[0].lines = Ok(lines.map(line).to_vec());
            f.written[0].stored = Ok(vec!["at 10:00:01".into()]);
        },
        "✔AP21",
        "its last 1 line",
    ),
    ("Loki is silent", |f| f.written[0].stored = Err("it answers 500".into()), "?AP21", "it answers 500"),
    ("other stores", |f| f.stores = false, "?AP21", "the release has no Loki"),
];

#[test]
fn the_chain_ends_where_lines_are_lost() {
    for (what, change, expected, words) in ROWS {
        let mut facts = facts();
        change(&mut facts);
        let chain = chain(&facts);
        assert_eq!(end(&chain), *expected, "{what}: {}", said(&chain));
        assert!(said(&chain).contains(words), "{what}: {}", said(&chain));
    }
}
