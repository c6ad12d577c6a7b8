//! Pods that the API server refuses to create: PodSecurity, quota, limits, ServiceAccount, webhooks.
//! The refusal is an event FailedCreate of the ReplicaSet, StatefulSet, DaemonSet or Job.

use super::events::Seen;
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{condition, text};
use crate::readiness::pods;

/// Only while a pod is missing: an old refusal explains nothing once the pods exist.
pub(super) fn explain(gathered: &Gathered, events: &[Seen]) -> Option<Explanation> {
    if !pods_missing(gathered) {
        return None;
    }
    let name = text(gathered.workload, "/metadata/name");
    let kind = text(gathered.workload, "/kind");
    let event = events.iter().find(|event| {
        event.reason == "FailedCreate"
            && (event.kind == kind && event.name == name
                || kind == "Deployment"
                    && event.kind == "ReplicaSet"
                    && event.name.rsplit_once('-').is_some_and(|(owner, _)| owner == name))
    });
    let failure =
        condition(gathered.workload, "ReplicaFailure").filter(super::super::fields::Condition::is_true);
    let message = match (event, failure) {
        (Some(event), _) => event.message,
        (None, Some(failure)) => failure.message,
        (None, None) => return None,
    };
    Some(refusal(gathered, message).event(event, gathered.now))
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
                "change what its policy names, or exempt namespace {namespace}{}",
                if why.is_empty() { String::new() } else { format!(": {why}") }
            ))
            .hopeless(true);
    }
    if message.contains(" usage per ") {
        return new(format!("a LimitRange of namespace {namespace} refuses its pods"))
            .short("a LimitRange refuses its pods")
            .hint(format!("fit {component}.resources to it\nkubectl describe limitrange -n {namespace}"))
            .hopeless(true);
    }
    if let Some((_, rest)) = message.split_once("no PriorityClass with name ") {
        let class = rest.split(' ').next().unwrap_or_default();
        return new(format!("PriorityClass {class} does not exist"))
            .hint(format!("create it, or set another {component}.priorityClassName"))
            .missing("PriorityClass", None, class)
            .hopeless(true);
    }
    new("its pods cannot be created".to_owned())
}
