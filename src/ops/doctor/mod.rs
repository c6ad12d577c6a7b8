//! Asks everything that the doctor looks at, at once, and never twice: the cluster, the release, and each
//! component's own API through port-forward. What gives no answer in time is known to be unknown; nothing here
//! decides what is wrong.

mod cluster;
mod grafana;
pub mod rights;
mod stack;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Context, components, drift, health, revision, status};
use crate::doctor::snapshot::FORMAT;
use crate::doctor::{Asked, Snapshot};
use crate::error::{Error, Result};
use crate::release::Record;

/// Longest time for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at everything. An error only when there is no release to look at, or no cluster.
pub async fn look(ctx: &Context<'_>) -> Result<Snapshot> {
    let (store, history) = revision::history(ctx).await?;
    let latest = revision::choose(ctx, &history, None)?.revision;
    // one that cannot be used is a finding
    let record = store.try_read(latest).await?.ok();
    let record = record.as_ref();
    // on the heap: together they are too large for the stack
    let (status, drift, cluster, stack, grafana) = tokio::join!(
        Box::pin(asked(async { Ok(status::status(ctx).await?.0) })),
        Box::pin(asked(drift::drift(ctx))),
        Box::pin(cluster::look(ctx, record)),
        Box::pin(stack::look(ctx, record)),
        Box::pin(grafana::look(ctx, record)),
    );
    let mut snapshot = Snapshot {
        format: FORMAT,
        taken_at: super::who::now(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        components: names(record),
        jobs: record.map(jobs).unwrap_or_default(),
        status,
        drift,
        grafana,
        ..Snapshot::default()
    };
    cluster.put_into(&mut snapshot);
    (snapshot.prometheus, snapshot.alertmanager) = stack;
    Ok(snapshot)
}

/// Looks at the cluster alone, before there is a release.
pub async fn before(ctx: &Context<'_>) -> Result<Snapshot> {
    // whoever cannot be reached is no finding
    ctx.cluster.kinds().await?;
    let mut snapshot = Snapshot {
        format: FORMAT,
        taken_at: super::who::now(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        ..Snapshot::default()
    };
    Box::pin(cluster::look(ctx, None)).await.put_into(&mut snapshot);
    Ok(snapshot)
}

/// The namespaces in which a release has objects; what they are called where no record says it.
pub async fn places(ctx: &Context<'_>) -> Vec<String> {
    let node = match components::latest(ctx).await {
        Ok(record) => record.node_namespace,
        Err(_) => format!("{}-node", ctx.namespace),
    };
    let mut places = vec![ctx.namespace.to_string(), node];
    places.dedup();
    places
}

fn names(record: Option<&Record>) -> Vec<String> {
    let components = record.into_iter().flat_map(|record| &record.components);
    components.map(|component| component.name.clone()).collect()
}

fn jobs(record: &Record) -> Vec<String> {
    health::jobs(&record.components).unwrap_or_default().into_iter().map(str::to_owned).collect()
}

/// A report as JSON, within its time.
async fn asked<T: serde::Serialize>(work: impl Future<Output = Result<T>>) -> Asked<Value> {
    in_time(async {
        let report = work.await.map_err(|error| error.message().to_owned())?;
        serde_json::to_value(report).map_err(|error| error.to_string())
    })
    .await
}

/// An answer within its time.
async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Asked<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => Asked::from(result),
        Err(_) => Asked::Unknown(format!("no answer within {}s", PATIENCE.as_secs())),
    }
}

/// Why something is not asked.
fn off<T>(component: &str) -> Asked<T> {
    Asked::Off(format!("{component} is not part of the release"))
}

/// An error's first words.
fn said(error: Error) -> String {
    error.message().to_owned()
}

/// Asks by name; what is asked under a name stands under it.
async fn by_name<T>(
    questions: impl IntoIterator<Item = (String, impl Future<Output = Asked<T>>)>,
) -> BTreeMap<String, Asked<T>> {
    let (names, asked): (Vec<String>, Vec<_>) = questions.into_iter().unzip();
    names.into_iter().zip(futures::future::join_all(asked).await).collect()
}
