//! Is this object ready, and if not, why? Pure rules over one live object, generation-aware: a
//! status that the controller wrote before it saw the last change counts for nothing.
//!
//! The rules are our own. They start from kstatus and differ where it is too kind (a Job that
//! merely runs, a StatefulSet in the middle of its update, a load balancer without an address) or
//! too strict (a volume claim that nobody uses yet).
//!
//! [`pods`] finds out what is wrong with a pod's containers, [`mod@explain`] joins a workload with its
//! pods, claims, events and logs into one cause and one fix.

mod cluster_kinds;
mod counts;
mod custom;
pub mod explain;
mod fields;
mod image;
mod jobs;
pub mod pods;
pub mod spans;
mod storage;
#[cfg(test)]
mod table;
mod workloads;

pub use counts::{counts, total};
pub use explain::{Cause, Explanation, Gathered, explain};

use serde_json::Value;

use crate::object::split_api_version;
use fields::{condition, flag, int, list, text};

/// The answer for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing is awaited.
    Ready,
    /// On its way, or waiting; the text says for what, `0 of 1 pods ready`.
    Progressing(String),
    /// It does not become ready without a change; the text says why.
    Failed(String),
}

impl Readiness {
    /// Is nothing awaited?
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// What is awaited or broken; None when ready.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Progressing(why) | Self::Failed(why) => Some(why),
        }
    }
}

/// What lies outside an object and still decides about it. The default knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// All StorageClasses: a claim of one that binds at first use is not awaited while no pod uses it.
    pub storage_classes: &'a [Value],
    /// Pods of the claim's namespace.
    pub pods: &'a [Value],
}

/// Is this live object ready? The same as [`readiness_in`] without context.
pub fn readiness(object: &Value) -> Readiness {
    readiness_in(object, &Context::default())
}

/// Is this live object ready, given what else is known of the cluster?
///
/// Order: a finished Job; deletion; generation; the kind's own rule.
pub fn readiness_in(object: &Value, context: &Context) -> Readiness {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (group, _) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());

    // A Job with ttlSecondsAfterFinished is deleted because it is done.
    if (group, kind) == ("batch", "Job") && jobs::finished(object) {
        return jobs::job(object);
    }
    if !text(object, "/metadata/deletionTimestamp").is_empty() {
        return Readiness::Progressing(being_deleted(object));
    }
    if let Some(behind) = unseen_generation(object, group, kind) {
        return Readiness::Progressing(behind);
    }
    match (group, kind) {
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workloads::replica_set(object),
        ("", "Pod") => pods::pod(object),
        ("batch", "Job") => jobs::job(object),
        ("", "PersistentVolumeClaim") => storage::claim(object, context),
        ("", "PersistentVolume") => storage::volume(object),
        ("", "Service") => cluster_kinds::service(object),
        ("", "Namespace") => cluster_kinds::namespace(object),
        ("", "Node") => cluster_kinds::node(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => cluster_kinds::crd(object),
        ("apiregistration.k8s.io", "APIService") => cluster_kinds::api_service(object),
        ("autoscaling", "HorizontalPodAutoscaler") => cluster_kinds::autoscaler(object),
        _ if custom::has_own_rule(object) => custom::own_rule(object),
        ("monitoring.coreos.com", _) => custom::prometheus_operator(object, kind),
        // Everything else that Kubernetes itself serves works as soon as it is stored: ConfigMap,
        // Secret, RBAC, webhook configurations, CronJob, Ingress (an address is not promised by
        // every controller), PodDisruptionBudget (its generation was seen above), quota, …
        _ if is_builtin(group) => Readiness::Ready,
        _ => custom::resource(object),
    }
}

/// May this object be gone because it did its work? A Job with `ttlSecondsAfterFinished` that was
/// seen before and is absent now has finished.
pub fn vanishes_when_done(object: &Value) -> bool {
    object["kind"] == "Job" && int(object, "/spec/ttlSecondsAfterFinished").is_some()
}

/// Groups of the API server itself. `k8s.io` subgroups that are served by CRDs (gateway,
/// snapshots, metrics) are custom resources.
pub(crate) fn is_builtin(group: &str) -> bool {
    matches!(
        group,
        "" | "apps"
            | "batch"
            | "autoscaling"
            | "policy"
            | "extensions"
            | "events.k8s.io"
            | "rbac.authorization.k8s.io"
            | "networking.k8s.io"
            | "storage.k8s.io"
            | "scheduling.k8s.io"
            | "coordination.k8s.io"
            | "node.k8s.io"
            | "discovery.k8s.io"
            | "admissionregistration.k8s.io"
            | "apiextensions.k8s.io"
            | "apiregistration.k8s.io"
            | "certificates.k8s.io"
            | "flowcontrol.apiserver.k8s.io"
            | "resource.k8s.io"
    )
}

fn being_deleted(object: &Value) -> String {
    let finalizers: Vec<&str> =
        list(object, "/metadata/finalizers").iter().filter_map(Value::as_str).collect();
    let blocked = object["kind"] == "Namespace" && finalizers.is_empty();
    if blocked && let Some(why) = cluster_kinds::namespace_remains(object) {
        return format!("being deleted: {why}");
    }
    match finalizers.as_slice() {
        [] => "being deleted".to_owned(),
        [one] => format!("being deleted (finalizer {one})"),
        many => format!("being deleted (finalizers {})", many.join(", ")),
    }
}

/// A controller that has not seen the last change says nothing about it. Workload controllers
/// always write observedGeneration, so that its absence means "not seen yet" there; for other kinds
/// an absent field means that the controller does not use it (kstatus: checkGeneration).
fn unseen_generation(object: &Value, group: &str, kind: &str) -> Option<String> {
    let generation = int(object, "/metadata/generation")?;
    let always = matches!(
        (group, kind),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("", "ReplicationController")
            | ("policy", "PodDisruptionBudget")
    );
    let seen = match int(object, "/status/observedGeneration") {
        Some(seen) => seen,
        None if always => 0,
        None => return None,
    };
    if seen >= generation {
        return None;
    }
    let what = if group == "apps" { "the rollout to begin" } else { "its controller" };
    Some(format!("waits for {what} (generation {generation}, seen {seen})"))
}

/// Conditions that any kind may carry (kstatus: Reconciling and Stalled are "abnormal-true").
fn abnormal(object: &Value) -> Option<Readiness> {
    if let Some(stalled) = condition(object, "Stalled").filter(fields::Condition::is_true) {
        return Some(Readiness::Failed(stalled.why("stalled")));
    }
    if let Some(reconciling) = condition(object, "Reconciling").filter(fields::Condition::is_true) {
        return Some(Readiness::Progressing(reconciling.why("being reconciled")));
    }
    None
}

/// Is a flag of the spec set? Named for readability at the call sites.
fn spec_flag(object: &Value, name: &str) -> bool {
    flag(&object["spec"], &format!("/{name}"))
}
