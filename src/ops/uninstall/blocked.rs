//! What could keep an uninstall from its end: webhooks of the release whose service is gone, and
//! dependents that outlive their owners.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::Removal;
use crate::cluster::{CreateError, DeleteOptions};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{Kind, builtin};
use crate::ops::{Context, live};
use crate::release::Entry;

pub(super) fn is_webhook(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration")
}

/// A webhook of the release whose service is gone may refuse even the lock. Then nobody can hold the
/// lock, and the webhook goes without it.
pub(super) async fn unblock(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let hooks: Vec<&Entry> = removal.go.iter().filter(|entry| is_webhook(entry)).collect();
    if hooks.is_empty() {
        return Ok(());
    }
    let impatient = ctx.cluster.with_deadline(ctx.deadline.min(Instant::now() + Duration::from_secs(5)));
    let lease = builtin::leases();
    let probe = serde_json::json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": format!("obs.{}.probe", ctx.release), "namespace": ctx.namespace.as_str()},
    });
    let asked = impatient.create(&lease, Some(ctx.namespace.as_str()), &probe, true).await;
    let Err(CreateError::Other(error)) = asked else { return Ok(()) };
    let kinds = ctx.cluster.kinds().await?;
    for entry in hooks {
        let Some(kind) = kinds.preferred(&entry.group, &entry.kind) else { continue };
        let live = ctx.cluster.get(&kind, None, &entry.name).await?.unwrap_or_default();
        let blocks = live["webhooks"].as_array().into_iter().flatten().any(|hook| {
            let name = hook["name"].as_str().unwrap_or_default();
            error.message().contains(&format!("calling webhook \"{name}\""))
        });
        if blocks {
            let options = DeleteOptions { uid: entry.uid.clone(), ..DeleteOptions::default() };
            ctx.cluster.delete(&kind, None, &entry.name, &options).await?;
            ctx.observer.event(Event::Warning {
                message: format!("{} does not answer and blocks the uninstall: it went first", entry.id()),
            });
        }
    }
    Ok(())
}

/// Waits until the pods and what else hung on the removed objects are gone.
pub(super) async fn dependents_gone(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let kinds = [
        builtin::pods(),
        Kind::namespaced("apps", "ReplicaSet", "replicasets"),
        Kind::namespaced("apps", "ControllerRevision", "controllerrevisions"),
        Kind::namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices"),
        Kind::namespaced("", "Endpoints", "endpoints"),
    ];
    let namespaces: BTreeSet<&String> = removal.go.iter().filter_map(|e| e.namespace.as_ref()).collect();
    let selector = live::selector(ctx);
    let places = namespaces.iter().flat_map(|namespace| kinds.iter().map(move |kind| (kind, namespace)));
    try_join_all(places.map(|(kind, namespace)| none_left(ctx, kind, namespace, &selector))).await?;
    Ok(())
}

/// Waits until no object of a kind is left.
pub(super) async fn none_left(ctx: &Context<'_>, kind: &Kind, namespace: &str, selector: &str) -> Result<()> {
    let mut pause = Duration::from_millis(50);
    loop {
        // without the right to look there is nothing to wait for
        let Ok(left) = ctx.cluster.list_metadata(kind, Some(namespace), selector).await else {
            return Ok(());
        };
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= ctx.deadline {
            let name = first["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Error::deadline(format!(
                "{} {namespace}/{name} is still there ({} in all)",
                kind.kind,
                left.len()
            ))
            .hint("run the command again: it continues from here"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}
