//! Whatever the whole cluster has of a release, ours or Helm's: every kind is listed, metadata only.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{id_of, selector};
use crate::error::Result;
use crate::object::{Object, ObjectId, labels};
use crate::ops::Context;
use crate::plan::{HelmRelease, Live};
use crate::release::{Entry, EntryState};

/// Every object on the cluster with the release's labels, kind by kind: metadata only.
pub async fn scan(ctx: &Context<'_>) -> Result<Vec<(Entry, Value)>> {
    let kinds = ctx.cluster.kinds().await?;
    let selector = selector(ctx);
    let lists = futures::future::join_all(kinds.preferred_with("list").map(|kind| {
        let selector = &selector;
        async move { (kind, ctx.cluster.list_metadata_if_possible(kind, None, selector).await) }
    }))
    .await;
    let mut found = Vec::new();
    for (kind, list) in lists {
        // what may not be listed cannot have been made by us either
        for mut value in list.ok().flatten().unwrap_or_default() {
            value["apiVersion"] = Value::from(kind.api_version());
            value["kind"] = Value::from(kind.kind.clone());
            let id = id_of(kind, &value);
            let lock = id.kind == "Lease" && id.name == format!("obs.{}", ctx.release);
            if !lock && !is_dependent(&id, &value) {
                let component =
                    value["metadata"]["labels"][labels::OBS_COMPONENT].as_str().unwrap_or_default();
                found.push((Entry::new(id, component, EntryState::Active), value));
            }
        }
    }
    Ok(found)
}

/// What carries the release's labels, is not desired and in no inventory: a revision made it whose record
/// is gone. Claims are made by StatefulSets.
pub fn orphans(ctx: &Context<'_>, desired: &[Object], known: &[Entry], live: &Live) -> Vec<Entry> {
    let ids: BTreeSet<ObjectId> = desired.iter().map(Object::id).chain(known.iter().map(Entry::id)).collect();
    let label = |value: &Value, key: &str| value["metadata"]["labels"][key].as_str().map(str::to_owned);
    let ours = |value: &Value| {
        label(value, labels::MANAGED_BY).as_deref() == Some(labels::MANAGER)
            && label(value, labels::RELEASE).as_deref() == Some(ctx.release.as_str())
            && label(value, labels::RELEASE_NAMESPACE).as_deref() == Some(ctx.namespace.as_str())
    };
    let apart = |id: &ObjectId| matches!(id.kind.as_str(), "PersistentVolumeClaim" | "Namespace" | "Lease");
    live.iter()
        .filter(|(id, value)| !ids.contains(id) && ours(value) && !apart(id) && !is_dependent(id, value))
        .map(|(id, value)| {
            let component = label(value, labels::OBS_COMPONENT).unwrap_or_default();
            Entry::new(id.clone(), &component, EntryState::Active)
        })
        .collect()
}

/// Made by a controller for another object, whose labels it carries: goes with that one.
pub fn is_dependent(id: &ObjectId, value: &Value) -> bool {
    // the controller's own carry the labels of their Service; those of a bundle were applied by us
    let by_controller =
        matches!(id.kind.as_str(), "Endpoints" | "EndpointSlice") && !crate::plan::is_applied_at_all(value);
    by_controller
        || id.kind == "Event"
        || value["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty())
}

/// What a Helm release still has on the cluster, by Helm's own label and annotations.
pub async fn of_helm(ctx: &Context<'_>, release: &HelmRelease) -> Result<Vec<ObjectId>> {
    let kinds = ctx.cluster.kinds().await?;
    let lists = kinds.preferred_with("list").map(|kind| async move {
        let found = ctx.cluster.list_metadata(kind, None, "app.kubernetes.io/managed-by=Helm").await;
        (kind, found.unwrap_or_default())
    });
    let lists = futures::future::join_all(lists).await;
    let mut found: Vec<ObjectId> = lists
        .iter()
        .flat_map(|(kind, list)| list.iter().map(move |value| (kind, value)))
        .filter(|(_, value)| {
            let annotation = |key: &str| value["metadata"]["annotations"][key].as_str();
            annotation("meta.helm.sh/release-name") == Some(&release.name)
                && annotation("meta.helm.sh/release-namespace") == Some(&release.namespace)
        })
        .map(|(kind, value)| id_of(kind, value))
        .collect();
    found.sort();
    Ok(found)
}
