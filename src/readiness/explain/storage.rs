//! Volume claims that cannot be bound.

use serde_json::Value;

use super::events::{Seen, newest};
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::text;
use crate::readiness::pods::unschedulable;
use crate::readiness::storage::{binds_at_first_use, claims_of, class_of, is_default};

/// The first claim of a pending pod that is a cause by itself.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    if gathered.workload["kind"] == "PersistentVolumeClaim" {
        return unbound(gathered, gathered.workload, &Value::Null, events);
    }
    let alive = |pod: &&Value| text(pod, "/metadata/deletionTimestamp").is_empty();
    gathered.pods.iter().filter(alive).find_map(|pod| {
        claims_of(pod).find_map(|name| match gathered.claims.iter().find(|c| c["metadata"]["name"] == name) {
            Some(claim) => unbound(gathered, claim, pod, events),
            None => missing(gathered, pod, name),
        })
    })
}

/// Only the scheduler's word proves that a claim is missing: the list may be incomplete.
fn missing(gathered: &Gathered, pod: &Value, name: &str) -> Option<Explanation> {
    let message = unschedulable(pod)?;
    if !message.contains(&format!("persistentvolumeclaim \"{name}\" not found")) {
        return None;
    }
    let namespace = text(pod, "/metadata/namespace");
    Some(
        Explanation::new(gathered, Cause::Claim, format!("volume claim {namespace}/{name} does not exist"))
            .short(format!("claim {name} does not exist"))
            .hint(format!("create it, or correct {}.persistence.existingClaim", gathered.component))
            .line(format!("scheduler: {}", message.trim().trim_end_matches('.')))
            .missing("PersistentVolumeClaim", Some(namespace), name)
            .hopeless(true),
    )
}

fn unbound(gathered: &Gathered, claim: &Value, pod: &Value, events: &[Seen]) -> Option<Explanation> {
    let (namespace, name) = (text(claim, "/metadata/namespace"), text(claim, "/metadata/name"));
    let phase = text(claim, "/status/phase");
    let new = || {
        Explanation::new(gathered, Cause::Claim, "its volume claim cannot be bound")
            .short("its volume claim is not bound")
    };
    let waits = format!("PersistentVolumeClaim {namespace}/{name} waits for a volume:");
    if phase == "Bound" {
        return None;
    }
    if phase == "Lost" {
        let volume = text(claim, "/spec/volumeName");
        return Some(
            Explanation::new(gathered, Cause::Claim, "its volume is gone")
                .line(format!("PersistentVolumeClaim {namespace}/{name} was bound to PersistentVolume {volume}, which no longer exists"))
                .hint(format!("restore the volume, or give the data up:\nkubectl delete pvc -n {namespace} {name}"))
                .hopeless(true),
        );
    }
    let event = newest(
        events,
        "PersistentVolumeClaim",
        name,
        &["FailedBinding", "ProvisioningFailed", "ExternalProvisioning", "VolumeMismatch"],
    );
    let class = claim.pointer("/spec/storageClassName").and_then(Value::as_str);
    // A class that came after its claim: what was said before is no longer so.
    let came = |event: &&Seen| {
        let known = class_of(claim, gathered.storage_classes.unwrap_or_default()).is_some();
        known && event.message.contains("storageclass.storage.k8s.io") && event.message.contains("not found")
    };
    let event = event.filter(|event| !came(event));
    if let Some(classes) = gathered.storage_classes {
        let known = |name: &str| classes.iter().any(|c| c["metadata"]["name"] == name);
        let problem = match class {
            None if !classes.iter().any(is_default) => {
                Some("no StorageClass is marked as default, and the claim names none".to_owned())
            }
            // Without class it can still be bound by hand; its event tells when it was not.
            Some("") if event.is_some_and(|e| e.reason == "FailedBinding") => {
                Some("it asks for no StorageClass, and no volume without class fits".to_owned())
            }
            Some(class) if !class.is_empty() && !known(class) => {
                Some(format!("its StorageClass \"{class}\" does not exist"))
            }
            _ => None,
        };
        if let Some(problem) = problem {
            let found = new()
                .line(waits)
                .line(problem)
                .event(event, gathered.now)
                .hint(choose_class(gathered.component, classes))
                .hopeless(true);
            return Some(match class {
                Some(class) if !class.is_empty() => found.missing("StorageClass", None, class),
                _ => found,
            });
        }
        // Binding waits for the scheduler: what keeps the pod from a node is the cause.
        if binds_at_first_use(claim, classes)
            && event.is_none_or(|e| e.reason != "ProvisioningFailed")
            && unschedulable(pod).is_some()
        {
            return None;
        }
    }
    let event = event?;
    let class = class.filter(|class| !class.is_empty()).unwrap_or("the default one");
    let words = match event.reason {
        "ProvisioningFailed" => format!("the provisioner of its StorageClass ({class}) failed"),
        "ExternalProvisioning" => {
            // A provisioner that works answers within seconds; the event is repeated while it does not.
            let provisioner = event.message.split(['"', '\'']).nth(1).unwrap_or(class);
            format!("the provisioner {provisioner} has not made it yet")
        }
        _ => "no volume fits it".to_owned(),
    };
    let hint = match event.reason {
        "ExternalProvisioning" => "look whether the provisioner's pods run: kubectl get pods -A".to_owned(),
        _ => format!("kubectl describe pvc -n {namespace} {name}"),
    };
    Some(new().line(waits).line(words).event(Some(event), gathered.now).hint(hint))
}

fn choose_class(component: &str, classes: &[Value]) -> String {
    let names: Vec<&str> = classes.iter().filter_map(|c| c["metadata"]["name"].as_str()).collect();
    let default = classes.iter().find(|class| is_default(class)).and_then(|c| c["metadata"]["name"].as_str());
    match default.or(names.first().copied()) {
        None => format!(
            "the cluster has no StorageClass: install a storage provisioner, or do without a volume:\n\
             kubectl obs upgrade --set {component}.persistence.enabled=false"
        ),
        Some(first) => format!(
            "set global.storageClass to one of: {}\nkubectl obs upgrade --set global.storageClass={first}",
            names.join(", ")
        ),
    }
}
