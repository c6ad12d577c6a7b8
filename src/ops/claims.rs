//! Volume claims that grow: asks for the size, then waits for the driver. A claim is the one object
//! whose change takes effect in somebody else's machinery, so that "accepted" says little.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::select_all;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{Context, live};
use crate::cluster::{Involved, WatchEvent};
use crate::diff::compare_quantities;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{ObjectId, builtin};
use crate::plan::immutable::Growth;

/// How long a file system may take on a volume that has grown. Where its pod runs, the kubelet does it
/// within seconds; some drivers can only when the pod starts again, which is not waited for.
const FILE_SYSTEM: Duration = Duration::from_secs(30);

/// How far a claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// It has the size.
    Done,
    /// Its volume has the size, its file system not yet.
    FileSystem,
    /// What is known of why not yet.
    Growing(Option<String>),
    /// It never will.
    Failed(String),
}

/// Asks for the larger size of a claim that a StatefulSet made. (One that is an object of the release
/// grows by apply, and must: another manager's entry for its size would be a conflict the next time.)
/// A claim that asks for as much already is left alone, so that a repeated
/// operation changes nothing and never makes one smaller.
pub async fn grow(ctx: &Context<'_>, growth: &Growth) -> Result<()> {
    let (kind, namespace, name) = (builtin::claims(), growth.claim.namespace.as_deref(), &growth.claim.name);
    let wanted = Value::from(growth.to.as_str());
    if let Some(claim) = ctx.cluster.get(&kind, namespace, name).await? {
        let present = &claim["spec"]["resources"]["requests"]["storage"];
        let same = growth.uid.is_none() || claim["metadata"]["uid"].as_str() == growth.uid.as_deref();
        if same && compare_quantities(present, &wanted).is_some_and(std::cmp::Ordering::is_ge) {
            return Ok(());
        }
    }
    let patch = json!({"spec": {"resources": {"requests": {"storage": wanted}}}});
    ctx.cluster.merge_patch(&kind, namespace, name, growth.uid.as_deref(), &patch).await?;
    Ok(())
}

/// Waits until every claim has its size. The error at the deadline, or as soon as a driver gives up,
/// says which claim and why.
pub async fn wait_grown(ctx: &Context<'_>, growths: &[Growth], deadline: Instant) -> Result<()> {
    let mut waiting: BTreeMap<&ObjectId, (&Growth, Option<String>)> =
        growths.iter().map(|growth| (&growth.claim, (growth, None))).collect();
    let kind = builtin::claims();
    let mut namespaces: Vec<Option<&str>> = growths.iter().map(|g| g.claim.namespace.as_deref()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut events = select_all(namespaces.into_iter().map(|ns| Box::pin(ctx.cluster.watch(&kind, ns, ""))));
    let mut only_file_systems: BTreeMap<&ObjectId, Instant> = BTreeMap::new();
    while !waiting.is_empty() {
        let patience = only_file_systems.values().min().map_or(deadline, |since| *since + FILE_SYSTEM);
        let next = tokio::select! {
            next = events.next() => next,
            () = tokio::time::sleep_until(patience), if patience < deadline => {
                only_file_systems.retain(|id, since| {
                    let patient = *since + FILE_SYSTEM > patience;
                    if !patient && let Some((growth, _)) = waiting.remove(*id) {
                        let message = format!(
                            "the volume of {id} has {}; its file system grows when its pod starts again",
                            growth.to
                        );
                        ctx.observer.event(Event::Warning { message });
                    }
                    patient
                });
                continue;
            }
            () = tokio::time::sleep_until(deadline) => return Err(late(ctx, &waiting).await),
        };
        match next {
            Some(Ok(WatchEvent::Applied(claim))) => {
                let Some((growth, why)) = waiting.get_mut(&live::id_of(&kind, &claim)) else { continue };
                let id = &growth.claim;
                let now = progress(&claim, growth);
                if now != Progress::FileSystem {
                    only_file_systems.remove(id);
                }
                match now {
                    Progress::Done => {
                        waiting.remove(id);
                    }
                    Progress::FileSystem => {
                        *why = Some("its file system grows".to_owned());
                        only_file_systems.entry(id).or_insert_with(Instant::now);
                    }
                    Progress::Growing(reason) => *why = reason,
                    Progress::Failed(reason) => return Err(failed(growth, &reason)),
                }
            }
            Some(Ok(WatchEvent::Deleted(claim))) => {
                if let Some((growth, _)) = waiting.get(&live::id_of(&kind, &claim)) {
                    return Err(failed(growth, "it was deleted by somebody else"));
                }
            }
            Some(Ok(WatchEvent::Synced)) => {}
            // the watch goes on by itself
            Some(Err(error)) => ctx.observer.event(Event::Warning { message: error.message().to_owned() }),
            None => return Err(Error::failed("the API server ended all watches")),
        }
    }
    Ok(())
}

/// What a claim's status says (KEP-1790 for the infeasible sizes, from 1.31 on).
fn progress(claim: &Value, growth: &Growth) -> Progress {
    if growth.uid.is_some() && claim["metadata"]["uid"].as_str() != growth.uid.as_deref() {
        return Progress::Failed("it was replaced by somebody else".to_owned());
    }
    let status = &claim["status"];
    let capacity = compare_quantities(&status["capacity"]["storage"], &Value::from(growth.to.as_str()));
    if capacity.is_some_and(std::cmp::Ordering::is_ge) {
        return Progress::Done;
    }
    let condition = |kinds: &[&str]| {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.filter(|c| c["status"] == "True").find(|c| kinds.iter().any(|kind| c["type"] == *kind))
    };
    let words = |condition: &Value| {
        let text = condition["message"].as_str().filter(|text| !text.is_empty());
        text.or_else(|| condition["type"].as_str()).map(str::to_owned)
    };
    let error = condition(&["ControllerResizeError", "NodeResizeError"]).and_then(words);
    let stage = status["allocatedResourceStatuses"]["storage"].as_str().unwrap_or_default();
    if stage.ends_with("ResizeInfeasible") {
        return Progress::Failed(error.unwrap_or_else(|| "its driver cannot do it".to_owned()));
    }
    if condition(&["FileSystemResizePending"]).is_some() && error.is_none() {
        return Progress::FileSystem;
    }
    Progress::Growing(error.or_else(|| condition(&["Resizing"]).and_then(words)))
}

fn failed(growth: &Growth, why: &str) -> Error {
    Error::failed(format!("{} does not grow to {}: {why}", growth.claim, growth.to)).hint(format!(
        "the data is not touched; leave the size at {} or ask who runs the storage",
        growth.from
    ))
}

/// The error at the deadline: the first claim with what its condition or its last event says.
async fn late(ctx: &Context<'_>, waiting: &BTreeMap<&ObjectId, (&Growth, Option<String>)>) -> Error {
    let mut lines = Vec::new();
    for (growth, why) in waiting.values() {
        let why = match why {
            Some(why) => Some(why.clone()),
            None => last_event(ctx, growth).await,
        };
        let why = why.unwrap_or_else(|| "its driver has said nothing".to_owned());
        lines.push(format!("{} did not grow to {} in time: {why}", growth.claim, growth.to));
    }
    let mut lines = lines.into_iter();
    let first = Error::deadline(lines.next().unwrap_or_default());
    lines
        .fold(first, Error::detail)
        .hint("the data is not touched, and the growth goes on by itself; run the command again later")
}

/// The newest event about the claim: events come with a warning where something is wrong.
async fn last_event(ctx: &Context<'_>, growth: &Growth) -> Option<String> {
    let namespace = growth.claim.namespace.as_deref()?;
    let involved = growth.uid.as_deref().map_or(Involved::Name(&growth.claim.name), Involved::Uid);
    // the operation's deadline has passed, but a person must know why
    let events = ctx.cluster.without_deadline().events_for(namespace, involved).await.ok()?;
    let resize = |event: &&Value| {
        event["reason"].as_str().is_some_and(|r| r.contains("Resiz") || r.contains("Expand"))
    };
    events.iter().rev().find(resize)?["message"].as_str().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_done_when_it_has_the_size() {
        let growth = Growth {
            claim: ObjectId {
                group: String::new(),
                kind: "PersistentVolumeClaim".into(),
                namespace: Some("n".into()),
                name: "data-loki-0".into(),
            },
            uid: Some("u".into()),
            from: "10Gi".into(),
            to: "20Gi".into(),
        };
        let condition =
            |kind: &str, message: &str| json!([{"type": kind, "status": "True", "message": message}]);
        let growing = |why: Option<&str>| Progress::Growing(why.map(str::to_owned));
        for (status, expected) in [
            (json!({"capacity": {"storage": "10Gi"}}), growing(None)),
            (json!({"capacity": {"storage": "20480Mi"}}), Progress::Done),
            (json!({"capacity": {"storage": "30Gi"}}), Progress::Done),
            (json!({"conditions": condition("Resizing", "")}), growing(Some("Resizing"))),
            (
                json!({"conditions": condition("FileSystemResizePending", "waiting for the pod")}),
                Progress::FileSystem,
            ),
            (
                json!({"conditions": condition("ControllerResizeError", "the pool is full")}),
                growing(Some("the pool is full")),
            ),
            (
                json!({"conditions": condition("ControllerResizeError", "the pool is full"),
                       "allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}),
                Progress::Failed("the pool is full".into()),
            ),
        ] {
            let claim = json!({"metadata": {"uid": "u"}, "status": status});
            assert_eq!(progress(&claim, &growth), expected, "{claim}");
        }
        let other = json!({"metadata": {"uid": "v"}, "status": {"capacity": {"storage": "20Gi"}}});
        assert!(matches!(progress(&other, &growth), Progress::Failed(_)));
    }
}
