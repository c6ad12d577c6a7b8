//! Removing objects that belong to the release: in the order of their ranks, each with its uid as
//! precondition, 8 at a time, and waiting until they are gone.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::Context;
use super::apply::PARALLEL;
use super::run::Run;
use crate::cluster::{DeleteOptions, Deleted};
use crate::error::{Error, Result};
use crate::event::{Action, Event};
use crate::plan::removal_rank;
use crate::release::Entry;

/// Removes objects, rank by rank.
pub async fn prune(run: &Run<'_>, entries: &[Entry]) -> Result<()> {
    let mut ranks: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        ranks.entry(removal_rank(&entry.kind)).or_default().push(entry);
    }
    for (_, entries) in ranks {
        let held: Vec<Option<&Entry>> = stream::iter(&entries)
            .map(|entry| async move { Ok::<_, Error>(remove(run, entry).await?.then_some(*entry)) })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        gone(&run.ctx, &held.into_iter().flatten().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Removes one object; says whether something still holds it.
async fn remove(run: &Run<'_>, entry: &Entry) -> Result<bool> {
    let ctx = &run.ctx;
    let Some(kind) = ctx.cluster.kinds().await?.preferred(&entry.group, &entry.kind) else {
        return Ok(false);
    };
    run.lock.still_held()?;
    let options = DeleteOptions { uid: entry.uid.clone(), ..DeleteOptions::default() };
    let deleted = ctx.cluster.delete(&kind, entry.namespace.as_deref(), &entry.name, &options).await?;
    let action = match deleted {
        Deleted::Done | Deleted::Pending | Deleted::AlreadyGone => Action::Deleted,
        // somebody made another one of that name meanwhile: not ours
        Deleted::Replaced => Action::Kept,
    };
    ctx.observer.event(Event::Object { action, object: entry.id() });
    Ok(deleted == Deleted::Pending)
}

/// Waits until the objects are gone; at the deadline says which finalizers hold them.
pub async fn gone(ctx: &Context<'_>, entries: &[&Entry]) -> Result<()> {
    for entry in entries {
        let Some(kind) = ctx.cluster.kinds().await?.preferred(&entry.group, &entry.kind) else { continue };
        let mut pause = Duration::from_millis(20);
        loop {
            let found = ctx.cluster.get(&kind, entry.namespace.as_deref(), &entry.name).await?;
            let Some(live) = found.filter(|live| is_same(live, entry)) else { break };
            if Instant::now() >= ctx.deadline {
                let finalizers: Vec<&str> = live["metadata"]["finalizers"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let why = if finalizers.is_empty() {
                    "it is still being deleted".to_owned()
                } else {
                    format!("it waits for its finalizers {}", finalizers.join(", "))
                };
                return Err(Error::deadline(format!("{} is not gone: {why}", entry.id()))
                    .hint("a finalizer is removed by its controller; look whether that is running"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
    Ok(())
}

fn is_same(live: &Value, entry: &Entry) -> bool {
    entry.uid.as_deref().is_none_or(|uid| live["metadata"]["uid"] == uid)
}
