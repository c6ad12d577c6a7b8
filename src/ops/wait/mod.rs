//! Waiting until every object of a revision is ready: one watch per kind and namespace feeds the
//! pure readiness rules and the explainer; each change of a component becomes an event. Ends early
//! where waiting cannot help, and says at the deadline what is missing and why.

mod board;

use std::collections::BTreeSet;

use futures::stream::{StreamExt, select_all};

use super::{Context, live, why};
use crate::cluster::Involved;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{Kind, Object, ObjectId, builtin};
use crate::readiness::Readiness;
use board::Board;

/// Kinds that are ready as soon as they exist: nothing to watch.
const AT_ONCE: [&str; 19] = [
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ResourceQuota",
    "LimitRange",
    "Namespace",
    "PriorityClass",
    "StorageClass",
    "CronJob",
    "Ingress",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "HorizontalPodAutoscaler",
];

/// Which of the namespace's events tell of the present attempt?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// All: nothing was changed just now.
    All,
    /// Those that come from now on: what they told before may be what was just repaired.
    New,
}

/// Waits for `objects`. The error at the deadline, or earlier, explains each unready object.
pub async fn ready(ctx: &Context<'_>, objects: &[Object], evidence: Evidence) -> Result<usize> {
    let awaited =
        objects.iter().filter(|object| !AT_ONCE.contains(&object.kind()) && !is_plain_service(object));
    let mut board = Board::new(awaited, evidence);
    if board.is_empty() {
        return Ok(0);
    }
    if board.waits_for("PersistentVolumeClaim") || board.waits_for("StatefulSet") {
        board.classes = live::all_storage_classes(ctx.cluster).await?.and_then(Result::ok);
    }
    let selector = live::selector(ctx);
    let follow = |kind: &Kind, namespace: Option<&str>, labels: &str| {
        let known = (kind.clone(), namespace.map(str::to_owned));
        ctx.cluster.watch(kind, namespace, labels).map(move |event| (known.clone(), event)).boxed()
    };
    let kinds = watched_kinds(ctx, objects, &board).await?;
    let mut streams: Vec<_> =
        kinds.iter().map(|(kind, namespace)| follow(kind, namespace.as_deref(), &selector)).collect();
    for (_, namespace) in kinds.iter().filter(|(kind, _)| *kind == builtin::pods()) {
        streams.extend(witnesses().iter().map(|kind| follow(kind, namespace.as_deref(), "")));
    }
    let mut events = select_all(streams);
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = tokio::time::sleep_until(board.next_report()) => {
                board.report(ctx.observer);
                continue;
            }
            () = tokio::time::sleep_until(board.patience_ends()) => {
                // what came a moment ago may tell that all is well
                if board.has_news() {
                    board.report(ctx.observer);
                    continue;
                }
                if pardon(ctx, &mut board).await {
                    continue;
                }
                return Err(why::not_ready(ctx, board.unready(), board.pods(), false).await);
            }
            () = tokio::time::sleep_until(ctx.deadline) => {
                board.report(ctx.observer);
                return Err(why::not_ready(ctx, board.unready(), board.pods(), true).await);
            }
        };
        let Some(((kind, namespace), event)) = next else {
            return Err(Error::failed("the API server ended all watches"));
        };
        match event {
            Ok(event) => board.take(&kind, namespace.as_deref(), event),
            // who may not look at events waits all the same
            Err(_) if witnesses().contains(&kind) => continue,
            // the watch goes on by itself; a person should know why nothing moves meanwhile
            Err(error) => {
                if board.trouble.insert(error.message().to_owned()) {
                    ctx.observer.event(Event::Warning { message: error.message().to_owned() });
                }
                continue;
            }
        }
        for (id, uid) in board.ends_unseen() {
            if let Some(end) = end_of(ctx, &id, uid.as_deref()).await {
                board.ended(&id, end);
            }
        }
        if board.all_ready() {
            board.report(ctx.observer);
            return Ok(board.components().len());
        }
    }
}

/// How a Job ended that is gone: the job controller says so in an event, `Completed` or a warning with
/// the reason (kubernetes/pkg/controller/job, recordJobFinished). None while it is there after all, and
/// where that cannot be asked.
async fn end_of(ctx: &Context<'_>, id: &ObjectId, uid: Option<&str>) -> Option<Readiness> {
    let namespace = id.namespace.as_deref()?;
    let kind = ctx.cluster.kinds().await.ok()?.of(id)?;
    let found = ctx.cluster.get_metadata(&kind, Some(namespace), &id.name).await.ok()?;
    if found.is_some() {
        return None;
    }
    let involved = uid.map_or(Involved::Name(&id.name), Involved::Uid);
    let events = ctx.cluster.events_for(namespace, involved).await.unwrap_or_default();
    let mut newest_first =
        events.iter().rev().filter(|event| event["involvedObject"]["kind"] == id.kind.as_str());
    let told = newest_first.find(|event| event["reason"] == "Completed" || event["type"] == "Warning");
    Some(match told {
        Some(event) if event["reason"] == "Completed" => Readiness::Ready,
        Some(event) => Readiness::Failed(event["message"].as_str().unwrap_or("the job failed").to_owned()),
        None => Readiness::Failed("it is gone, and nothing says that it completed".to_owned()),
    })
}

/// Kinds whose objects tell why, whoever made them.
fn witnesses() -> [Kind; 2] {
    [builtin::events(), builtin::claims()]
}

/// Is what was missing there by now? Then it only takes a while until that is noticed, and waiting
/// goes on.
async fn pardon(ctx: &Context<'_>, board: &mut Board) -> bool {
    let missing = board.missing();
    if missing.is_empty() {
        return false;
    }
    let cluster = ctx.cluster.without_deadline();
    let Ok(kinds) = cluster.kinds().await else { return false };
    for id in missing {
        let Some(kind) = kinds.of(&id) else { return false };
        match cluster.get_metadata(&kind, id.namespace.as_deref(), &id.name).await {
            Ok(Some(_)) => board.pardon(id),
            _ => return false,
        }
    }
    true
}

/// Each kind and namespace to watch, pods included for their reasons.
async fn watched_kinds(
    ctx: &Context<'_>,
    objects: &[Object],
    board: &Board,
) -> Result<Vec<(Kind, Option<String>)>> {
    let kinds = ctx.cluster.kinds().await?;
    let mut watched = BTreeSet::new();
    for object in objects.iter().filter(|object| board.has(&object.id())) {
        let (group, version) = crate::object::split_api_version(object.api_version());
        let namespace = object.namespace().map(str::to_owned);
        if let Some(kind) = kinds.resolve(group, version, object.kind()) {
            watched.insert((kind, namespace.clone()));
        }
        if let (Some(_), Some(pod)) = (&namespace, kinds.resolve("", "v1", "Pod")) {
            watched.insert((pod, namespace));
        }
    }
    Ok(watched.into_iter().collect())
}

/// A Service that is no load balancer has nothing to wait for.
fn is_plain_service(object: &Object) -> bool {
    object.kind() == "Service" && object.value()["spec"]["type"] != "LoadBalancer"
}
