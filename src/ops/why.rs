//! Why is it not ready? Gathers pods, events, claims and log lines around unready objects and
//! lets the pure explainer say cause and fix.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Context;
use crate::error::{Error, Exit};
use crate::object::{Kind, ObjectId, labels};
use crate::readiness::explain::{Cause, Explanation, Gathered, Logs, explain, fold};
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
    let plain = |object: &Unready| bare(object, &object.reason);
    let explanations = match tokio::time::timeout(PATIENCE, all(ctx, &unready, pods)).await {
        Ok(explanations) => explanations,
        Err(_) => unready.iter().map(plain).collect(),
    };
    let mut roots = fold(explanations).into_iter();
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
    if late {
        error = error.hint("the deadline passed; --timeout gives more time where only time is missing");
    }
    error.with_exit(exit)
}

async fn all(ctx: &Context<'_>, unready: &[Unready], pods: &BTreeMap<ObjectId, Value>) -> Vec<Explanation> {
    let cluster = ctx.cluster.without_deadline();
    let namespaces: BTreeSet<&str> = unready.iter().filter_map(|o| o.id.namespace.as_deref()).collect();
    let event = Kind::namespaced("", "Event", "events");
    let claim = Kind::namespaced("", "PersistentVolumeClaim", "persistentvolumeclaims");
    let mut around: BTreeMap<&str, Surroundings> = BTreeMap::new();
    for namespace in namespaces {
        let (events, claims) = tokio::join!(
            cluster.list(&event, Some(namespace), ""),
            cluster.list(&claim, Some(namespace), ""),
        );
        let found = Surroundings { events: events.unwrap_or_default(), claims: claims.unwrap_or_default() };
        around.insert(namespace, found);
    }
    let classes = match cluster.kinds().await.ok().and_then(|k| k.preferred("storage.k8s.io", "StorageClass"))
    {
        Some(kind) => cluster.list(&kind, None, "").await.ok(),
        None => None,
    };
    let mut explanations = Vec::new();
    for object in unready {
        let Some(live) = &object.live else {
            explanations.push(bare(object, &format!("{} is not there: {}", object.id, object.reason)));
            continue;
        };
        let own: Vec<Value> = pods.values().filter(|pod| belongs(pod, object)).cloned().collect();
        let mut logs = Logs::new();
        for pod in &own {
            if let Some(trouble) = pods::worst_container(pod)
                && let Some(previous) = trouble.wants_logs
            {
                let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
                let (namespace, name) = (text("namespace"), text("name"));
                if let Ok(tail) = cluster.logs(&namespace, &name, &trouble.container, previous, TAIL).await {
                    logs.insert((name, trouble.container), tail);
                }
            }
        }
        let none = Surroundings::default();
        let here = object.id.namespace.as_deref().and_then(|ns| around.get(ns)).unwrap_or(&none);
        explanations.push(explain(&Gathered {
            component: &object.component,
            workload: live,
            pods: &own,
            events: &here.events,
            claims: &here.claims,
            storage_classes: classes.as_deref(),
            logs: &logs,
            now: jiff::Timestamp::now(),
        }));
    }
    explanations
}

/// Is it a pod of the object's component, in its namespace?
fn belongs(pod: &Value, object: &Unready) -> bool {
    pod["metadata"]["namespace"].as_str() == object.id.namespace.as_deref()
        && pod["metadata"]["labels"][labels::OBS_COMPONENT] == object.component.as_str()
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
