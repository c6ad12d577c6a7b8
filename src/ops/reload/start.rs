//! A Prometheus that does not start with its configuration: its last words tell within seconds what a
//! wait for its readiness would tell at the end.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::time::Duration;

use super::{Source, is_reloadable, refused};
use crate::cluster::DeleteOptions;
use crate::error::{Error, Result};
use crate::object::{builtin, labels};
use crate::ops::{Context, live};
use crate::plan::Plan;
use crate::readiness::{Readiness, readiness};

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a pod that does not run may take to go.
const REPLACED: Duration = Duration::from_secs(15);
/// Lines of the log of a run that ended.
const TAIL: u32 = 200;

/// The components that read a configuration which Prometheus can refuse, and how often their
/// containers had been started before the change, by the pod's uid.
#[derive(Debug, Default)]
pub struct Starts {
    components: Vec<(String, String)>,
    known: BTreeMap<String, u64>,
    /// Pods that do not start with the configuration before: namespace, name, uid.
    stuck: Vec<(String, String, String)>,
}

impl Starts {
    /// Before the change; nothing where none of them changes, nor was to be changed by an operation that
    /// did not end well.
    pub async fn before(ctx: &Context<'_>, plan: &Plan, unfinished: bool) -> Result<Self> {
        let mut starts = Self::default();
        for step in plan.steps.iter().filter(|step| is_reloadable(&step.object)) {
            let Some(namespace) = step.object.namespace() else { continue };
            let component = (namespace.to_owned(), step.component.clone());
            let written = plan.steps.iter().any(|other| {
                other.component == step.component && (other.change.writes() || other.uid.is_none())
            });
            if !(written || unfinished) || starts.components.contains(&component) {
                continue;
            }
            for pod in pods(ctx, &component).await? {
                let text = |field: &str| pod["metadata"][field].as_str().map(str::to_owned);
                let (Some(name), Some(uid)) = (text("name"), text("uid")) else { continue };
                if readiness(&pod) != Readiness::Ready && last_words(ctx, &pod).await.is_some() {
                    starts.stuck.push((namespace.to_owned(), name, uid.clone()));
                }
                starts.known.insert(uid, restarts(&pod));
            }
            starts.components.push(component);
        }
        Ok(starts)
    }

    /// After the change: replaces the pods that did not start with the configuration before. The kubelet
    /// would try again after minutes, and what they said last is not about what is there now.
    pub async fn renew(&self, ctx: &Context<'_>) {
        let kind = builtin::pods();
        for (namespace, name, uid) in &self.stuck {
            let options = DeleteOptions { uid: Some(uid.clone()), ..DeleteOptions::default() };
            // without the right to do so it takes longer
            if ctx.cluster.delete(&kind, Some(namespace), name, &options).await.is_err() {
                continue;
            }
            let gone = async {
                loop {
                    match ctx.cluster.get_metadata(&kind, Some(namespace), name).await {
                        Ok(Some(live)) if live["metadata"]["uid"] == uid.as_str() => {}
                        _ => break,
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            };
            let _ = tokio::time::timeout(REPLACED, gone).await;
        }
    }

    /// Ends when a pod says that it does not start with its configuration, with the error; never
    /// otherwise.
    pub async fn refused(&self, ctx: &Context<'_>, source: Source<'_>) -> Error {
        if self.components.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Some(error) = self.look(ctx, source).await {
                return error;
            }
        }
    }

    /// One look.
    pub async fn look(&self, ctx: &Context<'_>, source: Source<'_>) -> Option<Error> {
        for place in &self.components {
            for pod in pods(ctx, place).await.unwrap_or_default() {
                let known = pod["metadata"]["uid"].as_str().and_then(|uid| self.known.get(uid));
                // a run that was under way at the change, and the one that it was about to be followed
                // by, may have read what was there before
                let old = known.is_some_and(|known| restarts(&pod) < known + 2);
                if old {
                    continue;
                }
                if let Some(refusal) = last_words(ctx, &pod).await {
                    let (namespace, component) = place;
                    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                    let error = refused::told(component, &refusal, source);
                    return Some(error.detail(format!("pod {namespace}/{name} does not start with it")));
                }
            }
        }
        None
    }
}

async fn pods(ctx: &Context<'_>, (namespace, component): &(String, String)) -> Result<Vec<Value>> {
    let selector = format!("{},{}={component}", live::selector(ctx), labels::OBS_COMPONENT);
    ctx.cluster.list(&builtin::pods(), Some(namespace), &selector).await
}

fn restarts(pod: &Value) -> u64 {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    containers.filter_map(|container| container["restartCount"].as_u64()).max().unwrap_or_default()
}

/// What a container that ended with an error said of its configuration.
async fn last_words(ctx: &Context<'_>, pod: &Value) -> Option<refused::Refusal> {
    let container = refused::container(pod)?;
    let mut statuses = pod["status"]["containerStatuses"].as_array()?.iter();
    let status = statuses.find(|status| status["name"] == container)?;
    let ended = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
    let ended = ended.into_iter().find(|ended| ended["exitCode"].as_u64().is_some_and(|code| code != 0))?;
    // the kubelet keeps the end of the log; what lies before it may tell more
    if let Some(refusal) = ended["message"].as_str().and_then(refused::read) {
        return Some(refusal);
    }
    let (namespace, name) = (pod["metadata"]["namespace"].as_str()?, pod["metadata"]["name"].as_str()?);
    let previous = status["state"]["terminated"].is_null() && status["state"]["waiting"].is_null();
    refused::read(&ctx.cluster.logs(namespace, name, container, previous, TAIL).await.ok()?)
}
