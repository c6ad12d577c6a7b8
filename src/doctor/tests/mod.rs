//! What a diagnosis is worth: the faults of the grid are found and nothing else, whatever is not known is said,
//! garbage is survived, and reports keep to their formats.

mod grid;
mod healthy;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::change::since;
use super::{Choice, Diagnosis, Severity, Snapshot, all, diagnose, report, suppress};
use grid::GRID;
use healthy::healthy;

/// The diagnosis of the healthy release, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Diagnosis {
    let mut value = healthy();
    change(&mut value);
    let snapshot = Snapshot::read(&value.to_string()).expect("a snapshot");
    diagnose(&snapshot, &Choice::default())
}

/// `✘MX05 !ST02(MX10 RA06)`: the ids of what was found, with what follows.
fn found(diagnosis: &Diagnosis) -> String {
    let lines = diagnosis.findings.iter().map(|finding| {
        let mark = match finding.severity {
            Severity::Fail => "✘",
            Severity::Warn => "!",
            Severity::Info => "·",
        };
        let follows: Vec<&str> = finding.follows.iter().map(|one| one.id).collect();
        match follows.is_empty() {
            true => format!("{mark}{}", finding.id),
            false => format!("{mark}{}({})", finding.id, follows.join(" ")),
        }
    });
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_planted_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (what, change, expected) in GRID {
        let diagnosis = changed(change);
        let found = found(&diagnosis);
        if found != *expected {
            wrong.push(format!("{what}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n\n{}", wrong.len(), GRID.len(), wrong.join("\n\n"));
}

#[test]
fn every_check_is_in_the_grid() {
    let expected: String = GRID.iter().map(|(_, _, expected)| *expected).collect();
    let missing: Vec<&str> = all().map(|check| check.id).filter(|id| !expected.contains(id)).collect();
    assert!(missing.is_empty(), "no line of the grid finds {missing:?}");
}

#[test]
fn an_id_is_one_check_and_what_it_follows_from_comes_before() {
    let mut seen = BTreeSet::new();
    for check in all() {
        for cause in check.follows {
            let known = seen.contains(cause) || all().any(|other| other.id == *cause);
            assert!(known, "{} follows from {cause}, which is no check", check.id);
        }
        assert!(seen.insert(check.id), "{} is there twice", check.id);
    }
}

#[test]
fn what_cannot_be_asked_is_skipped_with_its_reason() {
    let diagnosis = changed(|v| {
        v["nodes"] = json!({"unknown": "you may not list nodes"});
        v["alertmanager"] = json!({"off": "alertmanager is not part of the release"});
        v["components"] = json!(["prometheus", "grafana"]);
    });
    assert_eq!(found(&diagnosis), "");
    let reason = |id: &str| {
        let skipped = diagnosis.skipped.iter().find(|skipped| skipped.id == id);
        skipped.map(|skipped| skipped.reason.as_str())
    };
    assert_eq!(reason("PF07"), Some("you may not list nodes"));
    assert_eq!(reason("MX13"), Some("you may not list nodes"));
    assert_eq!(reason("NT04"), Some("alertmanager is not part of the release"));
    assert_eq!(reason("MX05"), None);
}

#[test]
fn the_oldest_kubernetes_is_that_of_the_bundle() {
    let bundle = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/charts/stack/bundle.yaml"));
    let (major, minor) = super::checks::OLDEST;
    assert!(bundle.contains(&format!("kubeVersion: \">={major}.{minor}\"")), "{major}.{minor}");
}

#[test]
fn only_and_skip_take_ids_and_themes() {
    let snapshot = Snapshot::read(&healthy().to_string()).expect("a snapshot");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (only, skip) = (words(&["mx", "ST02"]), words(&["MX05"]));
    let some = diagnose(&snapshot, &Choice { only: &only, skip: &skip, ..Choice::default() });
    assert!(some.passed.contains(&"MX04") && some.passed.contains(&"ST02"), "{:?}", some.passed);
    assert!(!some.passed.contains(&"MX05") && !some.passed.contains(&"ST03"), "{:?}", some.passed);
}

#[test]
fn what_is_suppressed_is_counted_and_what_follows_from_it_is_told() {
    let mut value = healthy();
    let (_, change, _) = GRID.iter().find(|(what, ..)| what.starts_with("a full volume")).expect("a line");
    change(&mut value);
    let snapshot = Snapshot::read(&value.to_string()).expect("a snapshot");
    let list = |until: &str| {
        let text = format!("suppressions: [{{id: ST02, reason: it is known, until: {until}}}]");
        let suppressions = suppress::read(&text).expect("a list");
        diagnose(&snapshot, &Choice { suppressions: &suppressions, ..Choice::default() })
    };
    let known = list("2026-12-31");
    assert_eq!(found(&known), "✘MX10");
    assert_eq!((known.suppressed.len(), known.expired.len()), (1, 0));
    assert!(report::sum(&known).ends_with("1 failure, 1 suppressed"), "{}", report::sum(&known));
    assert!(report::junit(&known).contains("suppressed until 2026-12-31: it is known"));
    assert!(report::markdown(&known).contains("(it is known, until 2026-12-31)"));
    let over = list("2026-11-01");
    assert_eq!(found(&over), "✘ST02(MX10)");
    assert_eq!((over.suppressed.len(), over.expired.len()), (0, 1));
}

#[test]
fn what_changed_is_what_is_new_and_what_is_gone() {
    let line = |what: &str| {
        let (_, change, _) = GRID.iter().find(|(known, ..)| *known == what).expect("a line");
        changed(change)
    };
    let (healthy, early, late) =
        (line("nothing"), line("a volume at 85 %"), line("a webhook without a server"));
    let ids = |all: &[super::Consequence]| all.iter().map(|one| one.id).collect::<Vec<_>>();
    let changes = since(&early, &late);
    assert_eq!((ids(&changes.new), ids(&changes.gone)), (vec!["PF14"], vec!["ST02"]));
    assert!(changes.is_new(&late.findings[0]) && !changes.is_new(&early.findings[0]));
    assert!(since(&early, &early).is_empty());
    assert_eq!(ids(&since(&early, &healthy).gone), ["ST02"]);
}

#[test]
fn what_is_told_below_its_cause_is_neither_new_nor_gone() {
    let (_, full, _) = GRID.iter().find(|(what, ..)| what.starts_with("a full volume")).expect("a line");
    let folded = changed(full);
    // the volume has room again, and nothing is stored yet
    let root = changed(|v| {
        full(v);
        v["prometheus"]["answer"][0]["queries"]["volumes"] = json!({"answer": {"result": []}});
    });
    assert_eq!((found(&folded), found(&root)), ("✘ST02(MX10)".to_owned(), "✘MX10".to_owned()));
    let ids = |all: &[super::Consequence]| all.iter().map(|one| one.id).collect::<Vec<_>>();
    let after = since(&folded, &root);
    assert_eq!((ids(&after.new), ids(&after.gone)), (vec![], vec!["ST02"]));
    let before = since(&root, &folded);
    assert_eq!((ids(&before.new), ids(&before.gone)), (vec!["ST02"], vec![]));
    // what follows is new below a cause that is known
    let cause = changed(|v| {
        full(v);
        v["prometheus"]["answer"][0]["queries"]["appended"] = json!({"answer": {"result": []}});
    });
    let grown = since(&cause, &folded);
    assert_eq!(ids(&grown.new), ["MX10"]);
    assert!(grown.is_new(&folded.findings[0]));
}

#[test]
fn what_was_not_looked_at_again_is_not_gone() {
    let (_, change, _) =
        GRID.iter().find(|(what, ..)| *what == "the only node is not ready").expect("a line");
    let before = changed(change);
    let blind = changed(|v| v["nodes"] = json!({"unknown": "you may not list nodes"}));
    assert_eq!(found(&before), "✘PF07");
    assert!(since(&before, &blind).is_empty());
}

#[test]
fn what_was_suppressed_is_not_new_when_that_ends() {
    let (_, full, _) = GRID.iter().find(|(what, ..)| *what == "a volume at 85 %").expect("a line");
    let suppressions =
        suppress::read("suppressions: [{id: ST02, reason: it is known, until: 2026-11-28}]").expect("a list");
    let at = |time: &str| {
        let mut value = healthy();
        full(&mut value);
        value["takenAt"] = json!(time);
        let snapshot = Snapshot::read(&value.to_string()).expect("a snapshot");
        diagnose(&snapshot, &Choice { suppressions: &suppressions, ..Choice::default() })
    };
    let (before, now) = (at("2026-11-28T05:30:00Z"), at("2026-11-29T05:30:00Z"));
    assert_eq!((before.suppressed.len(), now.expired.len()), (1, 1));
    assert!(since(&before, &now).is_empty(), "{:?}", since(&before, &now));
}

/// An answer of whatever shape leads to a diagnosis, never to a crash.
#[test]
fn garbage_is_survived() {
    let garbage = [json!(null), json!([]), json!({}), json!("text"), json!(-1), json!([[1], {"a": null}])];
    fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_owned());
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                paths(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, value)| paths(value, &format!("{at}/{n}"), out));
            }
            _ => {}
        }
    }
    let whole = healthy();
    let mut all = Vec::new();
    paths(&whole, "", &mut all);
    let mut judged = 0;
    for path in &all {
        for replacement in &garbage {
            let mut value = whole.clone();
            *value.pointer_mut(path).expect("a path") = replacement.clone();
            if let Ok(snapshot) = Snapshot::read(&value.to_string()) {
                let diagnosis = diagnose(&snapshot, &Choice::default());
                report::junit(&diagnosis);
                report::markdown(&diagnosis);
                judged += 1;
            }
        }
    }
    assert!(judged > 500, "{judged}");
}

#[test]
fn reports_keep_to_their_formats() {
    let diagnosis =
        changed(|v| v["namesakes"]["answer"] = json!(["release <b>&\u{1b}[31m in namespace *x*"]));
    let junit = report::junit(&diagnosis);
    assert!(junit.contains("release &lt;b&gt;&amp;\u{fffd}[31m in namespace *x*"), "{junit}");
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let markdown = report::markdown(&diagnosis);
    assert!(markdown.contains("release \\<b\\>"), "{markdown}");
    assert!(report::sum(&diagnosis).ends_with(" ok, 1 warning"), "{}", report::sum(&diagnosis));
}

#[test]
fn the_documentation_is_that_of_the_checks() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/checks.md");
    let text = report::documentation();
    if std::env::var_os("OBS_UPDATE_DOCS").is_some() {
        std::fs::write(file, &text).expect("write docs/checks.md");
    }
    let there = std::fs::read_to_string(file).unwrap_or_default();
    assert!(there == text, "docs/checks.md is old: OBS_UPDATE_DOCS=1 cargo test --lib doctor");
}
