//! Waiting until every object of a revision is ready: one watch per kind and namespace feeds the
//! pure readiness rules; each change of a component becomes an event. Ends early where waiting
//! cannot help, and says at the deadline what is missing and why.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{StreamExt, select_all};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::{Context, live, why};
use crate::cluster::WatchEvent;
use crate::error::{Error, Result};
use crate::event::{ComponentState, Event};
use crate::object::{Kind, Object, ObjectId, labels};
use crate::readiness::{self, Readiness};

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

/// How long a hopeless state must last before it is believed.
const GRACE: Duration = Duration::from_secs(4);

/// What is known while waiting.
struct Board {
    targets: BTreeMap<ObjectId, Target>,
    pods: BTreeMap<ObjectId, Value>,
    shown: BTreeMap<String, (ComponentState, String, String)>,
    start: Instant,
    hopeless_since: Option<Instant>,
    /// StorageClasses: a claim whose class binds at first use, and that nobody uses, is no reason to
    /// wait. Empty where they cannot be read.
    classes: Vec<Value>,
    /// What watches complained about, each once.
    trouble: BTreeSet<String>,
}

struct Target {
    component: String,
    live: Option<Value>,
    readiness: Readiness,
    /// Does it go by itself when it is done?
    goes_by_itself: bool,
}

/// Waits for `objects`. The error at the deadline, or earlier, explains each unready object.
pub async fn ready(ctx: &Context<'_>, objects: &[Object]) -> Result<usize> {
    let mut board = Board {
        targets: objects
            .iter()
            .filter(|object| !AT_ONCE.contains(&object.kind()) && !is_plain_service(object))
            .map(|object| {
                let component = object.label(labels::OBS_COMPONENT).unwrap_or_default().to_owned();
                let readiness = Readiness::Progressing("not seen yet".into());
                let goes_by_itself = readiness::vanishes_when_done(object.value());
                (object.id(), Target { component, live: None, readiness, goes_by_itself })
            })
            .collect(),
        pods: BTreeMap::new(),
        shown: BTreeMap::new(),
        start: Instant::now(),
        hopeless_since: None,
        trouble: BTreeSet::new(),
        classes: Vec::new(),
    };
    if board.targets.is_empty() {
        return Ok(0);
    }
    if board.targets.keys().any(|id| id.kind == "PersistentVolumeClaim")
        && let Some(kind) = ctx.cluster.kinds().await?.preferred("storage.k8s.io", "StorageClass")
    {
        board.classes = ctx.cluster.list(&kind, None, "").await.unwrap_or_default();
    }
    let selector = live::selector(ctx);
    let kinds = watched_kinds(ctx, objects, &board).await?;
    let streams = kinds.iter().map(|(kind, namespace)| {
        let known = kind.clone();
        ctx.cluster
            .watch(kind, namespace.as_deref(), &selector)
            .map(move |event| (known.clone(), event))
            .boxed()
    });
    let mut events = select_all(streams);
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = tokio::time::sleep_until(board.patience_ends()) => {
                return Err(why::not_ready(ctx, board.unready(), &board.pods, false).await);
            }
            () = tokio::time::sleep_until(ctx.deadline) => return Err(why::not_ready(ctx, board.unready(), &board.pods, true).await),
        };
        let Some((kind, event)) = next else {
            return Err(Error::failed("the API server ended all watches"));
        };
        match event {
            Ok(event) => board.take(&kind, event),
            // the watch goes on by itself; a person should know why nothing moves meanwhile
            Err(error) => {
                if board.trouble.insert(error.message().to_owned()) {
                    ctx.observer.event(Event::Warning { message: error.message().to_owned() });
                }
                continue;
            }
        }
        board.report(ctx);
        if board.targets.values().all(|target| target.readiness == Readiness::Ready) {
            return Ok(board.components().len());
        }
        board.judge();
    }
}

/// Each kind and namespace to watch, pods included for their reasons.
async fn watched_kinds(
    ctx: &Context<'_>,
    objects: &[Object],
    board: &Board,
) -> Result<Vec<(Kind, Option<String>)>> {
    let kinds = ctx.cluster.kinds().await?;
    let mut watched = BTreeSet::new();
    for object in objects.iter().filter(|object| board.targets.contains_key(&object.id())) {
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

impl Board {
    fn take(&mut self, kind: &Kind, event: WatchEvent) {
        let (value, gone) = match event {
            WatchEvent::Applied(value) => (value, false),
            WatchEvent::Deleted(value) => (value, true),
            WatchEvent::Synced => return,
        };
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let id = ObjectId {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap_or_default(),
        };
        if let Some(target) = self.targets.get_mut(&id) {
            target.readiness = if gone && target.goes_by_itself {
                Readiness::Ready
            } else if gone {
                Readiness::Progressing("it was deleted".into())
            } else {
                let around = readiness::Context { storage_classes: &self.classes, pods: &[] };
                readiness::readiness_in(&value, &around)
            };
            target.live = (!gone).then(|| value.clone());
        }
        if kind.kind == "Pod" && kind.group.is_empty() {
            if gone {
                self.pods.remove(&id)
            } else {
                self.pods.insert(id, value)
            };
        }
    }

    fn components(&self) -> BTreeSet<&str> {
        self.targets.values().map(|target| target.component.as_str()).collect()
    }

    /// Sends an event for each component whose state changed.
    fn report(&mut self, ctx: &Context<'_>) {
        let components: Vec<String> = self.components().into_iter().map(str::to_owned).collect();
        for name in components {
            let now = self.component(&name);
            if self.shown.get(&name) == Some(&now) {
                continue;
            }
            let (state, ready, why) = now.clone();
            self.shown.insert(name.clone(), now);
            let seconds = self.start.elapsed().as_secs_f64();
            ctx.observer.event(Event::Component { name, state, ready, why, seconds });
        }
    }

    fn component(&self, name: &str) -> (ComponentState, String, String) {
        let targets: Vec<&Target> = self.targets.values().filter(|t| t.component == name).collect();
        let (mut ready, mut wanted, mut unit) = (0, 0, "");
        for counts in targets.iter().filter_map(|t| readiness::counts(t.live.as_ref()?)) {
            ready += counts.0;
            wanted += counts.1;
            unit = counts.2;
        }
        let suffix = if unit == "nodes" { " nodes" } else { "" };
        let counts = format!("{ready}/{wanted}{suffix}");
        let mut state = ComponentState::Ready;
        let mut why = String::new();
        for target in targets {
            match &target.readiness {
                Readiness::Ready => {}
                Readiness::Progressing(reason) => {
                    if state == ComponentState::Ready {
                        state = ComponentState::Starting;
                        why.clone_from(reason);
                    }
                }
                Readiness::Failed(reason) => {
                    state = ComponentState::Failed;
                    why.clone_from(reason);
                }
            }
        }
        if state == ComponentState::Starting
            && let Some(reason) = self.pods_of(name).find_map(why::pod_reason)
        {
            why = reason;
        }
        (state, counts, why)
    }

    fn pods_of(&self, component: &str) -> impl Iterator<Item = &Value> {
        let component = component.to_owned();
        self.pods
            .values()
            .filter(move |pod| pod["metadata"]["labels"][labels::OBS_COMPONENT] == component.as_str())
    }

    /// Is there something that waiting cannot help? It must stay so for [`GRACE`]: what was just
    /// applied may still arrive at the kubelet.
    fn judge(&mut self) {
        let hopeless = self.targets.values().any(|target| matches!(target.readiness, Readiness::Failed(_)))
            || self
                .pods
                .values()
                .any(|pod| readiness::pods::worst_container(pod).is_some_and(|t| t.hopeless));
        self.hopeless_since =
            if hopeless { self.hopeless_since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// When to give up for a reason that stays.
    fn patience_ends(&self) -> Instant {
        // far away, but within what a timer can hold
        self.hopeless_since
            .map_or_else(|| Instant::now() + Duration::from_secs(86_400), |since| since + GRACE)
    }

    /// The objects that are not ready, with their live state and reason.
    fn unready(&self) -> Vec<why::Unready> {
        self.targets
            .iter()
            .filter_map(|(id, target)| match &target.readiness {
                Readiness::Ready => None,
                Readiness::Progressing(reason) | Readiness::Failed(reason) => Some(why::Unready {
                    id: id.clone(),
                    component: target.component.clone(),
                    live: target.live.clone(),
                    reason: reason.clone(),
                }),
            })
            .collect()
    }
}
