//! Why is it not ready? Gathers pods, events, claims and log lines around unready objects and
//! lets the pure explainer say cause and fix.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::apply::PARALLEL;
use super::{Context, live};
use crate::cluster::Cluster;
use crate::error::{Error, Exit};
use crate::object::{ObjectId, builtin, labels};
use crate::readiness::explain::{Cause, Explanation, Gathered, LogRequest, Logs, explain, fold, wanted_log};
use crate::readiness::{self, pods};

/// Log lines of a crashed container.
const TAIL: u32 = 10;
/// How long the gathering may take: it comes after a deadline.
const PATIENCE: Duration = Duration::from_secs(8);

/// An object that is not ready.
#[derive(Debug, Clone)]
pub struct Unready {
    /// Which.
    pub id: ObjectId,
    /// Its component.
    pub component: String,
    /// Its live state; None when it is not there.
    pub live: Option<Value>,
    /// What the readiness rules say.
    pub reason: String,
}

/// What lies around the unready objects of one namespace. What may not be read is not known: the
/// explanation is then poorer, not absent.
#[derive(Default)]
struct Surroundings {
    events: Vec<Value>,
    claims: Vec<Value>,
}

/// The error for objects that are not ready. `late`: the deadline passed.
pub async fn not_ready(
    ctx: &Context<'_>,
    unready: Vec<Unready>,
    pods: &BTreeMap<ObjectId, Value>,
    late: bool,
) -> Error {
    let exit = if late { Exit::Deadline } else { Exit::Failed };
    let roots = fold(explanations(ctx, &unready, pods).await);
    let may_take_time = roots.iter().any(Explanation::may_take_time);
    let mut roots = roots.into_iter();
    let Some(first) = roots.next() else {
        return Error::new(exit, "the deadline passed before the objects were seen");
    };
    let mut error = first.into_error();
    for other in roots {
        error = error.detail(other.headline);
        for line in other.evidence {
            error = error.detail(format!("  {line}"));
        }
        if let Some(hint) = other.hint {
            error = error.hint(hint);
        }
    }
    if late && may_take_time {
        error = error.hint("the deadline passed; --timeout gives more time where only time is missing");
    }
    error.with_exit(exit)
}

/// Why each of these objects is not ready, in their order. Where the gathering takes too long it is
/// what the readiness rules say.
pub async fn explanations(
    ctx: &Context<'_>,
    unready: &[Unready],
    pods: &BTreeMap<ObjectId, Value>,
) -> Vec<Explanation> {
    if unready.is_empty() {
        return Vec::new();
    }
    match tokio::time::timeout(PATIENCE, gather(ctx, unready, pods)).await {
        Ok(explanations) => explanations,
        Err(_) => unready.iter().map(|object| bare(object, &object.reason)).collect(),
    }
}

async fn gather(
    ctx: &Context<'_>,
    unready: &[Unready],
    pods: &BTreeMap<ObjectId, Value>,
) -> Vec<Explanation> {
    let cluster = ctx.cluster.without_deadline();
    let own: Vec<Vec<Value>> = unready
        .iter()
        .map(|object| {
            pods.values().filter(|pod| belongs(pod, &object.id, &object.component)).cloned().collect()
        })
        .collect();
    let namespaces: BTreeSet<&str> = unready.iter().filter_map(|o| o.id.namespace.as_deref()).collect();
    let event = builtin::events();
    let claim = builtin::claims();
    let around = async {
        let mut around: BTreeMap<&str, Surroundings> = BTreeMap::new();
        for namespace in namespaces {
            let (events, claims) = tokio::join!(
                cluster.list(&event, Some(namespace), ""),
                cluster.list(&claim, Some(namespace), ""),
            );
            let found =
                Surroundings { events: events.unwrap_or_default(), claims: claims.unwrap_or_default() };
            around.insert(namespace, found);
        }
        around
    };
    let classes = async { live::all_storage_classes(&cluster).await.ok()??.ok() };
    // only what the scheduler says can want a look at the nodes
    let nodes = async {
        own.iter().flatten().find_map(pods::unschedulable)?;
        cluster.list(&builtin::nodes(), None, "").await.ok()
    };
    let (around, classes, nodes, logs) = tokio::join!(around, classes, nodes, logs(&cluster, &own));
    let none = Surroundings::default();
    unready
        .iter()
        .zip(&own)
        .map(|(object, own)| {
            let Some(live) = &object.live else {
                let missing = bare(object, &format!("{} is missing", object.id));
                return Explanation { hint: Some("kubectl obs upgrade makes it again".into()), ..missing };
            };
            let here = object.id.namespace.as_deref().and_then(|ns| around.get(ns)).unwrap_or(&none);
            explain(&Gathered {
                component: &object.component,
                workload: live,
                pods: own,
                events: &here.events,
                claims: &here.claims,
                storage_classes: classes.as_deref(),
                nodes: nodes.as_deref(),
                logs: &logs,
                now: jiff::Timestamp::now(),
            })
        })
        .collect()
}

/// The log tails that tell something, of each object one.
async fn logs(cluster: &Cluster, pods: &[Vec<Value>]) -> Logs {
    let wanted: BTreeSet<LogRequest> = pods.iter().filter_map(|pods| wanted_log(pods)).collect();
    stream::iter(wanted)
        .map(|log| async move {
            let LogRequest { namespace, pod, container, previous } = log;
            let tail = cluster.logs(&namespace, &pod, &container, previous, TAIL).await.ok()?;
            Some(((pod, container), tail))
        })
        .buffer_unordered(PARALLEL)
        .filter_map(|found| async { found })
        .collect()
        .await
}

/// Is it a pod of this component, in the namespace of the object?
pub fn belongs(pod: &Value, object: &ObjectId, component: &str) -> bool {
    pod["metadata"]["namespace"].as_str() == object.namespace.as_deref()
        && pod["metadata"]["labels"][labels::OBS_COMPONENT] == component
}

/// The readiness rule's own reason, for what nothing more is known about.
fn bare(object: &Unready, what: &str) -> Explanation {
    Explanation {
        cause: Cause::Waiting,
        headline: format!("{} is not ready: {what}", object.component),
        short: what.to_owned(),
        evidence: Vec::new(),
        hint: None,
        hopeless: false,
        missing: None,
    }
}

/// Why a pod is not ready, in a few words; None when it is.
pub fn pod_reason(pod: &Value) -> Option<String> {
    readiness::readiness(pod).why().map(str::to_owned)
}
