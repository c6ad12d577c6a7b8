//! Pods that the API server refuses to create: PodSecurity, quota, limits, ServiceAccount, webhooks.
//! The refusal is an event FailedCreate of the ReplicaSet, StatefulSet, DaemonSet or Job.

use serde_json::Value;

use super::events::Seen;
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{Condition, condition, text};
use crate::readiness::pods;

/// Only while a pod is missing: an old refusal explains nothing once the pods exist.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    let failure = condition(gathered.workload, "ReplicaFailure").filter(Condition::is_true);
    if failure.is_none() && !pods_missing(gathered) {
        return None;
    }
    let event = events.iter().find(|event| event.reason == "FailedCreate" && is_makers(gathered, event));
    let message = match (event, failure) {
        (Some(event), None) if overcome(gathered, event, events) => return None,
        (Some(event), _) => event.message,
        (None, Some(failure)) => failure.message,
        (None, None) => return None,
    };
    Some(refusal(gathered, message).event(event, gathered.now))
}

/// Is the event about the workload, or about the ReplicaSet that makes a Deployment's pods?
fn is_makers(gathered: &Gathered, event: &Seen) -> bool {
    let name = text(gathered.workload, "/metadata/name");
    let kind = text(gathered.workload, "/kind");
    event.kind == kind && event.name == name
        || kind == "Deployment"
            && event.kind == "ReplicaSet"
            && event.name.rsplit_once('-').is_some_and(|(owner, _)| owner == name)
}

/// Was a pod made after the refusal? Then the next one is not made for another reason: in order,
/// each waits for the one before.
fn overcome(gathered: &Gathered, refusal: &Seen, events: &[Seen]) -> bool {
    let made = |event: &&Seen| event.reason == "SuccessfulCreate" && is_makers(gathered, event);
    let born = |pod: &Value| text(pod, "/metadata/creationTimestamp").parse().ok();
    refusal.at.is_some()
        && (events.iter().find(made).is_some_and(|event| event.at > refusal.at)
            || gathered.pods.iter().any(|pod| born(pod) > refusal.at))
}

/// Fewer living pods than wanted. Pods that are not ready but exist were created.
fn pods_missing(gathered: &Gathered) -> bool {
    let living = gathered
        .pods
        .iter()
        .filter(|pod| {
            text(pod, "/metadata/deletionTimestamp").is_empty() && text(pod, "/status/phase") != "Failed"
        })
        .count();
    let broken = gathered.pods.iter().any(|pod| pods::worst_container(pod).is_some_and(|t| t.hopeless));
    let wanted = crate::readiness::counts(gathered.workload).map_or(1, |(_, wanted, _)| wanted);
    !broken && living < wanted as usize
}

fn refusal(gathered: &Gathered, message: &str) -> Explanation {
    let component = gathered.component;
    let namespace = text(gathered.workload, "/metadata/namespace");
    let new = |what: String| Explanation::new(gathered, Cause::Creation, what);
    // A StatefulSet makes claims, too.
    let claims = message.contains("persistentvolumeclaims");
    let what = if claims { "its volume claims" } else { "its pods" };
    let quoted = |after: &str| {
        message.split_once(after).and_then(|(_, rest)| rest.split('"').nth(1)).unwrap_or_default().to_owned()
    };

    if message.contains("violates PodSecurity") {
        let level = quoted("violates PodSecurity");
        return new(format!("PodSecurity \"{level}\" of namespace {namespace} refuses its pods"))
            .short(format!("PodSecurity \"{level}\" refuses its pods"))
            .hint(format!(
                "node-level components belong into a namespace that allows them (global.nodeNamespace); or allow them here:\n\
                 kubectl label --overwrite namespace {namespace} pod-security.kubernetes.io/enforce=privileged"
            ))
            .hopeless(true);
    }
    if let Some((_, rest)) = message.split_once("exceeded quota: ") {
        let quota = rest.split(',').next().unwrap_or_default().trim();
        if nothing_used(rest) {
            return new(format!("{what} ask for more than ResourceQuota {namespace}/{quota} allows at all"))
                .short(format!("quota {quota} never allows it"))
                .hint(format!(
                    "raise the quota, or lower {component}.resources\nkubectl describe resourcequota -n {namespace} {quota}"
                ))
                .hopeless(true);
        }
        return new(format!("ResourceQuota {namespace}/{quota} is used up"))
            .short(format!("quota {quota} is used up"))
            .hint(format!(
                "raise the quota, or lower {component}.resources\nkubectl describe resourcequota -n {namespace} {quota}"
            ));
    }
    if let Some((_, rest)) = message.split_once("failed quota: ") {
        let quota = rest.split(':').next().unwrap_or_default().trim();
        let missing = rest.split_once("must specify ").map_or("requests and limits", |(_, what)| what).trim();
        let missing = missing.split(" for: ").next().unwrap_or(missing);
        return new(format!("ResourceQuota {namespace}/{quota} wants {missing} to be set"))
            .short(format!("quota {quota} wants {missing}"))
            .hint(format!("set them in {component}.resources"))
            .hopeless(true);
    }
    if message.contains("error looking up service account") {
        let account = quoted("serviceaccount ");
        let account = if account.is_empty() {
            text(gathered.workload, "/spec/template/spec/serviceAccountName").to_owned()
        } else {
            account
        };
        return new(format!("ServiceAccount {namespace}/{account} does not exist"))
            .short(format!("no ServiceAccount {account}"))
            .hint("kubectl obs upgrade makes it again if it belongs to the release")
            .missing("ServiceAccount", Some(namespace), &account)
            .hopeless(true);
    }
    if message.contains("failed calling webhook") {
        let webhook = quoted("failed calling webhook");
        return new(format!("admission webhook {webhook} does not answer"))
            .short(format!("webhook {webhook} does not answer"))
            .hint(format!(
                "repair the webhook's service; it stops all pods of the namespace\n\
                 kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations | grep {}",
                webhook.split('.').next().unwrap_or_default()
            ));
    }
    if let Some((_, rest)) = message.split_once("ValidatingAdmissionPolicy '") {
        let policy = rest.split('\'').next().unwrap_or_default();
        return new(format!("ValidatingAdmissionPolicy {policy} refuses {what}"))
            .short(format!("policy {policy} refuses {what}"))
            .hint(format!(
                "change what the policy names, or exempt namespace {namespace}\n\
                 kubectl get validatingadmissionpolicy {policy} -o yaml"
            ))
            .hopeless(true);
    }
    if message.contains("denied the request") {
        let webhook = quoted("admission webhook");
        let why = message
            .split_once("denied the request: ")
            .map_or("", |(_, why)| why)
            .lines()
            .next()
            .unwrap_or_default();
        return new(format!("admission webhook {webhook} refuses its pods"))
            .short(format!("webhook {webhook} refuses its pods"))
            .hint(format!(
                "change what it objects to{}, or exempt namespace {namespace}",
                if why.is_empty() { String::new() } else { format!(" ({why})") }
            ))
            .hopeless(true);
    }
    if message.contains(" usage per ") || message.contains(" ratio per ") {
        let fit = if claims { "storage.size" } else { "resources" };
        return new(format!("a LimitRange of namespace {namespace} refuses {what}"))
            .short(format!("a LimitRange refuses {what}"))
            .hint(format!("fit {component}.{fit} to it\nkubectl describe limitrange -n {namespace}"))
            .hopeless(true);
    }
    if let Some((_, rest)) = message.split_once("no PriorityClass with name ") {
        let class = rest.split(' ').next().unwrap_or_default();
        return new(format!("PriorityClass {class} does not exist"))
            .hint(format!("create it, or set another {component}.priorityClassName"))
            .missing("PriorityClass", None, class)
            .hopeless(true);
    }
    if message.contains("RuntimeClass \"") && message.contains("not found") {
        let class = quoted("RuntimeClass ");
        return new(format!("RuntimeClass {class} does not exist"))
            .hint(format!("create it, or do without {component}'s runtimeClassName"))
            .missing("RuntimeClass", None, &class)
            .hopeless(true);
    }
    if message.contains("because it is being terminated") {
        return new(format!("namespace {namespace} is being deleted"))
            .hint(format!("wait until it is gone: kubectl wait --for=delete namespace/{namespace}"))
            .hopeless(true);
    }
    if let Some((_, why)) = message.split_once(" is invalid: ") {
        let field = why.split(": ").next().unwrap_or_default();
        return new(format!("{what} are not valid: {field}"))
            .hint(format!("something changed them on their way, such as a LimitRange or a webhook: fit {component}'s values to it"))
            .hopeless(true);
    }
    new(format!("{what} cannot be created"))
}

/// `exceeded quota: q, requested: a=2, used: a=0, limited: a=1`: is it too much with nothing in use?
fn nothing_used(message: &str) -> bool {
    let used = message.split_once("used: ").map(|(_, rest)| rest.split(", limited: ").next().unwrap_or(rest));
    used.is_some_and(|used| used.split(',').all(|item| item.trim().ends_with("=0")))
}
