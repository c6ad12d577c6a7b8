//! Readiness of workloads: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController.
//! All expect that the generation was checked before.
//!
//! Stricter than Helm (which accepts `replicas - maxUnavailable`): the stack is ready when every
//! pod of the new revision is, and none of the old one is left.

use serde_json::Value;

use super::Readiness::{self, Failed, Progressing, Ready};
use super::fields::{condition, count, first_line, int, plural, text};
use super::spec_flag;

/// Deployment controller: `syncRolloutStatus`; `kubectl rollout status`; kstatus: Deployment.
pub(super) fn deployment(object: &Value) -> Readiness {
    let wanted = int(object, "/spec/replicas").unwrap_or(1);
    let total = count(object, "/status/replicas");
    let updated = count(object, "/status/updatedReplicas");
    let available = count(object, "/status/availableReplicas");
    let ready = count(object, "/status/readyReplicas");

    let why = if updated < wanted {
        // Before the first pod is made, "0 of 1 pods ready" says more than "updated".
        if ready < wanted && updated == total {
            format!("{ready} of {wanted} pods ready")
        } else {
            format!("{updated} of {wanted} pods updated")
        }
    } else if total > updated {
        format!("{} of the old revision left", plural(total - updated, "pod"))
    } else if total > wanted {
        format!("{} too many", plural(total - wanted, "pod"))
    } else if ready < wanted {
        format!("{ready} of {wanted} pods ready")
    } else if available < wanted {
        minimum_time(object, available, wanted)
    } else {
        return Ready;
    };

    if spec_flag(object, "paused") {
        // A paused Deployment is not rolled out until someone resumes it; pods that merely are not
        // ready yet still can become so.
        return if updated < wanted {
            Failed(format!("the rollout is paused: {why}"))
        } else {
            Progressing(why)
        };
    }
    let failure = replica_failure(object);
    if let Some(progress) = condition(object, "Progressing")
        && progress.is_false()
        && progress.reason == "ProgressDeadlineExceeded"
    {
        let seconds = int(object, "/spec/progressDeadlineSeconds").unwrap_or(600);
        let why = failure.as_ref().and_then(Readiness::why).unwrap_or(&why);
        return Failed(format!("{why}, no progress for {seconds}s"));
    }
    failure.unwrap_or(Progressing(why))
}

/// kstatus: StatefulSet, with the update revision compared also when `partition` was defaulted to 0.
pub(super) fn stateful_set(object: &Value) -> Readiness {
    let wanted = int(object, "/spec/replicas").unwrap_or(1);
    let total = count(object, "/status/replicas");
    let ready = count(object, "/status/readyReplicas");
    let updated = count(object, "/status/updatedReplicas");

    if ready < wanted {
        return Progressing(format!("{ready} of {wanted} pods ready"));
    }
    if total > wanted {
        return Progressing(format!("{} too many", plural(total - wanted, "pod")));
    }
    // Absent before Kubernetes 1.22 and when zero; only meaningful with minReadySeconds.
    let available = count(object, "/status/availableReplicas");
    if count(object, "/spec/minReadySeconds") > 0 && available < wanted {
        return Progressing(minimum_time(object, available, wanted));
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return Ready;
    }
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition");
    let to_update = (wanted - partition).max(0);
    if updated < to_update {
        return Progressing(format!("{updated} of {to_update} pods updated"));
    }
    let (current, update) = (text(object, "/status/currentRevision"), text(object, "/status/updateRevision"));
    if partition == 0 && wanted > 0 && !update.is_empty() && current != update {
        return Progressing("the update is being completed".to_owned());
    }
    Ready
}

/// kstatus: DaemonSet. Zero nodes to run on is ready: the selector says so.
pub(super) fn daemon_set(object: &Value) -> Readiness {
    let Some(wanted) = int(object, "/status/desiredNumberScheduled") else {
        return Progressing("waits for the rollout to begin".to_owned());
    };
    let updated = count(object, "/status/updatedNumberScheduled");
    let ready = count(object, "/status/numberReady");
    let available = count(object, "/status/numberAvailable");
    let current = count(object, "/status/currentNumberScheduled");

    if current < wanted {
        return Progressing(format!("runs on {current} of {wanted} nodes"));
    }
    if text(object, "/spec/updateStrategy/type") != "OnDelete" && updated < wanted {
        return Progressing(format!("{updated} of {wanted} nodes updated"));
    }
    if ready < wanted {
        return Progressing(format!("{ready} of {wanted} nodes ready"));
    }
    if available < wanted {
        return Progressing(minimum_time(object, available, wanted));
    }
    Ready
}

/// kstatus: ReplicaSet; also ReplicationController, whose fields are the same.
pub(super) fn replica_set(object: &Value) -> Readiness {
    let wanted = int(object, "/spec/replicas").unwrap_or(1);
    let total = count(object, "/status/replicas");
    let ready = count(object, "/status/readyReplicas");
    let available = count(object, "/status/availableReplicas");

    if total > wanted {
        return Progressing(format!("{} too many", plural(total - wanted, "pod")));
    }
    if ready >= wanted && available >= wanted {
        return Ready;
    }
    if let Some(failure) = replica_failure(object) {
        return failure;
    }
    Progressing(if ready < wanted {
        format!("{ready} of {wanted} pods ready")
    } else {
        minimum_time(object, available, wanted)
    })
}

/// Pods that the API server refuses. The controller retries for ever, and most refusals can go
/// away (quota, a webhook that is down, a ServiceAccount that comes later); PodSecurity does not.
fn replica_failure(object: &Value) -> Option<Readiness> {
    let failure = condition(object, "ReplicaFailure").filter(super::fields::Condition::is_true)?;
    let why = format!("pods cannot be created: {}", first_line(failure.message));
    Some(if failure.message.contains("violates PodSecurity") { Failed(why) } else { Progressing(why) })
}

fn minimum_time(object: &Value, available: i64, wanted: i64) -> String {
    let seconds = count(object, "/spec/minReadySeconds");
    if seconds > 0 {
        format!("{available} of {wanted} pods ready for {seconds}s (minReadySeconds)")
    } else {
        format!("{available} of {wanted} pods available")
    }
}
