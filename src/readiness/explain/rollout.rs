//! Rollouts that stand still though no container is to blame: paused, held by an old pod, by a
//! finalizer, by a load balancer that nobody makes, by a Job that gave up.

use serde_json::Value;

use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{Condition, condition, int, list, text};
use crate::readiness::{Readiness, pods, readiness, spans};

/// A StatefulSet does not replace a broken pod of an older revision (Kubernetes documentation,
/// StatefulSet "Forced rollback"): names the pod to delete.
pub(super) fn stuck_on_old_revision(gathered: &Gathered, pod: &Value) -> Option<String> {
    if gathered.workload["kind"] != "StatefulSet"
        || text(gathered.workload, "/spec/podManagementPolicy") == "Parallel"
    {
        return None;
    }
    let wanted = text(gathered.workload, "/status/updateRevision");
    let has = text(pod, "/metadata/labels/controller-revision-hash");
    if wanted.is_empty() || has.is_empty() || wanted == has {
        return None;
    }
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    Some(format!(
        "a StatefulSet does not replace a pod that never became ready; delete it once:\n\
         kubectl delete pod -n {namespace} {name}"
    ))
}

pub(super) fn explain(gathered: &Gathered) -> Option<Explanation> {
    let workload = gathered.workload;
    let (kind, namespace, name) =
        (text(workload, "/kind"), text(workload, "/metadata/namespace"), text(workload, "/metadata/name"));
    // Paused, and not all pods are of the new revision: those that are can still become ready.
    if kind == "Deployment"
        && workload["spec"]["paused"] == true
        && matches!(readiness(workload), Readiness::Failed(_))
    {
        return Some(
            Explanation::new(gathered, Cause::Rollout, "its rollout is paused")
                .line(format!("{kind} {namespace}/{name} has spec.paused, so its pods are not replaced"))
                .hint(format!("kubectl rollout resume deployment -n {namespace} {name}"))
                .hopeless(true),
        );
    }
    if kind == "Service"
        && workload["spec"]["type"] == "LoadBalancer"
        && let Some(why) = readiness(workload).why()
    {
        return Some(
            Explanation::new(
                gathered,
                Cause::Address,
                format!("Service {name} has no address from a load balancer"),
            )
            .short("no address from a load balancer")
            .line(format!("Service {namespace}/{name}: {why}"))
            .hint(format!(
                "install a load balancer controller, or set the type of {}'s service to ClusterIP\n\
                     kubectl describe service -n {namespace} {name}",
                gathered.component
            )),
        );
    }
    gathered.pods.iter().find_map(|pod| {
        if text(pod, "/metadata/deletionTimestamp").is_empty() {
            lost_node(gathered, pod)
        } else {
            going(gathered, pod)
        }
    })
}

fn lost_node(gathered: &Gathered, pod: &Value) -> Option<Explanation> {
    if condition(pod, "Ready").is_none_or(|c| !c.is_false()) || pods::worst_container(pod).is_some() {
        return None;
    }
    let why = pods::not_ready_as_a_whole(pod);
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    why.contains("does not answer").then(|| {
        Explanation::new(gathered, Cause::Node, why)
            .line(format!("pod {namespace}/{name} runs there"))
            .hint(format!("kubectl describe node {}", text(pod, "/spec/nodeName")))
    })
}

/// An old pod that is about to go. Its deletionTimestamp is when its grace is over.
fn going(gathered: &Gathered, pod: &Value) -> Option<Explanation> {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let until: jiff::Timestamp = text(pod, "/metadata/deletionTimestamp").parse().ok()?;
    let new = |what: String| {
        Explanation::new(gathered, Cause::Waiting, format!("pod {name} is still being deleted{what}"))
            .short("old pod is being deleted")
    };
    if gathered.now < until {
        return (gathered.pods.len() == 1).then(|| new(String::new()));
    }
    let finalizers: Vec<&str> = list(pod, "/metadata/finalizers").iter().filter_map(Value::as_str).collect();
    let mut out = match finalizers.as_slice() {
        [] => new(": its node has not ended it".to_owned())
            .hint(format!("kubectl describe node {}", text(pod, "/spec/nodeName"))),
        names => {
            let held = if names.len() == 1 { "finalizer" } else { "finalizers" };
            new(format!(": it waits for its {held} {}", names.join(", "))).short("old pod waits for a finalizer").hint(
                format!(
                    "repair the controller that must remove it; if that is gone for good:\n\
                     kubectl patch pod -n {namespace} {name} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'"
                ),
            )
        }
    };
    out.cause = Cause::Rollout;
    Some(out.line(format!("its time to end was over {}", spans::age(gathered.now, until))))
}

/// A Job that gave up for a reason that no pod tells: its time is over.
pub(super) fn late_job(gathered: &Gathered) -> Option<Explanation> {
    let workload = gathered.workload;
    let failed = job_failure(workload)?;
    if failed.reason != "DeadlineExceeded" {
        return None;
    }
    let name = text(workload, "/metadata/name");
    let seconds = int(workload, "/spec/activeDeadlineSeconds").unwrap_or_default();
    Some(
        Explanation::new(gathered, Cause::Rollout, format!("Job {name} was not done within its {seconds}s"))
            .short(format!("Job not done within {seconds}s"))
            .line(format!("Job: {}", failed.message))
            .hint("see what it waits for, or raise its activeDeadlineSeconds")
            .hopeless(true),
    )
}

fn job_failure(workload: &Value) -> Option<Condition<'_>> {
    if workload["kind"] != "Job" {
        return None;
    }
    ["Failed", "FailureTarget"].iter().find_map(|kind| condition(workload, kind).filter(Condition::is_true))
}

/// What the workload's own controller says to it: it gave up, so waiting does not help.
pub(super) fn given_up(gathered: &Gathered, mut found: Explanation) -> Explanation {
    let workload = gathered.workload;
    if let Some(failed) = job_failure(workload) {
        if failed.reason != "DeadlineExceeded" && found.cause != Cause::Waiting {
            found.evidence.push(format!("Job {}: {}", text(workload, "/metadata/name"), failed.message));
        }
        found.hopeless = true;
    } else if workload["kind"] == "Deployment"
        && condition(workload, "Progressing").is_some_and(|c| c.reason == "ProgressDeadlineExceeded")
        && matches!(readiness(workload), Readiness::Failed(_))
    {
        let seconds = int(workload, "/spec/progressDeadlineSeconds").unwrap_or(600);
        found.evidence.push(format!("no progress for {seconds}s (progressDeadlineSeconds)"));
        found.hopeless = true;
    }
    found
}
