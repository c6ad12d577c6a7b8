//! One component at a time: is it ready, restart it, and in which revisions it changed. A restart is
//! kubectl's own: an annotation on the pod template, by a field manager of its own, which neither
//! drift nor the next upgrade takes for a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::run::Run;
use super::status::Component;
use super::wait::Evidence;
use super::{Context, components, live, pace, revision, status, wait};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::{Object, ObjectId};
use crate::release::partial::component;
use crate::release::{Record, Revision};
use crate::words::count;

/// What kubectl itself sets.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Owns that annotation alone.
const ROLLOUT_MANAGER: &str = "kubectl-obs-rollout";

/// How components are.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Its newest revision.
    pub revision: Revision,
    /// The workloads that were restarted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarted: Vec<ObjectId>,
    /// The components.
    pub components: Vec<Component>,
}

/// Waits until the components are ready; an error says which is not, and why.
pub async fn wait_ready(ctx: &Context<'_>, names: &[String]) -> Result<Report> {
    let record = newest(ctx, names).await?;
    ready(ctx, &objects(&record, names), Evidence::All).await?;
    report(ctx, names, Vec::new()).await
}

/// Replaces the pods of the components, and waits until the new ones are ready.
pub async fn restart(ctx: &Context<'_>, names: &[String]) -> Result<Report> {
    let record = newest(ctx, names).await?;
    let mut workloads = objects(&record, names);
    workloads.retain(|object| matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet"));
    if workloads.is_empty() {
        return Err(Error::failed("there is nothing to restart: no pods run all the time")
            .hint("kubectl obs get inventory lists the objects"));
    }
    let found = live::gather(ctx, &workloads, &[], BTreeSet::new()).await?;
    // all of them or none: what is missing is said before anything is restarted
    if let Some(missing) = workloads.iter().find(|object| !found.contains_key(&object.id())) {
        return Err(Error::failed(format!("{} cannot be restarted: it is missing", missing.id()))
            .hint("kubectl obs upgrade makes it again"));
    }
    let kinds = ctx.cluster.kinds().await?;
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {
        RESTARTED_AT: jiff::Timestamp::now().to_string(),
    }}}}});
    // not in the middle of what somebody else does with the release
    let run = Run::begin(*ctx, "restart", Duration::ZERO).await?;
    let patches = async {
        let mut restarted = Vec::new();
        for object in &workloads {
            let id = object.id();
            let Some(kind) = kinds.of(&id) else { continue };
            let uid = found.get(&id).and_then(|live| live["metadata"]["uid"].as_str());
            let place = (object.namespace(), object.name());
            ctx.cluster.merge_patch_as(ROLLOUT_MANAGER, &kind, place.0, place.1, uid, &patch).await?;
            restarted.push(id);
        }
        Ok(restarted)
    };
    let patched = run.guard(patches).await;
    let restarted = run.epilogue(patched).await?;
    ready(ctx, &workloads, Evidence::New).await?;
    report(ctx, names, restarted).await
}

async fn newest(ctx: &Context<'_>, names: &[String]) -> Result<Record> {
    let (store, history) = revision::history(ctx).await?;
    pace::tell(ctx, &history);
    let record = store.read(revision::choose(ctx, &history, None)?.revision).await?;
    components::check(&record, names)?;
    Ok(record)
}

/// The objects of the components, as the revision wants them.
fn objects(record: &Record, names: &[String]) -> Vec<Object> {
    let objects = record.objects.iter().filter(|value| is_of(value, names));
    objects.filter_map(|value| Object::new(value.clone()).ok()).collect()
}

fn is_of(value: &Value, names: &[String]) -> bool {
    let component = component(value);
    names.is_empty() || names.iter().any(|name| name == component)
}

async fn ready(ctx: &Context<'_>, objects: &[Object], evidence: Evidence) -> Result<()> {
    let begun = Instant::now();
    ctx.observer.event(Event::PhaseStarted { phase: Phase::Ready, total: None });
    let number = wait::ready(ctx, objects, evidence).await?;
    let (summary, seconds) = (count(number, "component"), begun.elapsed().as_secs_f64());
    ctx.observer.event(Event::PhaseDone { phase: Phase::Ready, summary, seconds });
    Ok(())
}

async fn report(ctx: &Context<'_>, names: &[String], restarted: Vec<ObjectId>) -> Result<Report> {
    let (status, _) = status::status(ctx).await?;
    let mut components = status.components;
    components.retain(|component| names.is_empty() || names.contains(&component.name));
    let (release, namespace) = (status.release, status.namespace);
    Ok(Report { release, namespace, revision: status.revision, restarted, components })
}

/// When components changed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Newest first.
    pub items: Vec<Change>,
    /// Revisions whose record cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Revision>,
}

/// A revision in which objects of a component changed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// The component.
    pub component: String,
    /// The revision's status, as the record says it.
    pub status: String,
    /// When it was begun, RFC 3339.
    pub created: String,
    /// What it was for, or why it failed.
    pub description: String,
    /// Objects that came with it.
    pub added: Vec<ObjectId>,
    /// Objects that it changed.
    pub changed: Vec<ObjectId>,
    /// Objects that went with it.
    pub removed: Vec<ObjectId>,
}

/// The revisions in which the components' objects are not those of the revision before, newest
/// first. The oldest revision that is kept counts as one in which everything came.
pub async fn history(ctx: &Context<'_>, names: &[String]) -> Result<Changes> {
    let (store, history) = revision::history(ctx).await?;
    let mut changes = Changes {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        items: Vec::new(),
        unreadable: Vec::new(),
    };
    let mut before: Option<Record> = None;
    let mut known = BTreeSet::new();
    let records = store.read_all(history.headers()).await;
    for (header, record) in history.headers().iter().zip(records) {
        let Ok(record) = record? else {
            changes.unreadable.push(header.revision);
            continue;
        };
        known.extend(record.components.iter().map(|component| component.name.clone()));
        let earlier = before.as_ref().map_or(&[][..], |record| &record.objects);
        for (component, [added, changed, removed]) in compare(earlier, &record.objects) {
            changes.items.push(Change {
                revision: header.revision,
                component,
                status: header.status_word.clone(),
                created: header.created.clone(),
                description: header.description.clone(),
                added,
                changed,
                removed,
            });
        }
        before = Some(record);
    }
    components::known(ctx.release.as_str(), known.iter().map(String::as_str), names)?;
    changes.items.retain(|change| names.is_empty() || names.contains(&change.component));
    changes.items.reverse();
    Ok(changes)
}

/// Of each component that differs: the objects that came, changed, and went.
fn compare(before: &[Value], after: &[Value]) -> BTreeMap<String, [Vec<ObjectId>; 3]> {
    let by_id = |values: &[Value]| -> BTreeMap<ObjectId, Value> {
        let objects = values.iter().filter_map(|value| Object::new(value.clone()).ok());
        objects.map(|object| (object.id(), object.value().clone())).collect()
    };
    let (before, after) = (by_id(before), by_id(after));
    let mut found: BTreeMap<String, [Vec<ObjectId>; 3]> = BTreeMap::new();
    let mut add = |value: &Value, id: &ObjectId, what: usize| {
        let name = component(value);
        // what belongs to no component (a namespace) is the release's
        if !name.is_empty() {
            found.entry(name.to_owned()).or_default()[what].push(id.clone());
        }
    };
    for (id, value) in &after {
        match before.get(id) {
            None => add(value, id, 0),
            Some(earlier) if earlier != value => add(value, id, 1),
            Some(_) => {}
        }
    }
    for (id, value) in before.iter().filter(|(id, _)| !after.contains_key(id)) {
        add(value, id, 2);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::labels;

    #[test]
    fn objects_are_compared_component_by_component() {
        let map = |component: &str, name: &str, text: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": text},
                "metadata": {"name": name, "namespace": "x", "labels": {labels::OBS_COMPONENT: component}}})
        };
        let before = [map("a", "a1", "1"), map("a", "a2", "1"), map("b", "b1", "1")];
        let after = [map("a", "a1", "2"), map("a", "a3", "1"), map("b", "b1", "1")];
        let found = compare(&before, &after);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a"]);
        let names = found["a"].clone().map(|ids| ids.into_iter().map(|id| id.name).collect::<Vec<_>>());
        assert_eq!(names, [vec!["a3"], vec!["a1"], vec!["a2"]]);
        assert!(compare(&after, &after).is_empty());
    }
}
