//! From a rule to who is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::alert::{Absent, Facts, PartNow, Untold, chain};
use super::{end, said};
use crate::ops::alerts::notified::Failure;
use crate::ops::alerts::shown::{Alert, State, join};

fn rules(state: &str) -> Value {
    let alerts = match state {
        "inactive" => json!([]),
        state => json!([{"state": state, "activeAt": "2026-11-28T09:00:00Z",
            "labels": {"alertname": "High", "severity": "critical", "pod": "web-1"}, "annotations": {"summary": "too many"}}]),
    };
    json!({"groups": [{"rules": [{"type": "alerting", "name": "High", "query": "errors / requests > 0.1", "health": "ok",
        "duration": 300.0, "state": state, "lastEvaluation": "2026-11-28T09:00:00Z", "alerts": alerts}]}]})
}

/// It fires, and everybody who should be is told.
fn facts() -> Facts {
    let rules = vec![rules("firing")];
    let mut alerts = join(&rules, &[], None);
    alerts[0].receivers = Some(vec!["pager".into()]);
    Facts {
        name: "High".into(),
        rules,
        disabled: Vec::new(),
        parts: Ok(Vec::new()),
        absent: Vec::new(),
        alerts,
        untold: None,
        alertmanagers: Some(1),
        receivers: Ok(BTreeMap::from([("pager".to_owned(), vec!["webhook[0]".to_owned()])])),
        failures: Ok(Vec::new()),
        failed: Ok(Vec::new()),
    }
}

fn quiet(facts: &mut Facts) {
    facts.rules = vec![rules("inactive")];
    facts.alerts = Vec::new();
}

/// It does not hold, and a selector of it has no series.
fn without(facts: &mut Facts, selector: &str, same: usize, scraped: Option<bool>) {
    quiet(facts);
    facts.absent = vec![Absent { selector: selector.to_owned(), same, scraped }];
}

fn failure(goes_on: bool) -> Failure {
    Failure {
        receiver: "pager".into(),
        integration: "webhook[0]".into(),
        words: "401 Unauthorized".into(),
        goes_on,
    }
}

fn first(facts: &mut Facts) -> &mut Alert {
    &mut facts.alerts[0]
}

/// A change, how the chain ends, and words that it says.
type Row = (&'static str, fn(&mut Facts), &'static str, &'static str);

const ROWS: &[Row] = &[
    ("nothing", |_| {}, "✔NT06", "receiver pager (webhook[0])"),
    ("no such rule", |f| f.name = "Hihg".into(), "✘RA01", "did you mean High?"),
    ("the values drop it", |f| f.disabled = vec!["High".into()], "✘RA01", "rules.disable names it"),
    (
        "it fails",
        |f| {
            f.rules[0]["groups"][0]["rules"][0]["health"] = json!("err");
            f.rules[0]["groups"][0]["rules"][0]["lastError"] = json!("many-to-many");
        },
        "✘RA02",
        "many-to-many",
    ),
    (
        "it does not hold",
        |f| {
            quiet(f);
            f.parts = Ok(vec![PartNow {
                text: "errors / requests > 0.1".into(),
                holds_for: 0,
                compared: Some(("> 0.1".into(), vec![0.021])),
            }]);
        },
        "·RA07",
        "errors / requests > 0.1: 0.021 at present, and it asks for > 0.1",
    ),
    (
        "its series are not there",
        |f| without(f, "errors", 0, None),
        "!RA04",
        "errors: there is no series of that name",
    ),
    (
        "the job of its series is not there",
        |f| without(f, "errors{job=\"a\"}", 3, Some(false)),
        "!RA04",
        "errors{job=\"a\"}: its job has no target that is up",
    ),
    (
        "its series are there only in trouble",
        |f| {
            without(
                f,
                "kube_pod_container_status_last_terminated_reason{job=\"kube-state-metrics\"}",
                0,
                Some(true),
            );
        },
        "·RA07",
        "it does not hold at present",
    ),
    (
        "its labels are there only in trouble",
        |f| without(f, "requests{code=\"500\"}", 3, None),
        "·RA07",
        "it does not hold at present",
    ),
    (
        "it is about what is not there",
        |f| {
            quiet(f);
            f.rules[0]["groups"][0]["rules"][0]["query"] = json!("absent(up)");
            f.absent = vec![Absent { selector: "up".into(), same: 0, scraped: None }];
        },
        "·RA07",
        "it does not hold at present",
    ),
    (
        "pending",
        |f| {
            f.rules = vec![rules("pending")];
            f.alerts = join(&f.rules, &[], None);
            assert_eq!(f.alerts[0].state, State::Pending);
        },
        "·RA09",
        "fires after 5m",
    ),
    (
        "no Alertmanager",
        |f| f.untold = Some(Untold::Nobody("release obs has no alertmanager".into())),
        "✘NT02",
        "nobody is told",
    ),
    (
        "an Alertmanager that does not answer",
        |f| f.untold = Some(Untold::Unknown("who is told is not known: it answers 503".into())),
        "?NT02",
        "who is told is not known: it answers 503",
    ),
    ("nobody to send to", |f| f.alertmanagers = Some(0), "✘NT02", "knows no Alertmanager"),
    (
        "it does not arrive",
        |f| first(f).missing_in_alertmanager = true,
        "✘NT02",
        "Alertmanager does not know it",
    ),
    (
        "a route to nobody",
        |f| f.receivers = Ok(BTreeMap::new()),
        "✘NT05",
        "receiver pager drops what it gets",
    ),
    (
        "routes that cannot be read",
        |f| f.receivers = Err("alertmanager answers 503".into()),
        "✔NT06",
        "whether its route leads to somebody is not known: alertmanager answers 503",
    ),
    (
        "routes that cannot be read, and a receiver that refuses",
        |f| {
            f.receivers = Err("no answer within 10s".into());
            f.failures = Ok(vec![failure(false)]);
        },
        "✘NT06",
        "pager, webhook[0]: 401 Unauthorized",
    ),
    (
        "inhibited",
        |f| first(f).inhibited_by = vec!["NodeDown".into()],
        "·NT08",
        "inhibited by NodeDown, which fires",
    ),
    ("muted", |f| first(f).muted_by = vec!["nights".into()], "·NT08", "muted at this time (nights)"),
    (
        "the receiver refuses",
        |f| f.failures = Ok(vec![failure(false)]),
        "✘NT06",
        "pager, webhook[0]: 401 Unauthorized",
    ),
    (
        "the receiver does not take it yet",
        |f| f.failures = Ok(vec![failure(true)]),
        "!NT06",
        "it is tried again",
    ),
    (
        "it gave up",
        |f| f.failures = Ok(vec![failure(true), failure(false)]),
        "✘NT06",
        "the receiver refuses it",
    ),
    (
        "another receiver refuses",
        |f| f.failures = Ok(vec![Failure { receiver: "chat".into(), ..failure(false) }]),
        "✔NT06",
        "no message failed",
    ),
    (
        "a log that cannot be read",
        |f| f.failures = Err("the log of pod a: you may not get pods/log".into()),
        "?NT06",
        "what the receivers answered is not known: the log of pod a",
    ),
    ("nobody counts", |f| f.failed = Err("no answer".into()), "?NT06", "is not known: no answer"),
    ("some failed", |f| f.failed = Ok(vec!["webhook: serverError".into()]), "!NT06", "webhook: serverError"),
];

#[test]
fn the_chain_ends_where_nobody_is_told() {
    for (what, change, expected, words) in ROWS {
        let mut facts = facts();
        change(&mut facts);
        let chain = chain(&facts);
        assert_eq!(end(&chain), *expected, "{what}: {}", said(&chain));
        assert!(said(&chain).contains(words), "{what}: {}", said(&chain));
    }
}
