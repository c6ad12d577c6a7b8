//! What the chain of an alert is made of: its rules and the parts of their expressions, whom Alertmanager tells, and
//! what its log says of that.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use super::super::alert::{self, PartNow};
use super::super::{Report, promql};
use super::first_prometheus;
use crate::doctor::queries::QUERIES;
use crate::error::Result;
use crate::ops::alerts::{self, notified, routing, server};
use crate::ops::apps::pods::{list, text};
use crate::ops::get::values as shown_values;
use crate::ops::pod::{self, Place};
use crate::ops::{Context, components};
use crate::release::Record;

/// Lines of Alertmanager's log that are looked at.
const TAIL: u32 = 2000;

/// From a rule to who is told.
pub async fn alert(ctx: &Context<'_>, name: &str) -> Result<Report> {
    let record = components::latest(ctx).await?;
    let (seen, report) = tokio::join!(alerts::of_prometheus(ctx, &record), alerts::alerts(ctx));
    let (seen, report) = (seen?, report?);
    let values = shown_values(&record, false).0;
    let own = alert::rules(&seen.rules, name);
    let queries: Vec<String> = own.iter().map(|rule| text(&rule["query"])).collect();
    let place = first_prometheus(ctx, &record).await?;
    let (parts, absent, alertmanagers, failed, (receivers, failures)) = tokio::join!(
        parts(ctx, &place, &queries),
        absent(ctx, &place, &queries),
        pod::api(ctx, &place, "/api/v1/alertmanagers"),
        failed(ctx, &place),
        answers(ctx, &record, name),
    );
    let disabled = [&values["prometheus"]["rules"]["disable"], &values["rules"]["disable"]];
    let facts = alert::Facts {
        name: name.to_owned(),
        disabled: disabled.into_iter().flat_map(list).map(text).collect(),
        parts,
        absent,
        alerts: report.alerts.into_iter().filter(|alert| alert.name == name).collect(),
        untold: report.untold,
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

/// The selectors without any series, each with how many have the same name.
async fn absent(ctx: &Context<'_>, place: &Place, queries: &[String]) -> Vec<(String, usize)> {
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
    let mut absent = Vec::new();
    for selector in selectors {
        if number(&selector).await == Some(0) {
            let same = match promql::metric(&selector) {
                Some(metric) => number(metric).await.unwrap_or_default(),
                None => 0,
            };
            absent.push((selector, same));
        }
    }
    absent
}

/// Requests to receivers that failed.
async fn failed(ctx: &Context<'_>, place: &Place) -> Vec<String> {
    let Some(query) = QUERIES.iter().find(|query| query.name == "messagesFailed") else {
        return Vec::new();
    };
    let data = pod::query(ctx, place, query.text, None).await.unwrap_or_default();
    let line = |series: &Value| {
        let label = |name: &str| text(&series["metric"][name]);
        let receiver = label("receiver_name");
        let receiver = if receiver.is_empty() { String::new() } else { format!(" of {receiver}") };
        format!("{}{receiver}: {}", label("integration"), label("reason"))
    };
    list(&data["result"]).map(line).collect()
}

/// The receivers that tell somebody, and what Alertmanager's logs say of the alert.
async fn answers(
    ctx: &Context<'_>,
    record: &Record,
    name: &str,
) -> (BTreeMap<String, Vec<String>>, Vec<notified::Failure>) {
    let Some(Ok(alertmanager)) = server::Alertmanager::of(ctx, record).await else {
        return Default::default();
    };
    let receivers = match alertmanager.routing().await {
        Ok(routing) => telling(&routing),
        Err(_) => BTreeMap::new(),
    };
    let logs = alertmanager
        .places
        .iter()
        .map(|place| ctx.cluster.logs(&place.namespace, &place.pod, server::ALERTMANAGER, false, TAIL));
    let logs: Vec<String> = join_all(logs).await.into_iter().flatten().collect();
    let mut failures = notified::failures(logs.iter().flat_map(|log| log.lines()), name);
    failures.reverse();
    failures.dedup();
    (receivers, failures)
}

fn telling(routing: &routing::Routing) -> BTreeMap<String, Vec<String>> {
    let telling = routing.receivers.iter().filter(|receiver| !receiver.integrations.is_empty());
    telling.map(|receiver| (receiver.name.clone(), receiver.integrations.clone())).collect()
}
