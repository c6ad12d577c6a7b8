//! What runs where, and why not: each component of a release with its readiness.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Context, live};
use crate::cluster::records::Store;
use crate::error::{Error, Result};
use crate::object::{Kind, Object, labels};
use crate::readiness::{self, Readiness};
use crate::release::Record;

/// A release and its components.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The newest revision.
    pub revision: u32,
    /// Its status.
    pub status: String,
    /// What it was for, or why it failed.
    pub description: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// When it last changed, RFC 3339.
    pub updated: String,
    /// The components.
    pub components: Vec<Component>,
    /// The rendered NOTES.txt.
    pub notes: String,
}

/// One component.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its name.
    pub name: String,
    /// The application's version.
    pub version: String,
    /// Ready units out of wanted ones.
    pub ready: String,
    /// `ready`, `starting` or `failed`.
    pub state: String,
    /// Since when, RFC 3339; empty where nothing says so.
    pub since: String,
    /// Why it is not ready.
    pub why: String,
}

/// Reads the newest revision and the live objects.
pub async fn status(ctx: &Context<'_>) -> Result<Report> {
    let store = Store::new(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str());
    let history = store.history().await?;
    let Some(latest) = history.latest() else {
        return Err(Error::failed(format!(
            "there is no release {} in namespace {}",
            ctx.release, ctx.namespace
        ))
        .hint("kubectl obs list -A shows all releases; kubectl obs install makes one"));
    };
    let record = store.read(latest.revision).await?;
    let desired: Vec<Object> =
        record.objects.iter().filter_map(|value| Object::new(value.clone()).ok()).collect();
    let found = live::gather(ctx, &desired, &[], pod_places(&record)).await?;
    let components = record
        .components
        .iter()
        .map(|component| {
            let own: Vec<&Object> =
                desired.iter().filter(|o| o.label(labels::OBS_COMPONENT) == Some(&component.name)).collect();
            let pods: Vec<&Value> = found
                .iter()
                .filter(|(id, pod)| {
                    id.kind == "Pod"
                        && pod["metadata"]["labels"][labels::OBS_COMPONENT] == component.name.as_str()
                })
                .map(|(_, pod)| pod)
                .collect();
            describe(component, &own, &found, &pods)
        })
        .collect();
    Ok(Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision: latest.revision,
        status: latest.status_word.clone(),
        description: latest.description.clone(),
        bundle: latest.bundle.clone(),
        updated: latest.updated.clone(),
        components,
        notes: record.notes,
    })
}

/// Pods, wherever the release has workloads.
fn pod_places(record: &Record) -> std::collections::BTreeSet<live::Place> {
    [&record.namespace, &record.node_namespace]
        .into_iter()
        .map(|namespace| (Kind::namespaced("", "Pod", "pods"), Some(namespace.clone())))
        .collect()
}

fn describe(
    component: &crate::release::ComponentRef,
    own: &[&Object],
    found: &crate::plan::Live,
    pods: &[&Value],
) -> Component {
    let (mut ready, mut wanted, mut unit) = (0, 0, "");
    let mut state = "ready";
    let mut why = String::new();
    let mut worse = |rank: &'static str, reason: String| {
        if (state, rank) == ("ready", "starting") || (state != "failed" && rank == "failed") {
            state = rank;
            why = reason;
        }
    };
    let mut since = BTreeMap::new();
    for object in own {
        let Some(live) = found.get(&object.id()) else {
            worse("failed", format!("{} is missing", object.id()));
            continue;
        };
        if let Some(counts) = readiness::counts(live) {
            ready += counts.0;
            wanted += counts.1;
            unit = counts.2;
            if let Some(time) = changed(live) {
                since.insert(time, ());
            }
        }
        match readiness::readiness(live) {
            Readiness::Ready => {}
            Readiness::Progressing(reason) => worse("starting", reason),
            Readiness::Failed(reason) => worse("failed", reason),
        }
    }
    if state != "ready"
        && let Some(reason) = pods.iter().find_map(|pod| super::why::pod_reason(pod))
    {
        why = reason;
    }
    Component {
        name: component.name.clone(),
        version: component.app_version.clone(),
        ready: format!("{ready}/{wanted}{}", if unit == "nodes" { " nodes" } else { "" }),
        state: state.to_owned(),
        since: since.into_keys().next_back().unwrap_or_default(),
        why,
    }
}

/// When a workload last changed its state: its newest condition, else its creation.
fn changed(live: &Value) -> Option<String> {
    let conditions = live["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter_map(|condition| condition["lastTransitionTime"].as_str())
        .max()
        .or_else(|| live["metadata"]["creationTimestamp"].as_str())
        .map(str::to_owned)
}
