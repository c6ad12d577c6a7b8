//! Alerts as they are shown: what Prometheus says of them (also what is pending) joined with what
//! Alertmanager says (who is told, and what keeps it quiet). Pure over the answers of both.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::matcher::{Labels, Matcher};
use super::routing::Routing;

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds, and has for as long as its rule demands.
    Firing,
    /// It holds, but not for long enough.
    Pending,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its label `alertname`.
    pub name: String,
    /// Its label `severity`; empty where it has none.
    pub severity: String,
    /// How far it is.
    pub state: State,
    /// Since when, RFC 3339.
    pub since: String,
    /// How long it must hold before it fires, in seconds; of a pending one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_for_seconds: Option<u64>,
    /// All labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// The receivers that it is, or would be, sent to; absent where no Alertmanager says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<String>>,
    /// The silences that mute it.
    pub silenced_by: Vec<Silence>,
    /// The names of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// The times in which its routes are muted.
    pub muted_by: Vec<String>,
    /// It fires, and Alertmanager does not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing_in_alertmanager: bool,
}

/// One silence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// `active`, `pending` or `expired`.
    pub state: String,
    /// What it mutes.
    pub matchers: Vec<String>,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it begins, RFC 3339.
    pub starts_at: String,
    /// When it ends, RFC 3339.
    pub ends_at: String,
}

impl Silence {
    /// As Alertmanager tells it.
    pub fn read(value: &Value) -> Self {
        let matchers = value["matchers"].as_array().into_iter().flatten();
        Self {
            id: text(&value["id"]),
            state: text(&value["status"]["state"]),
            matchers: matchers.filter_map(Matcher::from_json).map(|matcher| matcher.to_string()).collect(),
            created_by: text(&value["createdBy"]),
            comment: text(&value["comment"]),
            starts_at: text(&value["startsAt"]),
            ends_at: text(&value["endsAt"]),
        }
    }
}

/// What an Alertmanager says.
pub struct Told<'v> {
    /// `/api/v2/alerts`
    pub alerts: &'v [Value],
    /// `/api/v2/silences`
    pub silences: &'v [Value],
    /// Its routes, for what is pending; None where its configuration cannot be read.
    pub routing: Option<&'v Routing>,
}

/// An alert's labels, as an API writes them.
pub fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), text(value))).collect()
}

/// All alerts, the gravest and then the oldest first. `rules` are `data` of `/api/v1/rules` of each
/// Prometheus, `external` the names of the labels that it adds to what leaves it.
pub fn join(rules: &[Value], external: &[String], told: Option<&Told<'_>>) -> Vec<Alert> {
    let mut alerts: BTreeMap<Labels, Alert> = BTreeMap::new();
    for alert in rules.iter().flat_map(of_rules) {
        match alerts.get_mut(&alert.labels) {
            // one replica may have restarted: the one that is further knows better
            Some(known) if (known.state, &known.since) <= (alert.state, &alert.since) => {}
            Some(known) => *known = alert,
            None => drop(alerts.insert(alert.labels.clone(), alert)),
        }
    }
    let mut alerts: Vec<Alert> = match told {
        None => alerts.into_values().collect(),
        Some(told) => joined(alerts, external, told),
    };
    alerts.sort_by(|a, b| order(a).cmp(&order(b)));
    alerts
}

/// The gravest and then the oldest first.
fn order(alert: &Alert) -> (usize, &str, &str, &Labels) {
    let rank = ["critical", "error", "warning", "info"].iter().position(|known| *known == alert.severity);
    (rank.unwrap_or(usize::MAX), &alert.since, &alert.name, &alert.labels)
}

/// The alerts of one Prometheus.
fn of_rules(data: &Value) -> impl Iterator<Item = Alert> {
    let rules = list(&data["groups"]).flat_map(|group| list(&group["rules"]));
    rules.flat_map(|rule| {
        let lasts = rule["duration"].as_f64().unwrap_or_default();
        list(&rule["alerts"]).filter_map(move |alert| {
            let state = match alert["state"].as_str()? {
                "firing" => State::Firing,
                "pending" => State::Pending,
                _ => return None,
            };
            let labels = labels(&alert["labels"]);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative; saturates"
            )]
            let pending_for_seconds = (state == State::Pending).then(|| lasts.max(0.0).round() as u64);
            Some(Alert {
                since: text(&alert["activeAt"]),
                pending_for_seconds,
                annotations: self::labels(&alert["annotations"]),
                ..Alert::bare(labels, state)
            })
        })
    })
}

fn joined(mut alerts: BTreeMap<Labels, Alert>, external: &[String], told: &Told<'_>) -> Vec<Alert> {
    let silences: BTreeMap<&str, &Value> =
        told.silences.iter().filter_map(|silence| Some((silence["id"].as_str()?, silence))).collect();
    let names: BTreeMap<&str, &str> = told
        .alerts
        .iter()
        .filter_map(|alert| Some((alert["fingerprint"].as_str()?, alert["labels"]["alertname"].as_str()?)))
        .collect();
    let mut all = Vec::new();
    for theirs in told.alerts {
        let labels = labels(&theirs["labels"]);
        let own = without(&labels, external);
        // what has a label by itself that others get on the way out keeps its own
        let known = alerts.remove(&labels).or_else(|| alerts.remove(&own));
        let mut alert = known.unwrap_or_else(|| Alert {
            annotations: self::labels(&theirs["annotations"]),
            ..Alert::bare(labels.clone(), State::Firing)
        });
        let status = &theirs["status"];
        let ids = |key: &str| list(&status[key]).filter_map(Value::as_str).collect::<Vec<_>>();
        if alert.state == State::Firing {
            alert.since = text(&theirs["startsAt"]);
        }
        alert.receivers = Some(list(&theirs["receivers"]).map(|to| text(&to["name"])).collect());
        let silence = |id: &str| silences.get(id).map(|value| Silence::read(value));
        alert.silenced_by = ids("silencedBy").into_iter().filter_map(silence).collect();
        alert.inhibited_by =
            ids("inhibitedBy").iter().map(|id| (*names.get(id).unwrap_or(id)).to_owned()).collect();
        alert.inhibited_by.sort();
        alert.inhibited_by.dedup();
        alert.muted_by = ids("mutedBy").into_iter().map(str::to_owned).collect();
        all.push(alert);
    }
    all.extend(alerts.into_values().map(|mut alert| {
        let would = told.routing.map(|routing| routing.names(&alert.labels));
        match alert.state {
            State::Pending => alert.receivers = would,
            State::Firing => {
                alert.receivers = Some(Vec::new());
                alert.missing_in_alertmanager = true;
            }
        }
        alert
    }));
    all
}

fn without(labels: &Labels, names: &[String]) -> Labels {
    labels.iter().filter(|(name, _)| !names.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

impl Alert {
    pub(in crate::ops) fn bare(labels: Labels, state: State) -> Self {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Self {
            name: label("alertname"),
            severity: label("severity"),
            state,
            since: String::new(),
            pending_for_seconds: None,
            labels,
            annotations: Labels::new(),
            receivers: None,
            silenced_by: Vec::new(),
            inhibited_by: Vec::new(),
            muted_by: Vec::new(),
            missing_in_alertmanager: false,
        }
    }

    /// Is it told to nobody?
    pub fn is_quiet(&self) -> bool {
        !(self.silenced_by.is_empty() && self.inhibited_by.is_empty() && self.muted_by.is_empty())
    }

    /// What it is about, in one line: where, and the summary of its rule.
    pub fn about(&self) -> String {
        let label = |name: &str| self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let what =
            ["pod", "app", "persistentvolumeclaim", "node", "instance", "job"].into_iter().find_map(label);
        let place: Vec<&str> = label("namespace").into_iter().chain(what).collect();
        let summary = self.annotations.get("summary").map(String::as_str).unwrap_or_default();
        match (place.join("/"), summary) {
            (place, "") => place,
            (place, summary) if place.is_empty() => summary.to_owned(),
            (place, summary) => format!("{place}: {summary}"),
        }
    }
}

/// What each is about; those that would read the same with the labels in which they differ.
pub fn abouts(alerts: &[Alert]) -> Vec<String> {
    let abouts: Vec<String> = alerts.iter().map(Alert::about).collect();
    let told_apart = |(alert, about): (&Alert, &String)| {
        let same =
            alerts.iter().zip(&abouts).filter(|(other, text)| other.name == alert.name && *text == about);
        let differs = |name: &&String| {
            same.clone().any(|(other, _)| other.labels.get(*name) != alert.labels.get(*name))
        };
        let labels: Vec<String> = alert
            .labels
            .keys()
            .filter(differs)
            .map(|name| format!("{name}={}", alert.labels[name]))
            .collect();
        if labels.is_empty() { about.clone() } else { format!("{about} ({})", labels.join(", ")) }
    };
    alerts.iter().zip(&abouts).map(told_apart).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(alerts: &[Value]) -> Value {
        json!({"groups": [{"rules": [{"type": "recording"}, {"type": "alerting", "duration": 600.0, "alerts": alerts}]}]})
    }

    fn alert(name: &str, severity: &str, state: &str, since: &str) -> Value {
        json!({"labels": {"alertname": name, "severity": severity, "namespace": "shop", "app": "orders"},
            "annotations": {"summary": "orders answers with errors"}, "state": state, "activeAt": since})
    }

    fn theirs(name: &str, severity: &str, status: &Value) -> Value {
        json!({"labels": {"alertname": name, "severity": severity, "namespace": "shop", "app": "orders", "cluster": "eu"},
            "fingerprint": format!("f-{name}"), "startsAt": "2026-11-27T10:05:00Z",
            "receivers": [{"name": "pager"}, {"name": "chat"}], "status": status})
    }

    #[test]
    fn alertmanager_says_who_is_told_and_prometheus_what_is_pending() {
        let prometheus = rules(&[
            alert("Slow", "warning", "pending", "2026-11-27T10:03:00Z"),
            alert("Errors", "critical", "firing", "2026-11-27T10:00:00Z"),
            alert("Lost", "critical", "firing", "2026-11-27T10:09:00Z"),
            alert("Lesser", "warning", "firing", "2026-11-27T09:00:00Z"),
        ]);
        let routing = Routing::read("route: {receiver: chat}\nreceivers: [{name: chat}]").unwrap();
        let silence = json!({"id": "s1", "status": {"state": "active"}, "createdBy": "alice", "comment": "migration",
            "startsAt": "2026-11-27T10:00:00Z", "endsAt": "2026-11-27T18:00:00Z",
            "matchers": [{"name": "app", "value": "orders", "isRegex": false, "isEqual": true}]});
        let told = Told {
            alerts: &[
                theirs(
                    "Errors",
                    "critical",
                    &json!({"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": []}),
                ),
                theirs("Lesser", "warning", &json!({"inhibitedBy": ["f-Errors"], "mutedBy": ["nights"]})),
                theirs("Elsewhere", "info", &json!({})),
            ],
            silences: &[silence],
            routing: Some(&routing),
        };
        let all = join(&[prometheus], &["cluster".to_owned()], Some(&told));
        let names: Vec<&str> = all.iter().map(|alert| alert.name.as_str()).collect();
        assert_eq!(names, ["Errors", "Lost", "Slow", "Lesser", "Elsewhere"]);
        let [errors, lost, slow, lesser, elsewhere] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(errors.receivers.as_deref(), Some(&["pager".to_owned(), "chat".to_owned()][..]));
        assert_eq!((errors.silenced_by[0].matchers[0].as_str(), errors.is_quiet()), ("app=\"orders\"", true));
        assert_eq!(errors.since, "2026-11-27T10:05:00Z", "when it began to fire");
        assert_eq!(errors.labels.get("cluster"), None);
        assert!(lost.missing_in_alertmanager);
        assert_eq!((slow.state, slow.pending_for_seconds), (State::Pending, Some(600)));
        assert_eq!(slow.receivers.as_deref(), Some(&["chat".to_owned()][..]), "who would be told");
        assert_eq!(
            (&lesser.inhibited_by[..], &lesser.muted_by[..]),
            (&["Errors".to_owned()][..], &["nights".to_owned()][..])
        );
        assert_eq!(elsewhere.labels["cluster"], "eu", "it is not Prometheus' own");
        assert_eq!(errors.about(), "shop/orders: orders answers with errors");
    }

    #[test]
    fn what_would_read_the_same_is_told_apart() {
        let burn = |window: &str, name: &str| {
            let labels = [("alertname", name), ("app", "orders"), ("slo", "latency"), ("window", window)];
            Alert::bare(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), State::Firing)
        };
        let alerts = [burn("1h", "Burn"), burn("6h", "Burn"), burn("6h", "Other")];
        assert_eq!(abouts(&alerts), ["orders (window=1h)", "orders (window=6h)", "orders"]);
    }

    #[test]
    fn of_two_replicas_the_one_that_is_further_counts() {
        let young = rules(&[alert("A", "info", "pending", "2026-11-27T10:09:00Z")]);
        let old = rules(&[alert("A", "info", "firing", "2026-11-27T10:00:00Z")]);
        for both in [[young.clone(), old.clone()], [old, young]] {
            let all = join(&both, &[], None);
            assert_eq!(
                (all.len(), all[0].state, all[0].since.as_str()),
                (1, State::Firing, "2026-11-27T10:00:00Z")
            );
            assert_eq!(all[0].receivers, None);
        }
    }
}
