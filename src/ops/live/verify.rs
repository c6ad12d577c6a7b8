//! Before a revision counts as deployed: is every object of the plan there, and the one that was
//! applied?

use std::collections::BTreeMap;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{id_of, places, selector};
use crate::error::{Error, Result};
use crate::object::{Object, ObjectId};
use crate::ops::apply::{self, Applied, PARALLEL};
use crate::ops::run::Run;
use crate::ops::{Context, namespace};
use crate::plan::{Change, Plan, Step, is_going};
use crate::readiness::vanishes_when_done;
use crate::release::{Entry, EntryState};

/// Before `deployed`: is every object of the plan there, and the one that was applied? What was
/// deleted meanwhile is applied once more.
pub async fn verify(run: &Run<'_>, plan: &Plan, applied: &Applied) -> Result<()> {
    let ctx = &run.ctx;
    let mut applied = applied.clone();
    for again in [false, true] {
        let steps = plan.steps.iter().filter(|step| !matches!(step.change, Change::Use | Change::Foreign(_)));
        let (found, steps) = (there(ctx, steps.clone().map(|step| &step.object)).await?, steps);
        let mut lost = Vec::new();
        for step in steps {
            let id = step.object.id();
            match found.get(&id) {
                None if vanishes_when_done(step.object.value()) => {}
                None => lost.push(step),
                Some(found) if found.going && vanishes_when_done(step.object.value()) => {}
                Some(found) if found.going => lost.push(step),
                Some(found) if applied.get(&id).is_none_or(|ours| *ours == found.uid) => {}
                Some(_) => {
                    return Err(Error::failed(format!(
                        "{id} was replaced by somebody else during the operation"
                    ))
                    .hint("look at who else manages this namespace, then run the command again"));
                }
            }
        }
        let Some(first) = lost.first() else { return Ok(()) };
        if again {
            return Err(Error::failed(format!(
                "{} was deleted by somebody else during the operation, twice",
                first.object.id()
            ))
            .hint("look at who else manages this namespace, then run the command again"));
        }
        for step in lost {
            let going = found.get(&step.object.id()).map(|going| Entry {
                uid: Some(going.uid.clone()),
                ..Entry::new(step.object.id(), &step.component, EntryState::Active)
            });
            let step = Step { change: Change::Create, uid: None, going, ..step.clone() };
            applied.extend(apply::apply_step(run, &step, &apply::Random).await?);
        }
    }
    Ok(())
}

/// What is there of an object.
struct Found {
    uid: String,
    /// Is it being deleted?
    going: bool,
}

impl Found {
    fn of(live: &Value) -> Self {
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        Self { uid, going: is_going(live) }
    }
}

/// What is there.
async fn there<'o>(
    ctx: &Context<'_>,
    objects: impl Iterator<Item = &'o Object>,
) -> Result<BTreeMap<ObjectId, Found>> {
    let kinds = ctx.cluster.kinds().await?;
    let selector = selector(ctx);
    let (namespaces, others): (Vec<&Object>, Vec<&Object>) =
        objects.partition(|object| object.kind() == "Namespace");
    let own = try_join_all(namespaces.into_iter().map(|object| async move {
        let live = namespace::live(ctx, object.name()).await?;
        Ok::<_, Error>(live.map(|live| (object.id(), Found::of(&live))))
    }));
    let lists = stream::iter(places(&kinds, others.into_iter()))
        .map(|(kind, namespace)| {
            let selector = &selector;
            async move {
                let list = ctx.cluster.list_metadata(&kind, namespace.as_deref(), selector).await?;
                Ok::<_, Error>(list.iter().map(|v| (id_of(&kind, v), Found::of(v))).collect::<Vec<_>>())
            }
        })
        .buffer_unordered(PARALLEL)
        .try_concat();
    let (own, found) = tokio::try_join!(own, lists)?;
    Ok(own.into_iter().flatten().chain(found).collect())
}
