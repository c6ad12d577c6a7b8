//! A changed configuration that Prometheus reloads by itself: did it? The kubelet is nudged to bring
//! the ConfigMap into the pods at once; then each pod's reload metrics must move on, and what it
//! serves must be what was applied. One that it refuses ends the wait with its own words.

mod origin;
mod refused;
mod served;
mod start;

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::time::{Duration, Instant};

pub use served::Loaded;
pub use start::Starts;

use super::health::ask::{self, Place};
use super::{Context, live, who};
use crate::cluster::MetadataPatch;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::{Object, builtin, labels};
use crate::plan::{Plan, Step};
use refused::Refusal;
use served::serves;

/// Longest time from the change to the reload: Prometheus may look at its files every 30 s, the kubelet
/// at its ConfigMaps about every minute when nothing nudges it.
const PATIENCE: Duration = Duration::from_secs(180);
/// For so long after a nudge a refusal in the words of the one before may be that of what was there
/// before: Prometheus tries again and again, and a kubelet takes some seconds to bring the files.
const SAME_WORDS: Duration = Duration::from_secs(25);
/// The same where the kubelet was not nudged.
const SAME_WORDS_LATER: Duration = Duration::from_secs(120);
/// A pod that serves what was applied and has complained of nothing for so long did not have to reload:
/// what an operation undoes may never have reached it. Longer than Prometheus' usual interval of 30 s.
const QUIET: Duration = Duration::from_secs(75);
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
        let mut seen = Seen { begun, last: None, quiet_since: begun };
        loop {
            let why = match state(ctx, reload, source, &mut seen).await? {
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

/// How far a pod is.
enum State {
    /// It is gone, or not ready: somebody else's business.
    Gone,
    Reloaded(Reloaded),
    Refused(Error),
    Awaited(String),
}

/// What was seen of a pod while it was awaited.
struct Seen {
    begun: Instant,
    /// Its last refusal.
    last: Option<Refusal>,
    /// Since when there was no other.
    quiet_since: Instant,
}

impl Seen {
    /// Is this refusal about what was applied, and not about what was there before?
    fn is_new(&mut self, reload: &Reload, line: &Refusal) -> bool {
        if self.last.as_ref() != Some(line) {
            self.last = Some(line.clone());
            self.quiet_since = Instant::now();
        }
        let Some(before) = &reload.refused else { return true };
        if reload.before.is_none() {
            // nothing was applied: what it said holds
            return true;
        }
        let patience = if reload.nudged { SAME_WORDS } else { SAME_WORDS_LATER };
        // who repeats himself even then speaks of what is there now
        before.reasons != line.reasons || self.quiet_since >= self.begun + patience
    }
}

async fn state(ctx: &Context<'_>, reload: &Reload, source: Source<'_>, seen: &mut Seen) -> Result<State> {
    let Reload { namespace, pod, component, before, config, .. } = reload;
    if !live::ready_pods(ctx, namespace, component).await?.contains(pod) {
        return Ok(State::Gone);
    }
    let awaited = |why: &str| Ok(State::Awaited(why.to_owned()));
    let (at, successful) = match metrics(ctx, namespace, pod).await {
        Ok(Some(found)) => found,
        Ok(None) => return awaited("it shows no reload metrics"),
        Err(why) => return awaited(&why),
    };
    if !successful
        && let Some(line) = refused::last(ctx, namespace, pod).await
        && seen.is_new(reload, &line)
    {
        return Ok(State::Refused(refused::error(reload, &line, source)));
    }
    let loaded = match served_by(ctx, namespace, pod).await {
        Ok(loaded) => loaded,
        Err(why) => return awaited(&why),
    };
    let right = config.as_ref().is_none_or(|config| serves(config, &loaded.config));
    let settled = config.is_some() && right && seen.quiet_since.elapsed() >= QUIET;
    if !successful && !settled {
        return awaited("its last reload failed, the old configuration still holds");
    }
    if before.is_some_and(|before| at <= before) && !settled {
        return awaited("it has not reloaded yet");
    }
    if !right {
        return awaited("it serves another configuration than the applied one");
    }
    let jobs = loaded.changed_since(&reload.loaded);
    let (namespace, pod) = (namespace.clone(), pod.clone());
    Ok(State::Reloaded(Reloaded { namespace, pod, at, jobs, rules: reload.rules }))
}

/// When it last reloaded, and whether the last try succeeded; None when it has no such metrics.
async fn metrics(ctx: &Context<'_>, namespace: &str, pod: &str) -> Result<Option<(f64, bool)>, String> {
    let text = match ask::get(ctx, namespace, pod, PORT, "/metrics").await? {
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
    let data = ask::api(ctx, &place, "/api/v1/status/config").await?;
    Ok(Loaded::read(data["yaml"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(time: &str, reason: &str) -> Refusal {
        Refusal { text: format!("{time} {reason}"), reasons: vec![reason.to_owned()] }
    }

    fn reload(refused: Option<Refusal>, changes: bool) -> Reload {
        Reload {
            namespace: "obs".into(),
            pod: "obs-prometheus-0".into(),
            component: "prometheus".into(),
            before: changes.then_some(1.0),
            at: 1.0,
            refused,
            loaded: Loaded::default(),
            config: None,
            rules: false,
            nudged: true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_refusal_of_what_was_there_before_is_not_that_of_what_is_applied() {
        let begun = Instant::now();
        let mut seen = Seen { begun, last: None, quiet_since: begun };
        assert!(seen.is_new(&reload(None, true), &refusal("1", "field a")), "there was none before");
        let again = reload(Some(refusal("1", "field a")), true);
        assert!(!seen.is_new(&again, &refusal("2", "field a")), "Prometheus tries every few seconds");
        assert!(seen.is_new(&again, &refusal("3", "field b")), "other words");
        assert!(
            seen.is_new(&reload(Some(refusal("1", "field a")), false), &refusal("2", "field a")),
            "nothing was applied"
        );
        tokio::time::advance(Duration::from_secs(30)).await;
        let mut seen = Seen { begun, last: Some(refusal("3", "field a")), quiet_since: begun };
        assert!(!seen.is_new(&again, &refusal("3", "field a")), "it said no more");
        assert!(seen.is_new(&again, &refusal("9", "field a")), "it still says so");
    }
}
