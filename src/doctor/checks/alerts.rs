//! RA: rules and alerts, as Prometheus evaluates them.

use serde_json::Value;

use super::metrics::PROMETHEUS;
use super::{are, items, text};
use crate::doctor::snapshot::label;
use crate::doctor::{Check, Finding, Need, Snapshot};
use crate::words::count;

pub const CHECKS: &[Check] = &[
    Check {
        id: "RA01",
        title: "rules are loaded",
        why: "without them no alert can fire",
        verify: "/api/v1/rules of Prometheus",
        fix: "kubectl obs drift: are the ConfigMaps with the rules there?",
        needs: &[Need::Prometheus],
        follows: PROMETHEUS,
        run: loaded,
    },
    Check {
        id: "RA02",
        title: "every rule can be evaluated",
        why: "a rule that fails records nothing, and its alert cannot fire",
        verify: "/api/v1/rules of Prometheus: lastError",
        fix: "correct the expression; of a rule of the stack: please report it",
        needs: &[Need::Prometheus],
        follows: PROMETHEUS,
        run: broken,
    },
    Check {
        id: "RA03",
        title: "rules are evaluated as often as they should be",
        why: "alerts come late, recorded series have gaps",
        verify: "prometheus_rule_group_iterations_missed_total",
        fix: "give Prometheus more CPU, or split the group",
        needs: &[Need::Prometheus],
        follows: PROMETHEUS,
        run: missed,
    },
    Check {
        id: "RA06",
        title: "the alert Watchdog fires",
        why: "it always fires: when it does not, no alert would",
        verify: "ALERTS{alertname=\"Watchdog\"}",
        fix: "see why rules are not loaded or not evaluated",
        needs: &[Need::Prometheus],
        follows: &["RA01", "RA02", "RA03", "MX01", "MX02", "MX10"],
        run: watchdog,
    },
    Check {
        id: "RA08",
        title: "every alert says how grave it is",
        why: "without the label severity it takes no route that asks for one",
        verify: "/api/v1/rules of Prometheus: labels",
        fix: "give the rule the label severity: critical, warning or info",
        needs: &[Need::Prometheus],
        follows: &[],
        run: ungraded,
    },
    Check {
        id: "RA07",
        title: "no critical alert fires",
        why: "what it says is wrong needs somebody now",
        verify: "kubectl obs alerts",
        fix: "kubectl obs alerts shows it with its runbook",
        needs: &[Need::Prometheus],
        follows: &[],
        run: critical,
    },
];

fn groups(snapshot: &Snapshot) -> impl Iterator<Item = &Value> {
    let rules = snapshot.first_prometheus().and_then(|one| one.rules.answer());
    rules.into_iter().flat_map(|rules| items(&rules["groups"]))
}

fn rules(snapshot: &Snapshot) -> impl Iterator<Item = &Value> {
    groups(snapshot).flat_map(|group| items(&group["rules"]))
}

/// Did Prometheus say which rules it has?
fn known(snapshot: &Snapshot) -> bool {
    snapshot.first_prometheus().is_some_and(|one| one.rules.answer().is_some())
}

fn loaded(snapshot: &Snapshot) -> Vec<Finding> {
    match known(snapshot) && groups(snapshot).next().is_none() {
        false => Vec::new(),
        true => vec![Finding::fail("Prometheus has no rules").about("prometheus").fix(
            "kubectl obs drift shows whether something is missing; prometheus.rules.enabled switches them on",
        )],
    }
}

fn broken(snapshot: &Snapshot) -> Vec<Finding> {
    let broken: Vec<String> = rules(snapshot)
        .filter(|rule| rule["health"] == "err")
        .map(|rule| format!("{}: {}", text(&rule["name"]), text(&rule["lastError"])))
        .collect();
    match broken.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::fail(format!("{} cannot be evaluated", count(broken.len(), "rule")))
                .about("prometheus")
                .evidence(broken)
                .fix("correct the expression and upgrade"),
        ],
    }
}

fn missed(snapshot: &Snapshot) -> Vec<Finding> {
    let groups = snapshot.series("missed").into_iter().flatten();
    let groups: Vec<String> = groups.map(|series| label(series, "rule_group").to_owned()).collect();
    match groups.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("rules were not evaluated as often as they should be in the last ten minutes")
                .about("prometheus")
                .evidence(groups)
                .fix("kubectl obs upgrade --set prometheus.resources.limits.cpu=…, or a longer interval of the group"),
        ],
    }
}

fn watchdog(snapshot: &Snapshot) -> Vec<Finding> {
    let mut watchdogs = rules(snapshot).filter(|rule| rule["name"] == "Watchdog").peekable();
    // after a start rules have no state before they are evaluated for the first time
    let well = |rule: &Value| rule["state"] == "firing" || rule["health"] == "unknown";
    if watchdogs.peek().is_none() || watchdogs.any(well) {
        return Vec::new();
    }
    vec![
        Finding::fail("the alert Watchdog, which always fires, does not")
            .about("prometheus")
            .evidence(["so no other alert would, either".to_owned()])
            .fix("kubectl obs logs prometheus"),
    ]
}

fn ungraded(snapshot: &Snapshot) -> Vec<Finding> {
    let alerting = rules(snapshot).filter(|rule| rule["type"] == "alerting");
    let names: Vec<String> = alerting
        .filter(|rule| text(&rule["labels"]["severity"]).is_empty())
        .map(|rule| text(&rule["name"]).to_owned())
        .collect();
    match names.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn(format!("{} without a severity", count(names.len(), "alert")))
                .evidence(names)
                .fix("give the rule the label severity: critical, warning or info"),
        ],
    }
}

fn critical(snapshot: &Snapshot) -> Vec<Finding> {
    let alerts = rules(snapshot).flat_map(|rule| items(&rule["alerts"]));
    let firing: Vec<String> = alerts
        .filter(|alert| alert["state"] == "firing" && alert["labels"]["severity"] == "critical")
        .map(|alert| {
            let summary = text(&alert["annotations"]["summary"]);
            format!("{} since {}: {summary}", label(alert, "alertname"), text(&alert["activeAt"]))
        })
        .collect();
    match firing.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::info(format!("{} firing", are(firing.len(), "critical alert")))
                .evidence(firing)
                .fix("kubectl obs alerts shows who was told, and the runbooks"),
        ],
    }
}
