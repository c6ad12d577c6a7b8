//! Removing objects that belong to the release: in the order of their ranks, each with its uid as
//! precondition, 8 at a time, and waiting until they are gone.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::Context;
use super::apply::all_or_first_error;
use super::run::Run;
use crate::cluster::{DeleteOptions, Deleted, Propagation};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Phase};
use crate::plan::removal_rank;
use crate::release::Entry;

/// After how long it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Removes objects, rank by rank, as a part of `phase`.
pub async fn prune(run: &Run<'_>, entries: &[Entry], phase: Phase) -> Result<()> {
    // what goes before its successor comes takes its pods along first
    let propagation = if phase == Phase::Applied { Propagation::Foreground } else { Propagation::Background };
    let mut ranks: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        ranks.entry(removal_rank(&entry.kind)).or_default().push(entry);
    }
    for (_, entries) in ranks {
        let mut held = all_or_first_error(entries, |entry| async move {
            Ok(remove(run, entry, propagation).await?.then_some(entry))
        })
        .await?;
        held.sort_by_key(|entry| entry.id());
        gone(&run.ctx, &held, phase).await?;
    }
    Ok(())
}

/// Removes one object; says whether something still holds it.
async fn remove(run: &Run<'_>, entry: &Entry, propagation: Propagation) -> Result<bool> {
    let ctx = &run.ctx;
    let Some(kind) = ctx.cluster.kinds().await?.preferred(&entry.group, &entry.kind) else {
        return Ok(false);
    };
    run.lock.still_held()?;
    let options = DeleteOptions { uid: entry.uid.clone(), propagation, ..DeleteOptions::default() };
    let deleted = ctx.cluster.delete(&kind, entry.namespace.as_deref(), &entry.name, &options).await?;
    let action = match deleted {
        Deleted::Done | Deleted::Pending | Deleted::AlreadyGone => Action::Deleted,
        // somebody made another one of that name meanwhile: not ours
        Deleted::Replaced => Action::Kept,
    };
    ctx.observer.event(Event::Object { action, object: entry.id() });
    Ok(deleted == Deleted::Pending)
}

/// Waits until the objects are gone; at the deadline says which are not, and what holds them.
pub async fn gone(ctx: &Context<'_>, entries: &[&Entry], phase: Phase) -> Result<()> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(20);
    let mut left = entries.to_vec();
    let mut told = String::new();
    loop {
        let mut stuck = Vec::new();
        for entry in left {
            let Some(kind) = ctx.cluster.kinds().await?.preferred(&entry.group, &entry.kind) else {
                continue;
            };
            let found = ctx.cluster.get(&kind, entry.namespace.as_deref(), &entry.name).await?;
            if let Some(live) = found.filter(|live| is_same(live, entry)) {
                stuck.push((entry, why_not_gone(&live)));
            }
        }
        let Some((first, why)) = stuck.first() else { return Ok(()) };
        // no later than this, or the next look fails for want of time
        if Instant::now() + pause >= ctx.deadline {
            let mut error = Error::deadline(format!("{} is not gone: {why}", first.id()));
            for (entry, why) in stuck.iter().skip(1) {
                error = error.detail(format!("{}: {why}", entry.id()));
            }
            return Err(error
                .hint("a finalizer is removed by its controller; look whether that is running")
                .hint("the same command continues from here"));
        }
        if begun.elapsed() >= PATIENCE {
            let what = format!("{} is not gone: {why}", first.id());
            if what != told {
                ctx.observer.event(Event::Awaiting { phase, what: what.clone() });
                told = what;
            }
        }
        left = stuck.into_iter().map(|(entry, _)| entry).collect();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

fn why_not_gone(live: &Value) -> String {
    let finalizers: Vec<&str> =
        live["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match finalizers[..] {
        [] => "it is still being deleted".to_owned(),
        ["foregroundDeletion"] => "what it owns is still being deleted".to_owned(),
        [one] => format!("it waits for its finalizer {one}"),
        _ => format!("it waits for its finalizers {}", finalizers.join(", ")),
    }
}

fn is_same(live: &Value, entry: &Entry) -> bool {
    entry.uid.as_deref().is_none_or(|uid| live["metadata"]["uid"] == uid)
}
