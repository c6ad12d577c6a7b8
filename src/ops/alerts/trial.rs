//! A test message through the real routing: an alert with a name of its own and labels that lead to the
//! receivers that are meant, told to every Alertmanager as Prometheus would; what the receivers
//! answered; and the end of the alert.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::matcher::{Labels, Matcher};
use super::notified::{self, Answer, Counts, Failure, Outcome};
use super::routing::{Receiver, Routing, Told};
use super::server::{ALERTMANAGER, Alertmanager};
use crate::cluster::{LogQuery, Since};
use crate::error::{Error, Result};
use crate::ops::{Context, components};
use crate::release::Record;
use crate::values::did_you_mean;

/// The name of the alert.
pub const ALERT: &str = "KubectlObsTest";
/// What a receiver may take beyond the times of its route.
const PATIENCE: u64 = 20;
/// What a replica lets each one before it try first, unless told otherwise.
const PEER: u64 = 15;
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// The alert ends by itself so much later, should nobody end it.
const BEYOND: i64 = 60;

/// What is to be sent.
pub struct Plan<'a, 'c> {
    ctx: &'a Context<'c>,
    record: Record,
    alertmanager: Alertmanager<'a, 'c>,
    routing: Routing,
    sets: Vec<(Labels, Vec<Told>)>,
    /// Differs from test to test.
    mark: String,
    unreachable: Vec<Unreachable>,
    /// The longest time until the receivers have been told, in seconds.
    pub wait: u64,
    /// Why it is long.
    pub because: String,
}

/// A receiver that a test message cannot be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreachable {
    /// The receiver.
    pub receiver: String,
    /// Why not.
    pub why: String,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The labels of the alerts that were sent.
    pub alerts: Vec<Labels>,
    /// What each receiver answered.
    pub answers: Vec<Answer>,
    /// Receivers that no labels lead to.
    pub unreachable: Vec<Unreachable>,
    /// What kept an alert quiet: then receivers were not told.
    pub quiet: Vec<String>,
    /// After so many seconds at most receivers learn that it is over.
    pub resolved_within_seconds: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// Did every receiver take it?
    pub fn is_fine(&self) -> bool {
        self.answers.iter().all(|answer| answer.outcome == Outcome::Accepted)
    }
}

/// Finds out how to reach the receiver, or all of them.
pub async fn plan<'a, 'c>(ctx: &'a Context<'c>, receiver: Option<&str>) -> Result<Plan<'a, 'c>> {
    let record = components::latest(ctx).await?;
    let alertmanager = Alertmanager::demand(ctx, &record).await?;
    let unread = |why| Error::failed(format!("the routes of alertmanager cannot be read: {why}"));
    let routing = alertmanager.routing().await.map_err(unread)?;
    let wanted = wanted(&routing, receiver)?;
    let fixed = Labels::from([("alertname".to_owned(), ALERT.to_owned())]);
    let (sets, left) = routing.plan(&wanted, &fixed);
    let unreachable: Vec<Unreachable> = left
        .into_iter()
        .map(|receiver| Unreachable {
            receiver: receiver.to_owned(),
            why: format!("no labels lead an alert called {ALERT} there"),
        })
        .collect();
    if sets.is_empty() {
        let names = unreachable.iter().map(|one| one.receiver.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::failed(format!("no test message can be sent to {names}: {}", unreachable[0].why))
            .hint(
                "its route takes other alerts alone, or an earlier one takes all of its alerts; \
                   kubectl obs get values shows alertmanager.route",
            ));
    }
    let mark = format!("test-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let number = |(number, (labels, told)): (usize, (Labels, Vec<Told>))| {
        (marked(&routing, labels, &told, &format!("{mark}-{}", number + 1)), told)
    };
    let sets: Vec<(Labels, Vec<Told>)> = sets.into_iter().enumerate().map(number).collect();
    // who groups by none of what is new may still hold the group of the last test, which sends no sooner
    // than its interval
    let wait = |labels: &Labels, told: &Told| {
        let mut new = labels.iter().filter(|(_, value)| value.starts_with(&mark));
        match new.any(|(name, _)| told.groups_by(name)) {
            true => (told.times.wait, "group_wait"),
            false => (told.times.wait.max(told.times.interval), "group_interval"),
        }
    };
    let waits = sets.iter().filter_map(|(labels, told)| told.iter().map(|told| wait(labels, told)).max());
    let (longest, because) = waits.max().unwrap_or_default();
    let peers = PEER * (alertmanager.places.len() as u64).saturating_sub(1);
    let because = format!("{because} of {longest}s");
    let wait = longest + peers + PATIENCE;
    Ok(Plan { ctx, record, alertmanager, routing, sets, mark, unreachable, wait, because })
}

/// The labels with some of a value that no other alert has, as far as no route looks at them: what was
/// told once is not told again, and a group that is new is told sooner. The usual rules of inhibition
/// compare both.
fn marked(routing: &Routing, labels: Labels, told: &[Told], mark: &str) -> Labels {
    let mut marked = labels;
    for name in ["namespace", "instance"] {
        let mut with = marked.clone();
        if with.insert(name.to_owned(), mark.to_owned()).is_none() && routing.told(&with) == told {
            marked = with;
        }
    }
    if !marked.values().any(|value| value == mark) {
        marked.insert("test".to_owned(), mark.to_owned());
    }
    marked
}

/// The receivers that are meant; those that drop what they get are not.
fn wanted<'r>(routing: &'r Routing, receiver: Option<&str>) -> Result<Vec<&'r str>> {
    let telling: Vec<&str> = routing
        .receivers
        .iter()
        .filter(|receiver| !receiver.integrations.is_empty())
        .map(|receiver| receiver.name.as_str())
        .collect();
    let Some(name) = receiver else {
        if telling.is_empty() {
            return Err(Error::failed("alertmanager has no receiver that tells anybody").hint(
                "set alertmanager.receivers and alertmanager.route.default; kubectl obs bundle values \
                       alertmanager shows how",
            ));
        }
        return Ok(telling);
    };
    match routing.receiver(name) {
        Some(Receiver { integrations, .. }) if integrations.is_empty() => {
            Err(Error::usage(format!("receiver {name} tells nobody: it drops what it gets")))
        }
        Some(found) => Ok(vec![&found.name]),
        None => {
            let mut error = Error::usage(format!("alertmanager has no receiver {name}"));
            if let Some(near) = did_you_mean(name, telling.iter().copied()) {
                error = error.hint(format!("did you mean {near}?"));
            }
            Err(error.hint(format!("there are: {}", telling.join(", "))))
        }
    }
}

impl Plan<'_, '_> {
    /// The receivers that will get a message: also those that the routing adds.
    pub fn receivers(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (_, told) in &self.sets {
            names.extend(told.iter().map(|told| told.receiver.clone()));
        }
        names.sort();
        names.dedup();
        names
    }

    /// Sends, listens for as long as `patience`, and ends the alerts.
    pub async fn carry_out(self, by: &str, patience: Duration) -> Result<Report> {
        let failed = |why: String| Error::failed(format!("alertmanager: {why}"));
        let began = Instant::now();
        let alerts = self.alerts(by, Timestamp::now());
        let wanted = self.integrations();
        let before = Counts::read(&self.alertmanager.metrics().await.map_err(failed)?);
        let lasts = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX).saturating_add(BEYOND);
        self.tell(&alerts, SignedDuration::from_secs(lasts)).await.map_err(failed)?;
        let listened = self.ctx.cancel.or(self.listen(&wanted, &before, began, patience)).await;
        // whatever came of it, also after Ctrl-C, it does not fire on
        self.tell(&alerts, SignedDuration::ZERO).await.map_err(failed)?;
        let (answers, quiet) = listened?;
        let intervals = self.sets.iter().flat_map(|(_, told)| told).map(|told| told.times.interval);
        Ok(Report {
            resolved_within_seconds: intervals.max().unwrap_or_default(),
            release: self.record.release,
            namespace: self.record.namespace,
            alerts: alerts.iter().map(|alert| super::shown::labels(&alert["labels"])).collect(),
            answers,
            unreachable: self.unreachable,
            quiet,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    fn alerts(&self, by: &str, now: Timestamp) -> Vec<Value> {
        let alert = |(labels, _): &(Labels, Vec<Told>)| {
            json!({
                "labels": labels,
                "annotations": {
                    "summary": format!("Test message, sent by {by} with kubectl obs: nothing is wrong"),
                    "description": format!(
                        "Somebody wanted to know whether messages arrive. It ends by itself ({}).",
                        self.mark
                    ),
                },
                "startsAt": now.to_string(),
            })
        };
        self.sets.iter().map(alert).collect()
    }

    /// Tells every replica that the alerts end so much from now.
    async fn tell(&self, alerts: &[Value], lasts: SignedDuration) -> Result<(), String> {
        let ends = Timestamp::now().saturating_add(lasts).map_err(|error| error.to_string())?;
        let mut alerts = alerts.to_vec();
        for alert in &mut alerts {
            alert["endsAt"] = ends.to_string().into();
        }
        self.alertmanager.post_alerts(&Value::Array(alerts)).await
    }

    /// Every integration that is to be told.
    fn integrations(&self) -> Vec<(String, String)> {
        let receivers = self.receivers();
        let receivers = receivers.iter().filter_map(|name| self.routing.receiver(name));
        let pairs = receivers.flat_map(|receiver| {
            receiver.integrations.iter().map(|integration| (receiver.name.clone(), integration.clone()))
        });
        pairs.collect()
    }

    /// Until everybody answered, or it takes too long. Looks that fail are tried again.
    async fn listen(
        &self,
        wanted: &[(String, String)],
        before: &Counts,
        began: Instant,
        patience: Duration,
    ) -> Result<(Vec<Answer>, Vec<String>)> {
        let deadline = (began + patience).min(self.ctx.deadline);
        let mut answers = notified::answers(wanted, before, before, &[]);
        loop {
            tokio::time::sleep(PAUSE).await;
            let late = Instant::now() + PAUSE >= deadline;
            if let Ok(metrics) = self.alertmanager.metrics().await {
                let now = Counts::read(&metrics);
                let failures = match late || now.failures_since(before) {
                    true => self.failures(began).await,
                    false => Vec::new(),
                };
                answers = notified::answers(wanted, before, &now, &failures);
            }
            let (quiet, hopeless) = self.quiet().await;
            let done = answers.iter().all(|answer| answer.outcome != Outcome::Silent);
            if done || late || hopeless >= self.sets.len() {
                return Ok((answers, quiet));
            }
        }
    }

    /// What the logs say since then.
    async fn failures(&self, began: Instant) -> Vec<Failure> {
        let mut found = Vec::new();
        for place in &self.alertmanager.places {
            let since = Some(Since::Ago(began.elapsed().as_secs() + 1));
            let query = LogQuery { since, ..LogQuery::default() };
            let log = self.ctx.cluster.log_lines(&place.namespace, &place.pod, ALERTMANAGER, query).await;
            let Ok(mut log) = log else { continue };
            let mut lines = Vec::new();
            while let Ok(Some(line)) = log.next().await {
                lines.push(line.text);
            }
            let alerts: Vec<Labels> = self.sets.iter().map(|(labels, _)| labels.clone()).collect();
            found.extend(notified::failures(lines.iter().map(String::as_str), &alerts));
        }
        found
    }

    /// What keeps the alerts of this test from being told, and how many alerts are told to nobody. (A
    /// mute time is one route's.)
    async fn quiet(&self) -> (Vec<String>, usize) {
        let alerts =
            self.alertmanager.alerts(&[Matcher::equal("alertname", ALERT)]).await.unwrap_or_default();
        let reason = |alert: &Value| {
            let ids = |key: &str| alert["status"][key].as_array().map_or(0, Vec::len);
            let reasons =
                [("silencedBy", "a silence"), ("inhibitedBy", "another alert"), ("mutedBy", "a mute time")];
            let why = reasons.into_iter().find(|(key, _)| ids(key) > 0)?.1;
            let to = alert["receivers"].as_array().into_iter().flatten();
            let to: Vec<&str> = to.filter_map(|receiver| receiver["name"].as_str()).collect();
            Some(format!("{why} keeps the message to {} back", to.join(", ")))
        };
        let suppressed = alerts.iter().filter(|alert| alert["status"]["state"] == "suppressed");
        let by_route =
            |alert: &&Value| alert["status"]["mutedBy"].as_array().is_some_and(|by| !by.is_empty());
        (alerts.iter().filter_map(reason).collect(), suppressed.filter(|alert| !by_route(alert)).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_like_none_before_where_no_route_looks() {
        let told = |routes: &str| {
            let config =
                format!("route: {{receiver: a, group_by: [namespace], routes: [{routes}]}}\nreceivers: []");
            let routing = Routing::read(&config).unwrap();
            let told = routing.told(&Labels::new());
            marked(&routing, Labels::new(), &told, "test-1").into_keys().collect::<Vec<_>>()
        };
        assert_eq!(told(""), ["instance", "namespace"]);
        let route = |label: &str| format!("{{receiver: b, matchers: ['{label}=~\".+\"']}}");
        assert_eq!(told(&route("namespace")), ["instance"]);
        assert_eq!(told(&format!("{}, {}", route("namespace"), route("instance"))), ["test"]);
    }

    #[test]
    fn receivers_are_named_as_the_configuration_names_them() {
        let config = "route: {receiver: chat}\nreceivers: [{name: nobody}, {name: chat, slack_configs: [{}]}, {name: pager, webhook_configs: [{}]}]";
        let routing = Routing::read(config).unwrap();
        assert_eq!(wanted(&routing, None).unwrap(), ["chat", "pager"]);
        assert_eq!(wanted(&routing, Some("pager")).unwrap(), ["pager"]);
        let error = wanted(&routing, Some("pagr")).unwrap_err().to_string();
        assert_eq!(
            error,
            "alertmanager has no receiver pagr\n  hint: did you mean pager?\n  hint: there are: chat, pager"
        );
        let error = wanted(&routing, Some("nobody")).unwrap_err().to_string();
        assert_eq!(error, "receiver nobody tells nobody: it drops what it gets");
        let none = Routing::read("route: {receiver: a}\nreceivers: [{name: a}]").unwrap();
        assert!(wanted(&none, None).is_err());
    }
}
