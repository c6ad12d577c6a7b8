//! A place for the lock of an uninstall whose release has lost its namespace. The lock is where an
//! install would look for it: in a namespace of that name, which is made for the time of the uninstall
//! and carries the release's labels, so that the next uninstall clears it after a kill.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::Result;
use crate::object::labels;
use crate::ops::{Context, namespace};

/// How long the end of an uninstall may take to remove it again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Annotation on a namespace that was made for this, so that one that a killed uninstall left is known.
const MADE_FOR: &str = "kubectl-obs.dev/made-for";

/// Is the release's namespace gone, or there for the sake of such an uninstall alone?
pub(super) fn is_lost(live: Option<&Value>) -> bool {
    live.is_none_or(|live| live["metadata"]["annotations"][MADE_FOR] == "uninstall")
}

/// Makes it.
pub(super) async fn make(ctx: &Context<'_>) -> Result<()> {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": ctx.namespace.as_str(),
            "labels": {
                labels::MANAGED_BY: labels::MANAGER,
                labels::RELEASE: ctx.release.as_str(),
                labels::RELEASE_NAMESPACE: ctx.namespace.as_str(),
            },
            "annotations": { MADE_FOR: "uninstall" },
        },
    });
    namespace::ensure(ctx, &object, true).await.map(drop)
}

/// Removes it, if nobody put anything into it meanwhile. The uninstall has ended as it did: what
/// remains is an empty namespace, which the next uninstall clears.
pub(super) async fn remove(ctx: &Context<'_>) {
    let cluster = ctx.cluster.without_deadline();
    let patient = Context { cluster: &cluster, ..*ctx };
    let name = ctx.namespace.as_str();
    let all = async {
        if namespace::remove_if_empty(&patient, name).await?.is_empty() {
            namespace::gone(&patient, name).await?;
        }
        Ok::<_, crate::error::Error>(())
    };
    let _ = tokio::time::timeout(PATIENCE, all).await;
}
