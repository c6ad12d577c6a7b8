//! What the chain of an alert is made of: its rules and the parts of their expressions, whom Alertmanager tells, and
//! what its log says of that.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::alert::{self, Absent, PartNow, Untold};
use super::super::{Report, promql};
use super::first_prometheus;
use crate::cluster::{Cluster, LogQuery, Since};
use crate::doctor::queries::QUERIES;
use crate::error::{Error, Result};
use crate::ops::alerts::matcher::Labels;
use crate::ops::alerts::notified::{self, Failure};
use crate::ops::alerts::shown::{Alert, State};
use crate::ops::alerts::{self, routing, server};
use crate::ops::apps::pods::{list, text};
use crate::ops::get::values as shown_values;
use crate::ops::pod::{self, Place};
use crate::ops::{Context, components, live};
use crate::release::Record;

/// Most lines of Alertmanager's log that are looked at, and of most so many seconds.
const TAIL: u32 = 2000;
const LONGEST: i64 = 15 * 60;

/// From a rule to who is told.
pub async fn alert(ctx: &Context<'_>, name: &str) -> Result<Report> {
    let record = components::latest(ctx).await?;
    let (seen, report) = tokio::join!(alerts::of_prometheus(ctx, &record), alerts::alerts(ctx));
    let (seen, report) = (seen?, report?);
    let values = shown_values(&record, false).0;
    let own = alert::rules(&seen.rules, name);
    let queries: Vec<String> = own.iter().map(|rule| text(&rule["query"])).collect();
    let place = first_prometheus(ctx, &record).await?;
    let alerts: Vec<Alert> = report.alerts.into_iter().filter(|alert| alert.name == name).collect();
    let (parts, absent, alertmanagers, failed, answers) = tokio::join!(
        parts(ctx, &place, &queries),
        absent(ctx, &place, &queries),
        pod::api(ctx, &place, "/api/v1/alertmanagers"),
        failed(ctx, &place),
        answers(ctx, &record, &alerts),
    );
    let untold = report.untold.map(|why| match &answers {
        Err(nobody @ Untold::Nobody(_)) => nobody.clone(),
        _ => Untold::Unknown(why),
    });
    let (receivers, failures) = answers.unwrap_or_else(|why| {
        let (Untold::Nobody(why) | Untold::Unknown(why)) = why;
        (Err(why.clone()), Err(why))
    });
    let disabled = [&values["prometheus"]["rules"]["disable"], &values["rules"]["disable"]];
    let facts = alert::Facts {
        name: name.to_owned(),
        disabled: disabled.into_iter().flat_map(list).map(text).collect(),
        parts,
        absent,
        alerts,
        untold,
        alertmanagers: alertmanagers.ok().map(|data| list(&data["activeAlertmanagers"]).count()),
        receivers,
        failures,
        failed,
        rules: seen.rules,
    };
    Ok(Report::of(&record, "alert", alert::chain(&facts), Vec::new(), Vec::new()))
}

/// What each part of the expressions is at present.
async fn parts(ctx: &Context<'_>, place: &Place, queries: &[String]) -> Result<Vec<PartNow>, String> {
    let parts = queries.iter().flat_map(|query| promql::parts(query));
    let asked = parts.map(|part| async move {
        let holds = pod::query(ctx, place, &part.text, None).await?;
        let compared = match (&part.left, part.compared) {
            (Some(left), Some(compared)) => {
                let data = pod::query(ctx, place, left, None).await?;
                let values =
                    list(&data["result"]).filter_map(|series| series["value"][1].as_str()?.parse().ok());
                Some((compared, values.take(1000).collect()))
            }
            _ => None,
        };
        Ok(PartNow { text: part.text, holds_for: list(&holds["result"]).count(), compared })
    });
    join_all(asked).await.into_iter().collect()
}

/// The selectors without any series, as far as that is known.
async fn absent(ctx: &Context<'_>, place: &Place, queries: &[String]) -> Vec<Absent> {
    let mut selectors: Vec<String> = queries.iter().flat_map(|query| promql::selectors(query)).collect();
    selectors.sort();
    selectors.dedup();
    let number = async |query: &str| -> Option<usize> {
        let data = pod::query(ctx, place, &format!("count({query})"), None).await.ok()?;
        match list(&data["result"]).next() {
            None => Some(0),
            Some(series) => series["value"][1].as_str()?.parse().ok(),
        }
    };
    let of = async |selector: String| -> Option<Absent> {
        if number(&selector).await? > 0 {
            return None;
        }
        let same = match promql::metric(&selector) {
            Some(metric) => number(metric).await?,
            None => 0,
        };
        let scraped = match promql::job(&selector) {
            Some(job) => Some(number(&format!("up{{{job}}} == 1")).await? > 0),
            None => None,
        };
        Some(Absent { selector, same, scraped })
    };
    let mut absent = Vec::new();
    for selector in selectors {
        absent.extend(of(selector).await);
    }
    absent
}

/// Requests to receivers that failed.
async fn failed(ctx: &Context<'_>, place: &Place) -> Result<Vec<String>, String> {
    let Some(query) = QUERIES.iter().find(|query| query.name == "messagesFailed") else {
        return Ok(Vec::new());
    };
    let data = pod::query(ctx, place, query.text, None).await?;
    let line = |series: &Value| {
        let label = |name: &str| text(&series["metric"][name]);
        let receiver = label("receiver_name");
        let receiver = if receiver.is_empty() { String::new() } else { format!(" of {receiver}") };
        format!("{}{receiver}: {}", label("integration"), label("reason"))
    };
    Ok(list(&data["result"]).map(line).collect())
}

/// The receivers that tell somebody, with their integrations.
type Receivers = BTreeMap<String, Vec<String>>;

/// The receivers that tell somebody, and what Alertmanager's logs say of these alerts since they fire; an error where
/// there is nobody to ask.
async fn answers(
    ctx: &Context<'_>,
    record: &Record,
    alerts: &[Alert],
) -> Result<(Result<Receivers, String>, Result<Vec<Failure>, String>), Untold> {
    let alertmanager = match server::Alertmanager::of(ctx, record).await {
        None => {
            return Err(Untold::Nobody(format!(
                "release {} has no {}",
                record.release,
                server::ALERTMANAGER
            )));
        }
        Some(Err(why)) => {
            let ready = live::ready_pods(ctx, &record.namespace, server::ALERTMANAGER).await;
            let nobody = ready.is_ok_and(|pods| pods.is_empty());
            return Err(if nobody { Untold::Nobody(why) } else { Untold::Unknown(why) });
        }
        Some(Ok(alertmanager)) => alertmanager,
    };
    let (routing, failures) = tokio::join!(
        alertmanager.routing(),
        failures(ctx.cluster, &alertmanager.places, alerts, Timestamp::now())
    );
    Ok((routing.map(|routing| telling(&routing)), failures))
}

/// What the logs of these pods say of the alerts since the first of them fires, the newest first.
async fn failures(
    cluster: &Cluster,
    places: &[Place],
    alerts: &[Alert],
    now: Timestamp,
) -> Result<Vec<Failure>, String> {
    let firing = || alerts.iter().filter(|alert| alert.state == State::Firing);
    let Some(since) = since(firing(), now) else { return Ok(Vec::new()) };
    let labels: Vec<Labels> = firing().map(|alert| alert.labels.clone()).collect();
    let labels = &labels;
    let asked = places.iter().map(|Place { namespace, pod, .. }| async move {
        let query = LogQuery { tail: Some(TAIL), since: Some(Since::Time(since)), ..LogQuery::default() };
        let said = |error: Error| format!("the log of pod {pod}: {}", error.message());
        let log = cluster.log_lines(namespace, pod, server::ALERTMANAGER, query).await;
        let mut log = log.map_err(|error| said(error.into()))?;
        let mut lines = Vec::new();
        while let Some(line) = log.next().await.map_err(said)? {
            lines.push(line.text);
        }
        Ok::<_, String>(notified::failures(lines.iter().map(String::as_str), labels))
    });
    let logs: Vec<Vec<Failure>> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let mut failures: Vec<Failure> = logs.into_iter().flatten().collect();
    failures.reverse();
    failures.dedup();
    Ok(failures)
}

/// Since when one of these alerts fires, at most [`LONGEST`] ago; None where none does.
fn since<'a>(firing: impl Iterator<Item = &'a Alert>, now: Timestamp) -> Option<Timestamp> {
    let earliest = now.saturating_sub(SignedDuration::from_secs(LONGEST)).ok()?;
    // who does not say when may have begun long ago
    let began = firing.map(|alert| alert.since.parse().unwrap_or(earliest)).min()?;
    Some(began.max(earliest))
}

fn telling(routing: &routing::Routing) -> BTreeMap<String, Vec<String>> {
    let telling = routing.receivers.iter().filter(|receiver| !receiver.integrations.is_empty());
    telling.map(|receiver| (receiver.name.clone(), receiver.integrations.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::{Fake, Step};

    fn alert(since: &str, state: State) -> Alert {
        let labels = Labels::from([("alertname".to_owned(), "Down".to_owned())]);
        Alert { since: since.to_owned(), ..Alert::bare(labels, state) }
    }

    async fn asked(alerts: &[Alert]) -> (Result<Vec<Failure>, String>, Vec<String>) {
        let refusal = concat!(
            r#"2026-11-28T09:58:00Z level=ERROR msg="Notify for alerts failed" aggrGroup="{}:{alertname=\"Down\"}" "#,
            r#"err="pager/webhook[0]: notify retry canceled due to unrecoverable error after 1 attempts: 403""#,
            "\n",
            r#"2026-11-28T09:59:00Z level=ERROR msg="Notify for alerts failed" aggrGroup="{}:{alertname=\"TargetDown\"}" "#,
            r#"err="pager/webhook[0]: notify retry canceled due to unrecoverable error after 1 attempts: 500""#,
            "\n"
        );
        let fake = Fake::new([Step::Text(200, refusal)]);
        let place = Place { namespace: "obs".into(), pod: "alertmanager-0".into(), port: 9093 };
        let now = "2026-11-28T10:00:00Z".parse().unwrap();
        (failures(&fake.reached(), &[place], alerts, now).await, fake.lines())
    }

    #[tokio::test]
    async fn the_log_is_read_since_the_alert_fires_and_no_longer() {
        let (found, lines) = asked(&[alert("2026-11-28T09:57:10Z", State::Firing)]).await;
        let words: Vec<String> = found.unwrap().into_iter().map(|failure| failure.words).collect();
        assert_eq!(words, ["403"]);
        assert_eq!(
            lines,
            [
                "GET /api/v1/namespaces/obs/pods/alertmanager-0/log?container=alertmanager&timestamps=true&tailLines=2000&sinceTime=2026-11-28T09:57:10Z"
            ]
        );
        for since in ["2026-11-20T00:00:00Z", ""] {
            let (_, lines) = asked(&[alert(since, State::Firing)]).await;
            assert!(lines[0].ends_with("sinceTime=2026-11-28T09:45:00Z"), "{lines:?}");
        }
        let (found, lines) = asked(&[alert("2026-11-28T09:57:10Z", State::Pending)]).await;
        assert_eq!((found, lines.len()), (Ok(Vec::new()), 0));
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_read_is_no_empty_one() {
        let fake = Fake::new([Step::Json(403, serde_json::json!({"reason": "Forbidden", "code": 403}))]);
        let place = Place { namespace: "obs".into(), pod: "alertmanager-0".into(), port: 9093 };
        let alerts = [alert("2026-11-28T09:57:10Z", State::Firing)];
        let found =
            failures(&fake.reached(), &[place], &alerts, "2026-11-28T10:00:00Z".parse().unwrap()).await;
        assert!(found.unwrap_err().starts_with("the log of pod alertmanager-0: "));
    }
}
