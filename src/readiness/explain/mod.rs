//! Why is a workload not ready: joins it with its pods, claims, events and logs into **one** cause,
//! its evidence and one fix. Pure over what was gathered; consequences of the cause are left out.
//!
//! Causes are tried from the root outwards: pods that cannot be made, claims that cannot be bound,
//! pods that fit nowhere, containers that cannot start, nodes that do not keep them, mounts, probes.
//! The first that holds wins.

mod containers;
mod crash;
mod creation;
mod events;
mod fold;
mod mounts;
mod node;
mod nodes;
mod probes;
mod rollout;
mod scheduling;
mod start;
mod storage;
#[cfg(test)]
mod tests;
mod words;

pub use fold::fold;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fields::text;
use super::{Readiness, readiness};
use crate::Error;
use crate::object::ObjectId;
use events::{Seen, seen};

/// Logs by (pod, container): the tail that [`wanted_log`] asked for.
pub type Logs = BTreeMap<(String, String), String>;

/// What is known of one workload that is not ready. Lists may hold more than concerns it.
#[derive(Debug, Clone, Copy)]
pub struct Gathered<'a> {
    /// The component as a person knows it, `grafana`.
    pub component: &'a str,
    /// The Deployment, StatefulSet, DaemonSet, Job or other object.
    pub workload: &'a Value,
    /// Its pods.
    pub pods: &'a [Value],
    /// Events of its namespace (core/v1 or events.k8s.io/v1).
    pub events: &'a [Value],
    /// PersistentVolumeClaims of its namespace.
    pub claims: &'a [Value],
    /// All StorageClasses; None when they could not be read.
    pub storage_classes: Option<&'a [Value]>,
    /// All Nodes; None when they could not be read, or nobody needs them.
    pub nodes: Option<&'a [Value]>,
    /// Log tails.
    pub logs: &'a Logs,
    /// Now, for the ages of events.
    pub now: Timestamp,
}

/// The class of a cause, nearest to the root first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The API server refuses to create the pods.
    Creation,
    /// A volume claim cannot be bound.
    Claim,
    /// No node takes the pod.
    Scheduling,
    /// An image cannot be pulled.
    Image,
    /// Something that the container refers to does not exist.
    Config,
    /// The runtime cannot start the container.
    Start,
    /// A volume cannot be mounted.
    Mount,
    /// The container is killed at its memory limit.
    Memory,
    /// The container crashes.
    Crash,
    /// The kubelet restarts it because its liveness probe fails.
    Liveness,
    /// Its readiness probe fails.
    Probe,
    /// The node of the pod does not answer, evicted it, or refused it.
    Node,
    /// The rollout itself stands still: paused, or held by an old pod or a Job that gave up.
    Rollout,
    /// A Service has no address from a load balancer.
    Address,
    /// Nothing is wrong as far as can be seen; it takes its time.
    Waiting,
}

/// One cause, its evidence, one fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The class of the cause.
    pub cause: Cause,
    /// `grafana is not ready: container grafana cannot pull image "…": not found`
    pub headline: String,
    /// A few words for a progress line: `readiness probe: connection refused`.
    pub short: String,
    /// Lines below the headline: the event with its age, the log's last lines.
    pub evidence: Vec<String>,
    /// What to do; lines after the first are commands.
    pub hint: Option<String>,
    /// Waiting does not help. Callers give it some seconds: what was just applied may still arrive.
    pub hopeless: bool,
    /// What is missing, when that is the cause. The evidence may be older than what is there by now:
    /// look before giving up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<ObjectId>,
}

impl Explanation {
    /// Can more time be all that it takes? Not where something is wrong in what was applied.
    pub fn may_take_time(&self) -> bool {
        use Cause::{Address, Claim, Mount, Node, Probe, Scheduling, Waiting};
        !self.hopeless && matches!(self.cause, Waiting | Probe | Scheduling | Claim | Mount | Address | Node)
    }

    fn new(gathered: &Gathered, cause: Cause, what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            cause,
            headline: format!("{} is not ready: {what}", gathered.component),
            short: what,
            evidence: Vec::new(),
            hint: None,
            hopeless: false,
            missing: None,
        }
    }

    fn short(mut self, short: impl Into<String>) -> Self {
        self.short = short.into();
        self
    }

    fn line(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// The event's own words: what a person can search for.
    fn event(mut self, event: Option<&Seen>, now: Timestamp) -> Self {
        if let Some(event) = event {
            self.evidence.push(event.quote(now));
        }
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn hopeless(mut self, hopeless: bool) -> Self {
        self.hopeless = hopeless;
        self
    }

    /// Whose absence is the cause.
    fn missing(mut self, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let group = match kind {
            "PriorityClass" => "scheduling.k8s.io",
            "StorageClass" => "storage.k8s.io",
            "RuntimeClass" => "node.k8s.io",
            _ => "",
        };
        self.missing = Some(ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        });
        self
    }

    /// As the error that ends the operation.
    pub fn into_error(self) -> Error {
        let mut error = Error::failed(self.headline);
        for line in self.evidence {
            error = error.detail(line);
        }
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// A log worth reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The run before the present one?
    pub previous: bool,
}

/// The one log whose last lines [`explain`] would quote; None where no log tells anything. Fetch its
/// tail (some twenty lines) into [`Gathered::logs`] before explaining.
pub fn wanted_log(pods: &[Value]) -> Option<LogRequest> {
    let (pod, trouble) = containers::worst(pods)?;
    Some(LogRequest {
        namespace: text(pod, "/metadata/namespace").to_owned(),
        pod: text(pod, "/metadata/name").to_owned(),
        container: trouble.container,
        previous: trouble.wants_logs?,
    })
}

/// Explains why a workload is not ready. Call it for what [`readiness`] does not call ready; the
/// answer for a ready one is of class [`Cause::Waiting`].
pub fn explain(gathered: &Gathered) -> Explanation {
    let events = seen(gathered.events);
    let found = rollout::late_job(gathered)
        .or_else(|| creation::explain(gathered, &events))
        .or_else(|| storage::explain(gathered, &events))
        .or_else(|| scheduling::explain(gathered))
        .or_else(|| containers::explain(gathered, &events))
        .or_else(|| node::explain(gathered))
        .or_else(|| probes::explain(gathered, &events))
        .or_else(|| rollout::explain(gathered))
        .or_else(|| containers::init_runs(gathered))
        .unwrap_or_else(|| waiting(gathered, &events));
    rollout::given_up(gathered, found)
}

/// No cause: what the rule says is awaited, with the newest warning.
fn waiting(gathered: &Gathered, events: &[Seen]) -> Explanation {
    let (why, hopeless) = match readiness(gathered.workload) {
        Readiness::Ready => ("it is ready by now".to_owned(), false),
        Readiness::Progressing(why) => (why, false),
        Readiness::Failed(why) => (why, true),
    };
    let names: Vec<&str> = std::iter::once(gathered.workload)
        .chain(gathered.pods)
        .map(|object| text(object, "/metadata/name"))
        .collect();
    let warning = events.iter().find(|event| event.warning && names.contains(&event.name));
    Explanation::new(gathered, Cause::Waiting, why).event(warning, gathered.now).hopeless(hopeless)
}
