//! RL: the release, as its records and the comparison with the cluster say.

use serde_json::Value;

use super::{are, items, text};
use crate::doctor::{Check, Finding, Need, Snapshot};

pub const CHECKS: &[Check] = &[
    Check {
        id: "RL01",
        title: "the newest revision is deployed",
        why: "a failed upgrade leaves the cluster between two revisions",
        verify: "kubectl obs history",
        fix: "kubectl obs rollback, or repair what is named and upgrade again",
        needs: &[Need::Status],
        follows: &["WK01", "WK02", "WK03", "WK04", "WK05", "WK07", "WK08", "WK09", "WK10", "WK13", "ST01"],
        run: state,
    },
    Check {
        id: "RL02",
        title: "no operation was interrupted",
        why: "an operation that did not end leaves part of its changes undone",
        verify: "kubectl obs status",
        fix: "run the same command again: it goes on from there",
        needs: &[Need::Status],
        follows: &[],
        run: interrupted,
    },
    Check {
        id: "RL03",
        title: "every object of the release exists",
        why: "somebody deleted it; what depends on it fails when it is needed",
        verify: "kubectl obs drift",
        fix: "kubectl obs upgrade makes it again",
        needs: &[Need::Drift],
        follows: &["PF06"],
        run: missing,
    },
    Check {
        id: "RL04",
        title: "every object is as the release wants it",
        why: "what somebody changed by hand is in no values file, and the next upgrade may take it back",
        verify: "kubectl obs drift",
        fix: "kubectl obs upgrade --force-conflicts restores it; what shall stay belongs into the values",
        needs: &[Need::Drift],
        follows: &[],
        run: changed,
    },
    Check {
        id: "RL05",
        title: "nothing carries the release's labels that it does not know",
        why: "an object of a revision whose record is gone is not removed by an uninstall",
        verify: "kubectl obs drift",
        fix: "kubectl obs upgrade removes it",
        needs: &[Need::Drift],
        follows: &[],
        run: orphans,
    },
    Check {
        id: "RL06",
        title: "what the release writes is stored as it is written",
        why: "a webhook or a policy of the cluster changes it, and may do so with what matters",
        verify: "kubectl obs drift",
        fix: "make an exception in the webhook or policy, or set the value in the release",
        needs: &[Need::Drift],
        follows: &[],
        run: rewritten,
    },
    Check {
        id: "RL11",
        title: "the cluster has one release of this bundle",
        why: "two of them scrape everything twice and tell about every alert twice",
        verify: "kubectl obs list --all-namespaces",
        fix: "kubectl obs uninstall --release NAME -n NAMESPACE removes the one that is not wanted",
        needs: &[Need::Namesakes],
        follows: &[],
        run: namesakes,
    },
];

fn state(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(status) = snapshot.status.answer() else { return Vec::new() };
    if let Some(damage) = status["damage"].as_str() {
        return vec![
            Finding::fail(format!("the record of revision {} cannot be used", status["revision"]))
                .evidence([damage.to_owned()])
                .fix("kubectl obs history shows the revisions that can"),
        ];
    }
    if status["status"] != "failed" {
        return Vec::new();
    }
    let mut finding =
        Finding::fail(format!("revision {} of release {} failed", status["revision"], snapshot.release))
            .evidence([text(&status["description"]).to_owned()])
            .fix("kubectl obs rollback goes back; kubectl obs upgrade tries again");
    // what is not ready says why it failed
    let ill = items(&status["components"]).filter(|component| component["state"] != "ready");
    finding.about = ill.map(|component| text(&component["name"]).to_owned()).collect();
    vec![finding]
}

fn interrupted(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(status) = snapshot.status.answer() else { return Vec::new() };
    let word = text(&status["status"]);
    if status["interrupted"] == true {
        let verb = word.trim_start_matches("pending-");
        let verb = if verb == "uninstalling" { "uninstall" } else { verb };
        return vec![
            Finding::fail(format!("the {verb} of release {} was interrupted", snapshot.release))
                .evidence([format!("revision {} is {word}, and nobody is at it", status["revision"])])
                .fix(format!("kubectl obs {verb} goes on from there")),
        ];
    }
    match status["holder"].as_str() {
        Some(holder) => vec![
            Finding::info(format!("release {} is being {holder}", snapshot.release))
                .fix("look again when it has ended"),
        ],
        None => Vec::new(),
    }
}

/// The objects that differ, of those that are so.
fn objects<'s>(snapshot: &'s Snapshot, which: impl Fn(&Value) -> bool + 's) -> Vec<&'s Value> {
    let drift = snapshot.drift.answer();
    drift.into_iter().flat_map(|drift| items(&drift["objects"])).filter(|one| which(one)).collect()
}

/// `deployment observability/x`
fn shown(object: &Value) -> String {
    let id = &object["object"];
    let kind = text(&id["kind"]).to_lowercase();
    match id["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", text(&id["name"])),
        None => format!("{kind} {}", text(&id["name"])),
    }
}

fn missing(snapshot: &Snapshot) -> Vec<Finding> {
    let gone = objects(snapshot, |one| one["missing"] == true);
    if gone.is_empty() {
        return Vec::new();
    }
    vec![
        Finding::fail(format!("{} of the release missing", are(gone.len(), "object")))
            .evidence(gone.iter().map(|one| match one["going"] == true {
                true => format!("{} is being deleted", shown(one)),
                false => shown(one),
            }))
            .fix("kubectl obs upgrade makes it again"),
    ]
}

fn changed(snapshot: &Snapshot) -> Vec<Finding> {
    let differ = objects(snapshot, |one| one["missing"] != true && one["orphan"] != true);
    if differ.is_empty() {
        return Vec::new();
    }
    let lines = differ.iter().flat_map(|one| {
        let object = shown(one);
        if one["foreign"] == true {
            return vec![format!("{object} does not belong to the release any more")];
        }
        let line = |field: &Value| match field["manager"].as_str() {
            Some(manager) => format!("{object}: {} by {manager}", text(&field["path"])),
            None => format!("{object}: {}", text(&field["path"])),
        };
        items(&one["fields"]).map(line).collect()
    });
    vec![
        Finding::warn(format!("{} not as the release wants it", are(differ.len(), "object")))
            .evidence(lines)
            .fix("kubectl obs drift shows the values; kubectl obs upgrade --force-conflicts restores them"),
    ]
}

fn orphans(snapshot: &Snapshot) -> Vec<Finding> {
    let orphans = objects(snapshot, |one| one["orphan"] == true);
    match orphans.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn(format!(
                "{} in no revision, though labelled as the release's own",
                are(orphans.len(), "object")
            ))
            .evidence(orphans.iter().map(|one| shown(one)))
            .fix("kubectl obs upgrade removes it"),
        ],
    }
}

fn rewritten(snapshot: &Snapshot) -> Vec<Finding> {
    let drift = snapshot.drift.answer();
    let all: Vec<&Value> = drift.into_iter().flat_map(|drift| items(&drift["rewritten"])).collect();
    let lines = all.iter().map(|one| {
        let paths: Vec<&str> = items(&one["fields"]).map(|field| text(&field["path"])).collect();
        let by: Vec<&str> = items(&one["by"]).map(text).collect();
        format!("{}: {}; {} may change it", shown(one), paths.join(", "), by.join(" or "))
    });
    match all.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::info(format!("{} changed by admission after each apply", are(all.len(), "object")))
                .evidence(lines)
                .fix("make an exception in the webhook or policy, or set the value in the release"),
        ],
    }
}

fn namesakes(snapshot: &Snapshot) -> Vec<Finding> {
    let others: Vec<String> = snapshot.namesakes.answer().cloned().unwrap_or_default();
    match others.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("the cluster has more than one release of this bundle")
                .evidence(others)
                .fix("kubectl obs list --all-namespaces shows them"),
        ],
    }
}
