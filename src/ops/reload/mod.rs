//! A changed configuration that Prometheus reloads by itself: did it? The kubelet is nudged to bring
//! the ConfigMap into the pods at once; then each pod's reload metrics must move on, and what it
//! serves must be what was applied. One that it refuses ends the wait with its own words.

mod origin;
mod progress;
mod refused;
mod served;
mod start;

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::time::{Duration, Instant};

pub use served::Loaded;
pub use start::Starts;

use super::pod::{self, Place};
use super::{Context, live, who};
use crate::cluster::MetadataPatch;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::{Object, builtin, labels};
use crate::plan::{Plan, Step};
use progress::{Seen, State};
use refused::Refusal;

/// Longest time from the change to the reload: Prometheus may look at its files every 30 s, the kubelet
/// at its ConfigMaps about every minute when nothing nudges it.
const PATIENCE: Duration = Duration::from_secs(180);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Where Prometheus listens.
const PORT: u16 = 9090;
/// When it last took over its configuration.
const RELOADED_AT: &str = "prometheus_config_last_reload_success_timestamp_seconds";
/// Did it take over what it read last?
const SUCCESSFUL: &str = "prometheus_config_last_reload_successful";
/// The key that holds the configuration itself; others are rules.
const CONFIG: &str = "prometheus.yml";

/// A pod whose configuration is about to change.
#[derive(Debug)]
pub struct Reload {
    namespace: String,
    pod: String,
    component: String,
    /// When it reloaded before the change, on its own clock; None where nothing has to change now,
    /// because an operation that did not end well changed it already.
    before: Option<f64>,
    /// When it reloaded last, whatever changes.
    at: f64,
    /// What it refused before the change, if it did.
    refused: Option<Refusal>,
    /// What it served before.
    loaded: Loaded,
    /// What it must serve then, where the configuration itself changes.
    config: Option<Value>,
    /// Do rules change?
    rules: bool,
    /// Was the kubelet told to bring the files at once?
    nudged: bool,
}

/// A pod that took over its changed configuration.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// When, in seconds since 1970 on its own clock.
    pub at: f64,
    /// The jobs whose configuration differs from before.
    pub jobs: BTreeSet<String>,
    /// Did rules change?
    pub rules: bool,
}

/// The texts that a Prometheus of the release reads, for the words of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Every object of the release.
    pub objects: &'a [Object],
    /// The user's own values.
    pub values: &'a Value,
    /// Is there a revision that a rollback would return to, and nobody does it already?
    pub way_back: bool,
}

impl Source<'_> {
    /// What is read under this name (`prometheus.yml`, `nodes.yaml`).
    fn text(&self, key: &str) -> Option<&str> {
        let mut read = self.objects.iter().filter(|object| is_reloadable(object));
        read.find_map(|object| object.value()["data"][key].as_str())
    }
}

/// Before the change: the pods that will have to reload. None where a pod is not ready or does not
/// answer: a new one reads the new configuration anyway. `unfinished`: the revision before was not
/// deployed, so that what is applied already may not have been taken over.
pub async fn expect(ctx: &Context<'_>, plan: &Plan, unfinished: bool) -> Result<Vec<Reload>> {
    let mut found: Vec<Reload> = Vec::new();
    let steps = plan.steps.iter().filter(|step| is_reloadable(&step.object));
    for step in steps.filter(|step| changes_data(step) || unfinished && step.uid.is_some()) {
        let Some(namespace) = step.object.namespace() else { continue };
        let config =
            step.object.value()["data"][CONFIG].as_str().and_then(|text| crate::yaml::parse(text).ok());
        let rules = config.is_none();
        for pod in live::ready_pods(ctx, namespace, &step.component).await? {
            let before = |at: f64| changes_data(step).then_some(at);
            if let Some(known) =
                found.iter_mut().find(|reload| reload.namespace == namespace && reload.pod == pod)
            {
                known.config = known.config.take().or_else(|| config.clone());
                known.rules |= rules;
                known.before = known.before.or_else(|| before(known.at));
                continue;
            }
            let (Ok(Some((at, successful))), Ok(loaded)) =
                tokio::join!(metrics(ctx, namespace, &pod), served_by(ctx, namespace, &pod))
            else {
                continue;
            };
            let refused = match successful {
                true => None,
                false => refused::last(ctx, namespace, &pod).await,
            };
            let (namespace, component) = (namespace.to_owned(), step.component.clone());
            let (before, config) = (before(at), config.clone());
            found.push(Reload {
                namespace,
                pod,
                component,
                before,
                at,
                refused,
                loaded,
                config,
                rules,
                nudged: false,
            });
        }
    }
    Ok(found)
}

/// Does Prometheus reload this object by itself?
pub fn is_reloadable(object: &Object) -> bool {
    object.annotation(labels::LIVE_RELOAD) == Some(labels::RELOAD_PROMETHEUS)
}

fn changes_data(step: &Step) -> bool {
    step.change.fields().iter().any(|field| field.path.starts_with("data"))
}

/// After the change: makes the kubelets look at once. What is written to the pod may be a file of
/// Prometheus too, so that it reloads even when all others are what it has loaded already. As such it
/// has to be a comment.
pub async fn nudge(ctx: &Context<'_>, reloads: &mut [Reload]) {
    let pods = builtin::pods();
    for Reload { namespace, pod, nudged, .. } in reloads {
        let patch = MetadataPatch {
            annotations: [(labels::NUDGE.to_owned(), Some(format!("# {}", who::now())))].into(),
            ..MetadataPatch::default()
        };
        // without the right to do so it takes a minute longer
        *nudged = ctx.cluster.patch_metadata(&pods, Some(namespace), pod, &patch, None).await.is_ok();
    }
}

/// Waits until every pod that is still there has taken over its configuration; gives when they did.
pub async fn verify(ctx: &Context<'_>, reloads: &[Reload], source: Source<'_>) -> Result<Vec<Reloaded>> {
    let begun = Instant::now();
    let deadline = ctx.deadline.min(begun + PATIENCE);
    let mut done = Vec::new();
    for reload in reloads {
        let mut told = String::new();
        let mut seen = Seen::new(begun);
        loop {
            let why = match progress::state(ctx, reload, source, &mut seen).await? {
                State::Gone => break,
                State::Reloaded(reloaded) => {
                    done.push(reloaded);
                    break;
                }
                State::Refused(error) => return Err(error),
                State::Awaited(why) => why,
            };
            if why != told {
                let what = format!("{} reloads its configuration: {why}", reload.component);
                ctx.observer.event(Event::Awaiting { phase: Phase::Ready, what });
                told.clone_from(&why);
            }
            if Instant::now() >= deadline {
                let Reload { namespace, pod, component, .. } = reload;
                return Err(Error::deadline(format!(
                    "{component} did not take over its changed configuration: {why}"
                ))
                .detail(format!("pod {namespace}/{pod}"))
                .hint(format!("kubectl logs -n {namespace} {pod} says what it makes of it")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(done)
}

/// When it last reloaded, and whether the last try succeeded; None when it has no such metrics.
async fn metrics(ctx: &Context<'_>, namespace: &str, pod: &str) -> Result<Option<(f64, bool)>, String> {
    let text = match pod::get(ctx, namespace, pod, PORT, "/metrics").await? {
        (200, text) => text,
        (status, _) => return Err(format!("/metrics answers {status}")),
    };
    let value = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok(value(RELOADED_AT).zip(value(SUCCESSFUL).map(|value| value == 1.0)))
}

/// What a pod serves.
async fn served_by(ctx: &Context<'_>, namespace: &str, pod: &str) -> Result<Loaded, String> {
    let place = Place { namespace: namespace.to_owned(), pod: pod.to_owned(), port: PORT };
    let data = pod::api(ctx, &place, "/api/v1/status/config").await?;
    Ok(Loaded::read(data["yaml"].as_str().unwrap_or_default()))
}
