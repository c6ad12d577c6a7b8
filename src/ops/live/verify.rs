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
use crate::plan::{Change, Plan, Step};
use crate::readiness::vanishes_when_done;

/// Before `deployed`: is every object of the plan there, and the one that was applied? What was
/// deleted meanwhile is applied once more.
pub async fn verify(run: &Run<'_>, plan: &Plan, applied: &Applied) -> Result<()> {
    let ctx = &run.ctx;
    let mut applied = applied.clone();
    for again in [false, true] {
        let steps = plan.steps.iter().filter(|step| !matches!(step.change, Change::Use | Change::Foreign(_)));
        let (found, steps) = (uids(ctx, steps.clone().map(|step| &step.object)).await?, steps);
        let mut lost = Vec::new();
        for step in steps {
            let id = step.object.id();
            match found.get(&id) {
                None if vanishes_when_done(step.object.value()) => {}
                None => lost.push(step),
                Some(uid) if applied.get(&id).is_none_or(|ours| ours == uid) => {}
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
            let step = Step { change: Change::Create, uid: None, ..step.clone() };
            applied.extend(apply::apply_step(run, &step, &apply::Random).await?);
        }
    }
    Ok(())
}

/// The uids of what is there.
async fn uids<'o>(
    ctx: &Context<'_>,
    objects: impl Iterator<Item = &'o Object>,
) -> Result<BTreeMap<ObjectId, String>> {
    let kinds = ctx.cluster.kinds().await?;
    let selector = selector(ctx);
    let (namespaces, others): (Vec<&Object>, Vec<&Object>) =
        objects.partition(|object| object.kind() == "Namespace");
    let uid = |value: &Value| value["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let own = try_join_all(namespaces.into_iter().map(|object| async move {
        let live = namespace::live(ctx, object.name()).await?;
        Ok::<_, Error>(live.map(|live| (object.id(), uid(&live))))
    }));
    let lists = stream::iter(places(&kinds, others.into_iter()))
        .map(|(kind, namespace)| {
            let selector = &selector;
            async move {
                let list = ctx.cluster.list_metadata(&kind, namespace.as_deref(), selector).await?;
                Ok::<_, Error>(list.iter().map(|v| (id_of(&kind, v), uid(v))).collect::<Vec<_>>())
            }
        })
        .buffer_unordered(PARALLEL)
        .try_concat();
    let (own, found) = tokio::try_join!(own, lists)?;
    Ok(own.into_iter().flatten().chain(found).collect())
}
