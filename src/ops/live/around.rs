//! What else a plan or a wait wants to know of the cluster. What may not be read counts as not there,
//! or is left to the caller.

use std::collections::BTreeSet;

use serde_json::Value;

use super::selector;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::event::Event;
use crate::object::{Kind, Object, builtin, labels};
use crate::ops::Context;
use crate::plan::Admission;
use crate::readiness::{Readiness, readiness};
use crate::release::Entry;

/// The StorageClasses, where a volume is wanted; none when they may not be listed.
pub async fn storage_classes(ctx: &Context<'_>, desired: &[Object]) -> Result<Vec<Value>> {
    let wants = |object: &Object| {
        object.kind() == "PersistentVolumeClaim" || object.value()["spec"]["volumeClaimTemplates"].is_array()
    };
    if !desired.iter().any(wants) {
        return Ok(Vec::new());
    }
    Ok(all_storage_classes(ctx.cluster).await?.and_then(Result::ok).unwrap_or_default())
}

/// The StorageClasses; None when the cluster serves none, the inner error when they may not be listed.
pub async fn all_storage_classes(cluster: &Cluster) -> Result<Option<Result<Vec<Value>>>> {
    let Some(kind) = cluster.kinds().await?.preferred("storage.k8s.io", "StorageClass") else {
        return Ok(None);
    };
    Ok(Some(cluster.list(&kind, None, "").await))
}

/// The admission webhooks and policies of the cluster, as far as they may be read.
pub async fn admission(ctx: &Context<'_>) -> Result<Admission> {
    let kinds = ctx.cluster.kinds().await?;
    let names = [
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "MutatingAdmissionPolicy",
        "ValidatingAdmissionPolicy",
    ];
    let lists = names
        .into_iter()
        .filter_map(|name| kinds.preferred("admissionregistration.k8s.io", name))
        .map(|kind| async move { ctx.cluster.list_if_possible(&kind, None).await });
    let lists = futures::future::try_join_all(lists).await?;
    let all = lists.iter().all(Option::is_some);
    let configurations: Vec<Value> = lists.into_iter().flatten().flatten().collect();
    Ok(Admission::of(&configurations, all))
}

/// What scales the workloads that state a number of replicas: HorizontalPodAutoscalers and KEDA's
/// ScaledObjects in their namespaces. None where they may not be listed.
pub async fn autoscalers(ctx: &Context<'_>, desired: &[Object], absent: Option<&str>) -> Result<Vec<Value>> {
    let kinds = ctx.cluster.kinds().await?;
    let namespaces: BTreeSet<&str> = desired
        .iter()
        .filter(|object| object.value()["spec"]["replicas"].is_u64())
        .filter_map(Object::namespace)
        .filter(|namespace| Some(*namespace) != absent)
        .collect();
    let sources = [("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")];
    let places = sources
        .into_iter()
        .filter_map(|(group, kind)| kinds.preferred(group, kind))
        .flat_map(|kind| namespaces.iter().map(move |namespace| (kind.clone(), *namespace)));
    let lists = places.map(|(kind, namespace)| async move {
        ctx.cluster.list(&kind, Some(namespace), "").await.unwrap_or_default()
    });
    Ok(futures::future::join_all(lists).await.into_iter().flatten().collect())
}

/// Says which recorded objects cannot be looked for any more: their kinds are gone, and they with
/// them.
pub async fn tell_what_is_no_longer_served(ctx: &Context<'_>, entries: &[Entry]) -> Result<()> {
    let kinds = ctx.cluster.kinds().await?;
    for entry in entries.iter().filter(|entry| kinds.preferred(&entry.group, &entry.kind).is_none()) {
        let message = format!("{} counts as gone: this cluster no longer serves its kind", entry.id());
        ctx.observer.event(Event::Warning { message });
    }
    Ok(())
}

/// The names of a component's ready pods; those that have done their work are not among them.
pub async fn ready_pods(ctx: &Context<'_>, namespace: &str, component: &str) -> Result<BTreeSet<String>> {
    let pods = builtin::pods();
    let selector = format!("{},{}={component}", selector(ctx), labels::OBS_COMPONENT);
    let found = ctx.cluster.list(&pods, Some(namespace), &selector).await?;
    Ok(found
        .iter()
        .filter(|pod| readiness(pod) == Readiness::Ready && pod["status"]["phase"] == "Running")
        .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
        .collect())
}

/// Is there a ready endpoint behind a Service? None where the caller may not look, or there are too many to say
/// no.
pub async fn answered(ctx: &Context<'_>, namespace: &str, service: &str) -> Result<Option<bool>> {
    let slices = Kind::namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices");
    let label = format!("kubernetes.io/service-name={service}");
    let found = ctx.cluster.list_first(&slices, namespace, &label).await?;
    Ok(found.and_then(|(slices, all)| match is_anybody_ready(&slices) {
        false if !all => None,
        ready => Some(ready),
    }))
}

/// What says nothing of itself counts as ready (the API's own rule).
fn is_anybody_ready(slices: &[Value]) -> bool {
    let mut endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    endpoints.any(|endpoint| endpoint["conditions"]["ready"] != false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_says_nothing_of_itself_is_ready() {
        let slice = |endpoints: Value| json!({"endpoints": endpoints});
        assert!(!is_anybody_ready(&[]) && !is_anybody_ready(&[slice(Value::Null), slice(json!([]))]));
        assert!(!is_anybody_ready(&[slice(json!([{"conditions": {"ready": false}}]))]));
        assert!(is_anybody_ready(&[slice(json!([{"conditions": {"ready": false}}, {"conditions": {}}]))]));
    }
}
