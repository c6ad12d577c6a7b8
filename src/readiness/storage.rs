//! Readiness of volume claims and volumes.

use serde_json::Value;

use super::Context;
use super::Readiness::{self, Failed, Progressing, Ready};
use super::fields::{first_line, list, text};

/// The beta annotation and the present one that mark the default StorageClass.
const DEFAULT_CLASS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// A claim that is growing is ready: its pods run while it grows. One whose class binds at first
/// use is awaited only when a pod uses it (kstatus waits for ever here).
pub(super) fn claim(object: &Value, context: &Context) -> Readiness {
    match text(object, "/status/phase") {
        "Bound" => Ready,
        "Lost" => Failed(format!("claim lost its volume {}", text(object, "/spec/volumeName"))),
        _ if binds_at_first_use(object, context.storage_classes) && !is_used(object, context.pods) => Ready,
        _ => Progressing("claim is not bound".to_owned()),
    }
}

/// kstatus has no rule; a volume that failed its recycling or deletion needs a person.
pub(super) fn volume(object: &Value) -> Readiness {
    match text(object, "/status/phase") {
        "Failed" => Failed(match first_line(text(object, "/status/message")) {
            "" => "volume failed".to_owned(),
            message => format!("volume failed: {message}"),
        }),
        "Pending" => Progressing("volume is not available yet".to_owned()),
        _ => Ready,
    }
}

/// Does the claim's class bind when the first pod uses it?
pub(super) fn binds_at_first_use(claim: &Value, classes: &[Value]) -> bool {
    class_of(claim, classes).is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// The StorageClass that a claim names or gets by default.
pub(super) fn class_of<'a>(claim: &Value, classes: &'a [Value]) -> Option<&'a Value> {
    match claim.pointer("/spec/storageClassName").and_then(Value::as_str) {
        // The empty name asks for a volume without class: the default does not apply.
        Some("") => None,
        Some(name) => classes.iter().find(|class| class["metadata"]["name"] == name),
        None => classes.iter().find(|class| is_default(class)),
    }
}

/// Is this the default StorageClass?
pub(super) fn is_default(class: &Value) -> bool {
    DEFAULT_CLASS.iter().any(|key| class["metadata"]["annotations"][key] == "true")
}

/// Does a pod that has not ended use the claim?
pub(super) fn is_used(claim: &Value, pods: &[Value]) -> bool {
    pods.iter().any(|pod| {
        pod["metadata"]["namespace"] == claim["metadata"]["namespace"]
            && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
            && claims_of(pod).any(|name| claim["metadata"]["name"] == name)
    })
}

/// Names of the claims that a pod uses.
pub(super) fn claims_of(pod: &Value) -> impl Iterator<Item = &str> {
    list(pod, "/spec/volumes")
        .iter()
        .filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str))
}
