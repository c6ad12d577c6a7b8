//! What each Prometheus and each Alertmanager says of itself.

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{by_name, in_time, off};
use crate::doctor::Asked;
use crate::doctor::queries::{self, QUERIES, Query};
use crate::doctor::snapshot::{Alertmanager, Prometheus};
use crate::ops::alerts::server::{self, ALERTMANAGER};
use crate::ops::health::since::PROMETHEUS;
use crate::ops::pod::{self, Place};
use crate::ops::{Context, health};
use crate::release::Record;

/// The severities of alerts that somebody should hear of.
const SEVERITIES: [&str; 2] = ["critical", "warning"];

/// Both, at once.
pub async fn look(
    ctx: &Context<'_>,
    record: Option<&Record>,
) -> (Asked<Vec<Prometheus>>, Asked<Alertmanager>) {
    let Some(record) = record else {
        let why = || "the record of the release cannot be used".to_owned();
        return (Asked::Unknown(why()), Asked::Unknown(why()));
    };
    tokio::join!(prometheus(ctx, record), alertmanager(ctx, record))
}

async fn prometheus(ctx: &Context<'_>, record: &Record) -> Asked<Vec<Prometheus>> {
    match pod::places(ctx, record, PROMETHEUS).await {
        None => off(PROMETHEUS),
        Some(Err(why)) => Asked::Unknown(why),
        Some(Ok(places)) => {
            let has = |name: &&str| record.components.iter().any(|component| component.name == **name);
            let wanted = |query: &&Query| query.of.is_empty() || query.of.iter().any(&has);
            let queries: Vec<&Query> = QUERIES.iter().filter(wanted).collect();
            Asked::Answer(join_all(places.iter().map(|place| one(ctx, place, &queries))).await)
        }
    }
}

async fn one(ctx: &Context<'_>, place: &Place, queries: &[&Query]) -> Prometheus {
    let ask = |path: &'static str| in_time(pod::api(ctx, place, path));
    let namespace = ctx.namespace.as_str();
    let queries = queries.iter().map(|query| {
        let asked = async move {
            let text = queries::text(query.text, namespace);
            in_time(pod::query(ctx, place, &text, None)).await
        };
        (query.name.to_owned(), asked)
    });
    let (targets, pools, rules, runtime, alertmanagers, flags, queries) = tokio::join!(
        ask(health::targets::PATH),
        ask("/api/v1/scrape_pools"),
        ask("/api/v1/rules"),
        ask("/api/v1/status/runtimeinfo"),
        ask("/api/v1/alertmanagers"),
        in_time(flags(ctx, place)),
        by_name(queries),
    );
    let server =
        runtime.answer().and_then(|runtime| runtime["serverTime"].as_str()?.parse::<Timestamp>().ok());
    let clock_ahead = server.map(|server| server.duration_since(Timestamp::now()).as_secs_f64());
    let pod = place.pod.clone();
    Prometheus { pod, targets, pools, rules, runtime, alertmanagers, flags, clock_ahead, queries }
}

/// The flags that let others change it; the rest is nobody's business.
async fn flags(ctx: &Context<'_>, place: &Place) -> Result<Value, String> {
    let all = pod::api(ctx, place, "/api/v1/status/flags").await?;
    let own = all.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("web.enable-"));
    Ok(own.map(|(name, value)| (name.clone(), value.clone())).collect())
}

async fn alertmanager(ctx: &Context<'_>, record: &Record) -> Asked<Alertmanager> {
    let known = match server::Alertmanager::of(ctx, record).await {
        None => return off(ALERTMANAGER),
        Some(Err(why)) => return Asked::Unknown(why),
        Some(Ok(known)) => known,
    };
    let replicas = known.places.iter().map(|place| (place.pod.clone(), in_time(status(ctx, place))));
    let receivers = async { Ok(known.routing().await?.telling()) };
    let routes = async {
        let routing = known.routing().await?;
        let told = SEVERITIES.map(|severity| {
            let labels = [("alertname", "Any"), ("severity", severity)];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            (severity.to_owned(), routing.names(&labels.into()))
        });
        Ok(told.into())
    };
    let (replicas, receivers, routes, alerts, silences) = tokio::join!(
        by_name(replicas),
        in_time(receivers),
        in_time(routes),
        in_time(known.alerts(&[])),
        in_time(known.silences()),
    );
    Asked::Answer(Alertmanager { replicas, receivers, routes, alerts, silences })
}

/// The status without the configuration, which may name what is nobody's business.
async fn status(ctx: &Context<'_>, place: &Place) -> Result<Value, String> {
    let (status, body) = pod::send(ctx, place, Method::GET, "/api/v2/status", None).await?;
    let answer = crate::json::read(body.as_bytes(), pod::MAX_VALUES)
        .filter(|_| status == 200)
        .ok_or_else(|| format!("/api/v2/status answers {status}"))?;
    Ok(
        json!({"cluster": answer["cluster"], "uptime": answer["uptime"], "versionInfo": answer["versionInfo"]}),
    )
}
