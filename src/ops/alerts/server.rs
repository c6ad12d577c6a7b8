//! Whom to ask: every Prometheus and every Alertmanager of a release, and the API of the latter.

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::matcher::Matcher;
use super::routing::Routing;
use crate::error::{Error, Result};
use crate::json;
use crate::ops::health::since::PROMETHEUS;
use crate::ops::pod::{self, Place, percent_encode};
use crate::ops::{Context, forward};
use crate::release::Record;

/// The component's name.
pub const ALERTMANAGER: &str = "alertmanager";

/// The ready pods of a component at the port of its UI; None when the release has no such component.
pub async fn places(
    ctx: &Context<'_>,
    record: &Record,
    component: &str,
) -> Option<Result<Vec<Place>, String>> {
    let known = record.components.iter().any(|known| known.name == component);
    let port = forward::recorded_port(record, component).filter(|_| known)?;
    let pods = pod::ready_pods(ctx, component, &record.namespace).await;
    let place = |pod| Place { namespace: record.namespace.clone(), pod, port };
    Some(pods.map(|pods| pods.into_iter().map(place).collect()))
}

/// Every ready Prometheus, the one that has run longest first: it has seen most.
pub async fn prometheus(ctx: &Context<'_>, record: &Record) -> Result<Vec<Place>> {
    match places(ctx, record, PROMETHEUS).await {
        Some(Ok(places)) if places.len() > 1 => {
            let began = places.iter().map(|place| pod::api(ctx, place, "/api/v1/status/runtimeinfo"));
            let began = join_all(began).await.into_iter().map(|info| {
                let info = info.unwrap_or_default();
                info["startTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok())
            });
            let mut places: Vec<(Option<Timestamp>, Place)> = began.zip(places.clone()).collect();
            // who does not say comes last
            places.sort_by(|(a, place), (b, other)| (a.is_none(), a, place).cmp(&(b.is_none(), b, other)));
            Ok(places.into_iter().map(|(_, place)| place).collect())
        }
        Some(Ok(places)) => Ok(places),
        Some(Err(why)) => Err(Error::failed(why).hint("kubectl obs status says what is wrong with it")),
        None => Err(Error::failed(format!("release {} has no prometheus", record.release))
            .hint("kubectl obs get inventory lists what it has")),
    }
}

/// The Alertmanagers of a release. Each knows the same alerts and silences.
pub struct Alertmanager<'a, 'c> {
    ctx: &'a Context<'c>,
    /// Its replicas; never empty.
    pub places: Vec<Place>,
}

impl<'a, 'c> Alertmanager<'a, 'c> {
    /// None when the release has none; an inner error when none is ready.
    pub async fn of(ctx: &'a Context<'c>, record: &Record) -> Option<Result<Self, String>> {
        Some(places(ctx, record, ALERTMANAGER).await?.map(|places| Self { ctx, places }))
    }

    /// The same where there has to be one.
    pub async fn demand(ctx: &'a Context<'c>, record: &Record) -> Result<Self> {
        match Self::of(ctx, record).await {
            Some(Ok(found)) => Ok(found),
            Some(Err(why)) => Err(Error::failed(why).hint("kubectl obs status says what is wrong with it")),
            None => Err(Error::failed(format!("release {} has no alertmanager", record.release))
                .hint("kubectl obs upgrade --set alertmanager.enabled=true adds it to the stack")),
        }
    }

    fn first(&self) -> Result<&Place, String> {
        self.places.first().ok_or_else(|| format!("{ALERTMANAGER} has no ready pod"))
    }

    /// What the first replica answers, as JSON. What it refuses is an error in its own words.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        said(pod::send(self.ctx, self.first()?, method, path, body).await?)
    }

    /// The alerts that match all of these, with who is told and what keeps them quiet.
    pub async fn alerts(&self, matchers: &[Matcher]) -> Result<Vec<Value>, String> {
        let filters =
            matchers.iter().map(|matcher| format!("filter={}", percent_encode(&matcher.to_string())));
        let path = format!("/api/v2/alerts?{}", filters.collect::<Vec<_>>().join("&"));
        list(self.ask(Method::GET, &path, None).await?)
    }

    /// Tells every replica of alerts, as Prometheus does.
    pub async fn post_alerts(&self, alerts: &Value) -> Result<(), String> {
        for place in &self.places {
            said(pod::send(self.ctx, place, Method::POST, "/api/v2/alerts", Some(alerts)).await?)?;
        }
        Ok(())
    }

    /// The silences, also those that are over.
    pub async fn silences(&self) -> Result<Vec<Value>, String> {
        list(self.ask(Method::GET, "/api/v2/silences", None).await?)
    }

    /// Makes a silence; gives its id.
    pub async fn silence(&self, silence: &Value) -> Result<String, String> {
        let answer = self.ask(Method::POST, "/api/v2/silences", Some(silence)).await?;
        let id = answer["silenceID"].as_str().ok_or("alertmanager names no id of the silence")?;
        Ok(id.to_owned())
    }

    /// Ends a silence.
    pub async fn unsilence(&self, id: &str) -> Result<(), String> {
        let path = format!("/api/v2/silence/{}", percent_encode(id));
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// The routes and receivers that it works with.
    pub async fn routing(&self) -> Result<Routing, String> {
        let status = self.ask(Method::GET, "/api/v2/status", None).await?;
        Routing::read(status["config"]["original"].as_str().unwrap_or_default())
    }

    /// The metrics of each replica.
    pub async fn metrics(&self) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        for Place { namespace, pod, port } in &self.places {
            match pod::get(self.ctx, namespace, pod, *port, "/metrics").await? {
                (200, text) => all.push(text),
                (status, _) => return Err(format!("/metrics of pod {pod} answers {status}")),
            }
        }
        Ok(all)
    }
}

/// An answer's JSON, or the words of a refusal, which are a JSON text or a plain one.
fn said((status, body): (u16, String)) -> Result<Value, String> {
    let json = json::read(body.as_bytes(), pod::MAX_VALUES);
    match status {
        200 if body.trim().is_empty() => Ok(Value::Null),
        200 => json.ok_or_else(|| {
            format!("alertmanager does not answer JSON of at most {} values", pod::MAX_VALUES)
        }),
        _ => {
            let words = match json {
                Some(Value::String(words)) => words,
                Some(Value::Object(answer)) => answer["message"].as_str().unwrap_or(&body).to_owned(),
                _ => body,
            };
            let words = words.trim();
            Err(if words.is_empty() { format!("alertmanager answers {status}") } else { words.to_owned() })
        }
    }
}

fn list(answer: Value) -> Result<Vec<Value>, String> {
    match answer {
        Value::Array(items) => Ok(items),
        _ => Err("alertmanager does not answer a list".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let words = |status: u16, body: &str| said((status, body.to_owned())).unwrap_err();
        assert_eq!(words(400, "\"bad matcher format: a\""), "bad matcher format: a");
        assert_eq!(
            words(422, r#"{"code":602,"message":"startsAt in body is required"}"#),
            "startsAt in body is required"
        );
        assert_eq!(words(404, ""), "alertmanager answers 404");
        assert_eq!(words(500, "no\n"), "no");
        assert_eq!(said((200, String::new())), Ok(Value::Null));
    }
}
