//! NT: from the alert to the person who is told.

use super::{NO_PODS, items, silent, text};
use crate::doctor::snapshot::{Alertmanager, label};
use crate::doctor::{Check, Finding, Need, Snapshot};

/// A silence that lasts longer than this is forgotten by who made it.
const LONG: f64 = 30.0 * 86_400.0;

pub const CHECKS: &[Check] = &[
    Check {
        id: "NT01",
        title: "every Alertmanager answers",
        why: "without it nobody is told of an alert",
        verify: "kubectl obs logs alertmanager",
        fix: "see why it does not answer: kubectl obs status",
        needs: &[Need::Status],
        follows: NO_PODS,
        run: answers,
    },
    Check {
        id: "NT11",
        title: "the Alertmanagers know each other",
        why: "those that do not tell about the same alert once each",
        verify: "/api/v2/status of Alertmanager: cluster.peers",
        fix: "they need port 9094 between them, by TCP and UDP: kubectl obs drift, NetworkPolicies of others",
        needs: &[Need::Alertmanager],
        follows: &["NT01", "WK01", "WK04", "WK07"],
        run: peers,
    },
    Check {
        id: "NT02",
        title: "Prometheus sends its alerts to every Alertmanager",
        why: "alerts that are not sent reach nobody",
        verify: "/api/v1/alertmanagers of Prometheus",
        fix: "kubectl obs logs prometheus: notifier",
        needs: &[Need::Prometheus, Need::Alertmanager],
        follows: &["NT01", "MX02"],
        run: sent,
    },
    Check {
        id: "NT03",
        title: "every Alertmanager works with the same configuration",
        why: "it refused the newest one, or a replica has another",
        verify: "alertmanager_config_last_reload_successful, alertmanager_config_hash",
        fix: "kubectl obs logs alertmanager names the line",
        needs: &[Need::Prometheus, Need::Alertmanager],
        follows: &["NT01"],
        run: configuration,
    },
    Check {
        id: "NT04",
        title: "somebody is told",
        why: "no receiver is set: alerts are seen only by who looks",
        verify: "kubectl obs alerts",
        fix: "alertmanager.receivers and alertmanager.route.default; kubectl obs bundle values alertmanager has examples",
        needs: &[Need::Alertmanager],
        follows: &[],
        run: told,
    },
    Check {
        id: "NT05",
        title: "critical alerts and warnings are sent to somebody",
        why: "their route leads to a receiver that drops what it gets",
        verify: "kubectl obs explain alert NAME",
        fix: "alertmanager.route in the values",
        needs: &[Need::Alertmanager],
        follows: &["NT04"],
        run: routed,
    },
    Check {
        id: "NT06",
        title: "messages arrive",
        why: "a receiver refuses them: its key, its address, or the way to it",
        verify: "alertmanager_notifications_failed_total",
        fix: "kubectl obs alerts test RECEIVER says what it answers",
        needs: &[Need::Prometheus, Need::Alertmanager],
        follows: &["NT03"],
        run: failed,
    },
    Check {
        id: "NT08",
        title: "no silence hides more than it should",
        why: "one that matches everything, or the Watchdog, or lasts for months, is forgotten and hides real alerts",
        verify: "kubectl obs alerts silences",
        fix: "kubectl obs alerts unsilence ID",
        needs: &[Need::Alertmanager],
        follows: &[],
        run: silences,
    },
    Check {
        id: "NT10",
        title: "alerts arrive in Alertmanager",
        why: "the alert Watchdog always fires: when Alertmanager does not have it, it has none",
        verify: "/api/v2/alerts of Alertmanager",
        fix: "kubectl obs logs prometheus: notifier",
        needs: &[Need::Prometheus, Need::Alertmanager],
        follows: &["NT02", "NT01", "RA01", "RA06", "MX01", "MX02"],
        run: arrive,
    },
];

fn alertmanager(snapshot: &Snapshot) -> Option<&Alertmanager> {
    snapshot.alertmanager.answer()
}

fn answers(snapshot: &Snapshot) -> Vec<Finding> {
    if !snapshot.has("alertmanager") {
        return Vec::new();
    }
    if let Some(why) = snapshot.alertmanager.why() {
        return vec![silent("alertmanager", "Alertmanager does not answer".to_owned(), why)];
    }
    let replicas = alertmanager(snapshot).into_iter().flat_map(|one| &one.replicas);
    replicas
        .filter_map(|(pod, asked)| {
            Some(silent("alertmanager", format!("pod {pod} does not answer"), asked.why()?))
        })
        .collect()
}

fn peers(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(alertmanager) = alertmanager(snapshot) else { return Vec::new() };
    let wanted = alertmanager.replicas.len();
    let alone = alertmanager.replicas.iter().filter_map(|(pod, asked)| {
        let cluster = &asked.answer()?["cluster"];
        let known = items(&cluster["peers"]).count();
        let disabled = cluster["status"] == "disabled";
        // it counts itself; one that is alone need not know anybody
        let lacks = if disabled { wanted > 1 } else { known < wanted };
        lacks.then(|| {
            format!("{pod} knows {known} of {wanted}, itself among them ({})", text(&cluster["status"]))
        })
    });
    let alone: Vec<String> = alone.collect();
    match alone.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::fail("the Alertmanagers do not know each other: messages come more than once")
                .about("alertmanager")
                .evidence(alone)
                .fix("kubectl obs drift shows whether a NetworkPolicy was changed; port 9094 by TCP and UDP must be open between them"),
        ],
    }
}

fn sent(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(alertmanager) = alertmanager(snapshot) else { return Vec::new() };
    let wanted = alertmanager.replicas.len();
    let mut found = Vec::new();
    for one in snapshot.prometheus.answer().into_iter().flatten() {
        let Some(answer) = one.alertmanagers.answer() else { continue };
        let known = items(&answer["activeAlertmanagers"]).count();
        if known < wanted {
            let what = format!("pod {} sends its alerts to {known} of {wanted} Alertmanagers", one.pod);
            let finding = if known == 0 { Finding::fail(what) } else { Finding::warn(what) };
            found.push(finding.about("alertmanager").fix("kubectl obs logs prometheus"));
        }
    }
    let refused = snapshot.series("undelivered").into_iter().flatten();
    let lost = snapshot.series("dropped").into_iter().flatten().map(|_| "some were given up".to_owned());
    let lines: Vec<String> =
        refused.map(|series| format!("errors at {}", label(series, "alertmanager"))).chain(lost).collect();
    if !lines.is_empty() && found.is_empty() {
        found.push(
            Finding::warn("alerts could not be sent to Alertmanager in the last ten minutes")
                .about("alertmanager")
                .evidence(lines)
                .fix("kubectl obs logs prometheus"),
        );
    }
    found
}

fn configuration(snapshot: &Snapshot) -> Vec<Finding> {
    let refused = snapshot.series("alertmanagerConfig").into_iter().flatten();
    let refused: Vec<String> = refused.map(|series| label(series, "instance").to_owned()).collect();
    if !refused.is_empty() {
        return vec![
            Finding::fail("Alertmanager refused its newest configuration")
                .about("alertmanager")
                .evidence(refused)
                .fix("kubectl obs logs alertmanager")
                .fix("kubectl obs rollback goes back to the configuration before"),
        ];
    }
    let different = snapshot.series("alertmanagerConfigs").and_then(|series| series.first());
    match different.and_then(crate::doctor::snapshot::value) {
        Some(number) if number > 1.0 => vec![
            Finding::warn("the Alertmanagers have different configurations")
                .about("alertmanager")
                .evidence([format!("{number} of them")])
                .fix("kubectl obs rollout restart alertmanager"),
        ],
        _ => Vec::new(),
    }
}

fn told(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(receivers) = alertmanager(snapshot).and_then(|one| one.receivers.answer()) else {
        return Vec::new();
    };
    match receivers.is_empty() {
        false => Vec::new(),
        true => vec![
            Finding::warn("nobody is told of alerts: no receiver is set")
                .fix("set alertmanager.receivers and alertmanager.route.default; examples:")
                .fix("kubectl obs bundle values alertmanager"),
        ],
    }
}

fn routed(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(alertmanager) = alertmanager(snapshot) else { return Vec::new() };
    let (Some(telling), Some(routes)) = (alertmanager.receivers.answer(), alertmanager.routes.answer())
    else {
        return Vec::new();
    };
    // that nobody is told of anything is one finding, and another's
    if telling.is_empty() {
        return Vec::new();
    }
    let lost = routes.iter().filter(|(_, names)| !names.iter().any(|name| telling.contains(name)));
    let lines: Vec<String> =
        lost.map(|(severity, names)| format!("severity {severity} goes to {}", names.join(", "))).collect();
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("some alerts are sent to nobody")
                .about("alertmanager")
                .evidence(lines)
                .fix("let alertmanager.route.default name a receiver that tells somebody"),
        ],
    }
}

fn failed(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("messagesFailed").into_iter().flatten();
    series
        .map(|series| {
            let (by, receiver) = (label(series, "integration"), label(series, "receiver_name"));
            let whom = if receiver.is_empty() { by.to_owned() } else { format!("{receiver} ({by})") };
            let advice = match label(series, "reason") {
                "authError" => "its key or password is refused: put the right one into its Secret",
                "clientError" => "it refuses the message: is the address right?",
                "serverError" => "it fails by itself: see its own status page",
                "contextDeadlineExceeded" => "no answer in time: may the pod reach it? (egress, proxy)",
                "rateLimited" => "too many messages: group more (alertmanager.route.groupBy)",
                _ => "kubectl obs logs alertmanager has its words",
            };
            Finding::fail(format!("messages to {whom} fail"))
                .evidence([format!("in the last 15 minutes: {}", label(series, "reason"))])
                .fix(advice)
                .fix(format!("kubectl obs alerts test {receiver}").trim_end().to_owned())
        })
        .collect()
}

fn silences(snapshot: &Snapshot) -> Vec<Finding> {
    let silences = alertmanager(snapshot).and_then(|one| one.silences.answer()).into_iter().flatten();
    let active = silences.filter(|silence| silence["status"]["state"] == "active");
    active
        .filter_map(|silence| {
            let wide = |matcher: &serde_json::Value| {
                let any = ["", ".*", ".+"].contains(&text(&matcher["value"]));
                matcher["isRegex"] == true && any && matcher["isEqual"] != false
            };
            let names_watchdog = items(&silence["matchers"])
                .any(|matcher| matcher["name"] == "alertname" && matcher["value"] == "Watchdog");
            let left = snapshot.age(&silence["endsAt"]).unwrap_or_default();
            let what = if items(&silence["matchers"]).all(wide) {
                "hides every alert"
            } else if names_watchdog {
                "hides the Watchdog, which tells that alerts work"
            } else if left < -LONG {
                "hides alerts for more than a month to come"
            } else {
                return None;
            };
            Some(
                Finding::warn(format!("a silence of {} {what}", text(&silence["createdBy"])))
                    .evidence([format!(
                        "\"{}\", until {}",
                        text(&silence["comment"]),
                        text(&silence["endsAt"])
                    )])
                    .fix(format!("kubectl obs alerts unsilence {}", text(&silence["id"]))),
            )
        })
        .collect()
}

fn arrive(snapshot: &Snapshot) -> Vec<Finding> {
    let rules = snapshot.first_prometheus().and_then(|one| one.rules.answer());
    let groups = rules.into_iter().flat_map(|rules| items(&rules["groups"]));
    // one that has fired for less than two minutes may be under way
    let fires = groups.flat_map(|group| items(&group["rules"])).any(|rule| {
        rule["name"] == "Watchdog"
            && items(&rule["alerts"])
                .any(|alert| snapshot.age(&alert["activeAt"]).is_some_and(|age| age > 120.0))
    });
    let Some(alerts) = alertmanager(snapshot).and_then(|one| one.alerts.answer()) else { return Vec::new() };
    let there = alerts.iter().any(|alert| label(alert, "alertname") == "Watchdog");
    match fires && !there {
        false => Vec::new(),
        true => vec![
            Finding::fail("alerts that fire do not arrive in Alertmanager")
                .about("alertmanager")
                .evidence([
                    "the alert Watchdog fires in Prometheus, and Alertmanager does not have it".to_owned()
                ])
                .fix("kubectl obs logs prometheus"),
        ],
    }
}
