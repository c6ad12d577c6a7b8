//! Day 2 of alerts: what fires and is pending, and who is told ([`alerts`]); silences
//! ([`silences`]); and does a message arrive ([`trial`]).

pub mod matcher;
pub mod notified;
pub mod routing;
pub mod server;
pub mod shown;
pub mod silences;
pub mod trial;

use serde::Serialize;
use serde_json::Value;

use super::{Context, components, pod};
use crate::error::{Error, Result};
use server::Alertmanager;
use shown::{Alert, Told};

/// What fires and is pending.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Why it is not known who is told; absent where Alertmanager says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
    /// Why Prometheus' word is missing: what is pending is not known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
    /// The alerts, the gravest and then the oldest first.
    pub alerts: Vec<Alert>,
}

/// Asks Prometheus and Alertmanager. One of them is enough.
pub async fn alerts(ctx: &Context<'_>) -> Result<Report> {
    let record = components::latest(ctx).await?;
    let (seen, told) = tokio::join!(of_prometheus(ctx, &record), of_alertmanager(ctx, &record));
    let (seen, unseen) = match seen {
        Ok(seen) => (seen, None),
        Err(error) if told.is_err() => return Err(error),
        Err(error) => (Seen::default(), Some(error.message().to_owned())),
    };
    let (answer, untold) = match told {
        Ok(answer) => (Some(answer), None),
        Err(why) => (None, Some(why)),
    };
    let told = answer.as_ref().map(|answer| Told {
        alerts: &answer.alerts,
        silences: &answer.silences,
        routing: answer.routing.as_ref(),
    });
    Ok(Report {
        release: record.release,
        namespace: record.namespace,
        alerts: shown::join(&seen.rules, &seen.external, told.as_ref()),
        untold,
        unseen,
    })
}

/// What every Prometheus says.
#[derive(Default)]
pub struct Seen {
    /// `/api/v1/rules` of each.
    pub rules: Vec<Value>,
    /// The names of the labels that are added to alerts on their way out.
    pub external: Vec<String>,
}

/// Of every replica that answers; an error when none does.
pub async fn of_prometheus(ctx: &Context<'_>, record: &crate::release::Record) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut refused = None;
    for place in server::prometheus(ctx, record).await? {
        let asked = async {
            let rules = pod::api(ctx, &place, "/api/v1/rules?type=alert").await?;
            let config = pod::api(ctx, &place, "/api/v1/status/config").await?;
            Ok::<_, String>((rules, config))
        };
        match asked.await {
            Ok((rules, config)) => {
                seen.rules.push(rules);
                let config =
                    crate::yaml::parse(config["yaml"].as_str().unwrap_or_default()).unwrap_or_default();
                let labels = config["global"]["external_labels"].as_object().into_iter().flatten();
                seen.external.extend(labels.map(|(name, _)| name.clone()));
            }
            Err(why) => refused = Some(why),
        }
    }
    match refused {
        Some(why) if seen.rules.is_empty() => {
            Err(Error::failed(format!("prometheus does not answer: {why}"))
                .hint("kubectl obs status says what is wrong with it"))
        }
        _ => Ok(seen),
    }
}

/// What Alertmanager says.
struct Answer {
    alerts: Vec<Value>,
    silences: Vec<Value>,
    routing: Option<routing::Routing>,
}

async fn of_alertmanager(ctx: &Context<'_>, record: &crate::release::Record) -> Result<Answer, String> {
    let alertmanager = Alertmanager::of(ctx, record).await;
    let alertmanager = alertmanager.ok_or_else(|| {
        format!(
            "release {} has no alertmanager, so nobody is told: this is what prometheus says alone",
            record.release
        )
    })?;
    let said = async {
        let alertmanager = alertmanager?;
        let (alerts, silences, routing) =
            tokio::join!(alertmanager.alerts(&[]), alertmanager.silences(), alertmanager.routing());
        Ok::<_, String>(Answer { alerts: alerts?, silences: silences?, routing: routing.ok() })
    };
    said.await.map_err(|why: String| format!("who is told is not known: {why}"))
}
