//! Silences: made, listed, ended. A silence also keeps the news from receivers that an alert is over,
//! so what opened an incident there leaves it open (prometheus/alertmanager#226): that is told.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::matcher::{Matcher, parse};
use super::routing::Routing;
use super::server::Alertmanager;
use super::shown::{self, Silence};
use crate::error::{Error, Result};
use crate::ops::{Context, components};

/// So many characters of an id are enough, if no other begins with them.
const SHORT_ID: usize = 4;

/// A silence that was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// The silence.
    pub silence: Silence,
    /// The alerts that fire and that it mutes.
    pub mutes: Vec<Muted>,
}

/// An alert that a silence mutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Muted {
    /// Its name.
    pub alert: String,
    /// What it is about.
    pub about: String,
    /// The receivers with an open incident that stays open if the alert ends meanwhile.
    pub open_incidents: Vec<Incident>,
}

/// Where an alert has opened an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// The receiver.
    pub receiver: String,
    /// `pagerduty`, `opsgenie`, …
    pub with: String,
}

/// The silences of a release.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Those that end first come first.
    pub silences: Vec<Silence>,
}

/// Reads what was typed: each text holds one or more matchers, the first may be the name of an alert.
pub fn matchers(texts: &[String]) -> Result<Vec<Matcher>> {
    let mut found = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let read = parse(text, place == 0).map_err(|why| {
            Error::usage(format!("\"{text}\" is no matcher: {why}"))
                .hint("write it as severity=warning, 'team=~\"shop|orders\"' or alertname!=Watchdog")
        })?;
        found.extend(read);
    }
    Ok(found)
}

/// Makes a silence that begins now.
pub async fn silence(
    ctx: &Context<'_>,
    matchers: &[Matcher],
    lasts: Duration,
    comment: &str,
    by: &str,
) -> Result<Made> {
    let record = components::latest(ctx).await?;
    let alertmanager = Alertmanager::demand(ctx, &record).await?;
    let refused = |why: String| {
        Error::failed(format!("alertmanager refuses the silence: {why}"))
            .hint("kubectl obs alerts -o yaml shows the labels of all alerts")
    };
    // its own reading of the matchers, and what they match now
    let matched = alertmanager.alerts(matchers).await.map_err(refused)?;
    let now = Timestamp::now();
    let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
    let ends = now.checked_add(lasts).map_err(|_| Error::usage("--for goes beyond what a clock can show"))?;
    let text: Vec<Value> = matchers.iter().map(Matcher::to_json).collect();
    let wanted = json!({"matchers": text, "startsAt": now.to_string(), "endsAt": ends.to_string(),
        "createdBy": by, "comment": comment});
    let id = alertmanager.silence(&wanted).await.map_err(refused)?;
    // what opens incidents is worth knowing, not worth failing for what is done
    let routing = alertmanager.routing().await.ok();
    let made = json!({"id": id, "status": {"state": "active"}});
    let silence = Silence {
        id: made["id"].as_str().unwrap_or_default().to_owned(),
        ..Silence::read(&merged(wanted, made))
    };
    Ok(Made { silence, mutes: muted(&matched, routing.as_ref()) })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// What a silence does to the alerts that it matches. Who was told of one that something muted already
/// is not known, so no incident is said to be open.
fn muted(matched: &[Value], routing: Option<&Routing>) -> Vec<Muted> {
    let mut all: Vec<Muted> = matched
        .iter()
        .map(|value| {
            let alert = shown::join(
                &[],
                &[],
                Some(&shown::Told { alerts: std::slice::from_ref(value), silences: &[], routing: None }),
            );
            let told = value["receivers"].as_array().into_iter().flatten();
            let names = told.filter_map(|receiver| receiver["name"].as_str());
            let names = names.filter(|_| value["status"]["state"] == "active");
            let incident = |name: &str| {
                let with = routing?.receiver(name)?.incidents()?;
                Some(Incident { receiver: name.to_owned(), with: with.to_owned() })
            };
            Muted {
                alert: value["labels"]["alertname"].as_str().unwrap_or_default().to_owned(),
                about: alert.first().map(shown::Alert::about).unwrap_or_default(),
                open_incidents: names.filter_map(incident).collect(),
            }
        })
        .collect();
    all.sort_by(|a, b| (&a.alert, &a.about).cmp(&(&b.alert, &b.about)));
    all
}

/// The silences that are not over.
pub async fn silences(ctx: &Context<'_>) -> Result<Report> {
    let record = components::latest(ctx).await?;
    let alertmanager = Alertmanager::demand(ctx, &record).await?;
    let silences = standing(&alertmanager).await?;
    Ok(Report { release: record.release, namespace: record.namespace, silences })
}

async fn standing(alertmanager: &Alertmanager<'_, '_>) -> Result<Vec<Silence>> {
    let all = alertmanager.silences().await.map_err(|why| Error::failed(format!("alertmanager: {why}")))?;
    let mut silences: Vec<Silence> =
        all.iter().map(Silence::read).filter(|one| one.state != "expired").collect();
    silences.sort_by(|a, b| (&a.ends_at, &a.id).cmp(&(&b.ends_at, &b.id)));
    Ok(silences)
}

/// Ends silences: those with these ids (or beginnings of them), or all.
pub async fn unsilence(ctx: &Context<'_>, ids: &[String], all: bool) -> Result<Report> {
    // Alertmanager's are UUIDs
    if let Some(id) = ids.iter().find(|id| !id.chars().all(|c| c.is_ascii_hexdigit() || c == '-')) {
        return Err(Error::usage(format!("\"{id}\" is no id of a silence"))
            .hint("kubectl obs alerts silences shows the ids"));
    }
    let record = components::latest(ctx).await?;
    let alertmanager = Alertmanager::demand(ctx, &record).await?;
    let standing = standing(&alertmanager).await?;
    let ended = if all { standing } else { chosen(&standing, ids)? };
    for silence in &ended {
        let outcome = alertmanager.unsilence(&silence.id).await;
        outcome.map_err(|why| Error::failed(format!("silence {} cannot be ended: {why}", silence.id)))?;
    }
    Ok(Report { release: record.release, namespace: record.namespace, silences: ended })
}

/// Those that are meant; all or none.
fn chosen(standing: &[Silence], ids: &[String]) -> Result<Vec<Silence>> {
    let mut found: Vec<Silence> = Vec::new();
    for id in ids {
        let begins = |silence: &&Silence| {
            silence.id == *id || id.len() >= SHORT_ID && silence.id.starts_with(id.as_str())
        };
        let mut fits = standing.iter().filter(begins);
        let silence = match (fits.next(), fits.next()) {
            (Some(one), None) => one,
            (Some(_), Some(_)) => {
                return Err(Error::usage(format!("more than one silence begins with {id}"))
                    .hint("kubectl obs alerts silences shows the whole ids"));
            }
            _ => {
                return Err(Error::usage(format!("there is no silence {id} that is not over"))
                    .hint("kubectl obs alerts silences shows those that there are"));
            }
        };
        if !found.contains(silence) {
            found.push(silence.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_that_will_not_close_is_named() {
        let routing = "route: {receiver: chat}\nreceivers: [{name: chat, slack_configs: [{}]}, {name: pager, pagerduty_configs: [{}]}]";
        let routing = Routing::read(routing).unwrap();
        let alert = |name: &str, state: &str| {
            json!({"labels": {"alertname": name, "namespace": "shop"}, "receivers": [{"name": "pager"}, {"name": "chat"}],
                "status": {"state": state}})
        };
        let muted = muted(&[alert("B", "suppressed"), alert("A", "active")], Some(&routing));
        let pager = Incident { receiver: "pager".into(), with: "pagerduty".into() };
        assert_eq!(muted[0], Muted { alert: "A".into(), about: "shop".into(), open_incidents: vec![pager] });
        assert_eq!(muted[1].open_incidents, [], "something muted it before");
    }

    #[test]
    fn a_beginning_of_an_id_is_enough() {
        let silence = |id: &str| Silence { id: id.into(), ..Silence::read(&Value::Null) };
        let standing = [silence("abcd-1"), silence("abcd-2"), silence("ef01-3")];
        let chosen = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            chosen(&standing, &ids).map(|found| found.into_iter().map(|one| one.id).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["ef01", "abcd-1", "ef01-3"]).unwrap(), ["ef01-3", "abcd-1"]);
        assert_eq!(chosen(&["abcd"]).unwrap_err().message(), "more than one silence begins with abcd");
        assert_eq!(chosen(&["ef"]).unwrap_err().message(), "there is no silence ef that is not over");
    }

    #[test]
    fn what_was_typed_is_read_before_anybody_is_asked() {
        let read =
            |texts: &[&str]| matchers(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let shown: Vec<String> =
            read(&["HighErrorRate", "{a=b, c!=d}"]).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["alertname=\"HighErrorRate\"", "a=\"b\"", "c!=\"d\""]);
        let error = read(&["a=b", "c"]).unwrap_err();
        assert_eq!(error.message(), "\"c\" is no matcher: after c stands none of = != =~ !~");
    }
}
