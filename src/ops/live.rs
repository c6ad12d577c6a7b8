//! The live objects of a release: one LIST per kind and namespace by label.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::Context;
use super::apply::{self, Applied, PARALLEL};
use super::run::Run;
use crate::cluster::{Cluster, Kinds};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{Kind, Object, ObjectId, builtin, labels};
use crate::plan::{Change, HelmRelease, Live, Plan, Step};
use crate::readiness::{Readiness, readiness, vanishes_when_done};
use crate::release::{Entry, EntryState};

/// A kind and where to look for it: a namespace, or None for cluster-scoped kinds.
pub type Place = (Kind, Option<String>);

/// The label selector of a release's objects; its records are not among them.
pub fn selector(ctx: &Context<'_>) -> String {
    format!(
        "{}={},{}={},!{}",
        labels::RELEASE,
        ctx.release,
        labels::RELEASE_NAMESPACE,
        ctx.namespace,
        crate::release::history::RECORD
    )
}

/// All live objects of the kinds and namespaces that are wanted or were recorded, by label; with
/// `beside`, also those of further places.
pub async fn gather(
    ctx: &Context<'_>,
    desired: &[Object],
    recorded: &[Entry],
    beside: BTreeSet<Place>,
) -> Result<Live> {
    Ok(gather_parted(ctx, desired, recorded, beside, None).await?.0)
}

/// The same and the wanted objects that exist without our labels: somebody else's, or Namespaces
/// that were there before. In `absent`, a namespace that does not exist, nothing is looked for.
pub async fn gather_with_namesakes(
    ctx: &Context<'_>,
    desired: &[Object],
    recorded: &[Entry],
    beside: BTreeSet<Place>,
    absent: Option<&str>,
) -> Result<Live> {
    let (mut live, namespaces) = gather_parted(ctx, desired, recorded, beside, absent).await?;
    live.extend(namesakes(ctx, desired, &live, namespaces).await?);
    Ok(live)
}

/// What is ours, and Namespaces that are not, of those that are wanted or were recorded.
async fn gather_parted(
    ctx: &Context<'_>,
    desired: &[Object],
    recorded: &[Entry],
    beside: BTreeSet<Place>,
    absent: Option<&str>,
) -> Result<(Live, Live)> {
    let kinds = ctx.cluster.kinds().await?;
    let mut places = places(&kinds, desired.iter());
    for (kind, namespace) in entry_places(&kinds, recorded).into_iter().chain(beside) {
        // one version of a kind is enough
        let known =
            places.iter().any(|(k, ns)| k.group == kind.group && k.kind == kind.kind && *ns == namespace);
        if !known {
            places.insert((kind, namespace));
        }
    }
    places.retain(|(_, namespace)| absent.is_none() || namespace.as_deref() != absent);
    let selector = selector(ctx);
    // Namespaces by name: who has rights in one alone may not list them
    let (namespaces, places): (BTreeSet<Place>, BTreeSet<Place>) =
        places.into_iter().partition(|(kind, _)| *kind == builtin::namespaces());
    let lists = stream::iter(places)
        .map(|(kind, namespace)| {
            let selector = &selector;
            async move {
                let found = ctx.cluster.list(&kind, namespace.as_deref(), selector).await?;
                Ok::<_, Error>((kind, found))
            }
        })
        .buffer_unordered(PARALLEL)
        .try_collect::<Vec<(Kind, Vec<Value>)>>();
    let named = async {
        match namespaces.is_empty() {
            true => Ok(Default::default()),
            false => wanted_namespaces(ctx, desired, recorded).await,
        }
    };
    let (lists, (mut live, others)) = tokio::try_join!(lists, named)?;
    for (kind, found) in lists {
        for value in found {
            live.insert(id_of(&kind, &value), value);
        }
    }
    Ok((live, others))
}

/// Of the Namespaces that are wanted or were recorded those that carry our labels, and the others.
async fn wanted_namespaces(
    ctx: &Context<'_>,
    desired: &[Object],
    recorded: &[Entry],
) -> Result<(Live, Live)> {
    let ids = desired.iter().map(Object::id).chain(recorded.iter().map(Entry::id));
    let ids: BTreeSet<ObjectId> = ids.filter(|id| id.group.is_empty() && id.kind == "Namespace").collect();
    let found = try_join_all(ids.into_iter().map(|id| async move {
        let value = super::namespace::live(ctx, &id.name).await?;
        Ok::<_, Error>(value.map(|value| (id, value)))
    }))
    .await?;
    Ok(found.into_iter().flatten().partition(|(_, value)| {
        let label = |key: &str| value["metadata"]["labels"][key].as_str();
        label(labels::RELEASE) == Some(ctx.release.as_str())
            && label(labels::RELEASE_NAMESPACE) == Some(ctx.namespace.as_str())
    }))
}

/// The wanted objects that exist without our labels; `namespaces` are those that do. One metadata
/// list for each kind and namespace in which something is missing.
async fn namesakes(ctx: &Context<'_>, desired: &[Object], live: &Live, namespaces: Live) -> Result<Live> {
    let missing = desired.iter().filter(|object| !live.contains_key(&object.id()));
    let kinds = ctx.cluster.kinds().await?;
    let (wanted, others): (Vec<&Object>, Vec<&Object>) =
        missing.partition(|object| object.kind() == "Namespace");
    let wanted: BTreeSet<ObjectId> = wanted.into_iter().map(Object::id).collect();
    let mut found = namespaces;
    found.retain(|id, _| wanted.contains(id));
    // in a namespace that does not exist there is nothing
    let absent = |name: &str| {
        let id = super::namespace::id(name);
        desired.iter().any(|object| object.id() == id) && !live.contains_key(&id) && !found.contains_key(&id)
    };
    let wanted: Vec<&Object> =
        others.into_iter().filter(|object| !object.namespace().is_some_and(absent)).collect();
    let there = ids(ctx, places(&kinds, wanted.iter().copied()), "").await?;
    let taken = wanted.into_iter().filter(|object| there.contains(&object.id()));
    let values: Vec<Option<(ObjectId, Value)>> = stream::iter(taken)
        .map(|object| {
            let (group, version) = crate::object::split_api_version(object.api_version());
            let kind = kinds.resolve(group, version, object.kind());
            async move {
                let Some(kind) = kind else { return Ok(None) };
                let value = ctx.cluster.get(&kind, object.namespace(), object.name()).await?;
                Ok::<_, Error>(value.map(|value| (object.id(), value)))
            }
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    found.extend(values.into_iter().flatten());
    Ok(found)
}

/// Claims are made by StatefulSets, not by us: wherever there is one, they are looked for.
pub fn claim_places(desired: &[Object], entries: &[Entry]) -> BTreeSet<Place> {
    let wanted = desired.iter().filter(|object| object.kind() == "StatefulSet").map(Object::id);
    let recorded = entries.iter().filter(|entry| entry.kind == "StatefulSet").map(Entry::id);
    wanted.chain(recorded).map(|id| (builtin::claims(), id.namespace)).collect()
}

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

/// The kinds and namespaces of inventory entries; a kind that is no longer served counts as gone.
fn entry_places(kinds: &Kinds, entries: &[Entry]) -> BTreeSet<Place> {
    entries
        .iter()
        .filter_map(|entry| Some((kinds.preferred(&entry.group, &entry.kind)?, entry.namespace.clone())))
        .collect()
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

/// The identity of a listed object.
pub fn id_of(kind: &Kind, value: &Value) -> ObjectId {
    let text = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
    ObjectId {
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
    }
}

/// The kinds and namespaces of objects; kinds that nobody serves are left out. An object of a version
/// that is not served is looked for in the one that is.
pub fn places<'o>(kinds: &Kinds, objects: impl Iterator<Item = &'o Object>) -> BTreeSet<Place> {
    objects
        .filter_map(|object| {
            let (group, version) = crate::object::split_api_version(object.api_version());
            let kind = kinds.resolve(group, version, object.kind());
            let kind = kind.or_else(|| kinds.preferred(group, object.kind()))?;
            Some((kind, object.namespace().map(str::to_owned)))
        })
        .collect()
}

/// The identities of what is there: one metadata list for each place.
pub async fn ids(ctx: &Context<'_>, places: BTreeSet<Place>, selector: &str) -> Result<BTreeSet<ObjectId>> {
    stream::iter(places)
        .map(|(kind, namespace)| async move {
            let list = ctx.cluster.list_metadata(&kind, namespace.as_deref(), selector).await?;
            Ok::<_, Error>(list.iter().map(|value| id_of(&kind, value)).collect::<Vec<_>>())
        })
        .buffer_unordered(PARALLEL)
        .try_fold(BTreeSet::new(), |mut all, ids| async move {
            all.extend(ids);
            Ok(all)
        })
        .await
}

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

/// Made by a controller for another object, whose labels it carries: goes with that one.
pub fn is_dependent(id: &ObjectId, value: &Value) -> bool {
    matches!(id.kind.as_str(), "Endpoints" | "EndpointSlice" | "Event")
        || value["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty())
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

/// Before `deployed`: is every object of the plan there, and the one that was applied? What was
/// deleted meanwhile is applied once more.
pub async fn verify(run: &Run<'_>, plan: &Plan, applied: &Applied) -> Result<()> {
    let ctx = &run.ctx;
    let mut applied = applied.clone();
    for again in [false, true] {
        let steps = plan.steps.iter().filter(|step| !matches!(step.change, Change::Use | Change::Foreign(_)));
        let (found, steps) = (uids(ctx, steps.clone().map(|step| &step.object)).await?, steps);
        let mut lost = Vec::new();
        for step in steps {
            let id = step.object.id();
            match found.get(&id) {
                None if vanishes_when_done(step.object.value()) => {}
                None => lost.push(step),
                Some(uid) if applied.get(&id).is_none_or(|ours| ours == uid) => {}
                Some(_) => {
                    return Err(Error::failed(format!(
                        "{id} was replaced by somebody else during the operation"
                    ))
                    .hint("look at who else manages this namespace, then run the command again"));
                }
            }
        }
        let Some(first) = lost.first() else { return Ok(()) };
        if again {
            return Err(Error::failed(format!(
                "{} was deleted by somebody else during the operation, twice",
                first.object.id()
            ))
            .hint("look at who else manages this namespace, then run the command again"));
        }
        for step in lost {
            let step = Step { change: Change::Create, uid: None, ..step.clone() };
            applied.extend(apply::apply_step(run, &step, &apply::Random).await?);
        }
    }
    Ok(())
}

/// The uids of what is there.
async fn uids<'o>(
    ctx: &Context<'_>,
    objects: impl Iterator<Item = &'o Object>,
) -> Result<BTreeMap<ObjectId, String>> {
    let kinds = ctx.cluster.kinds().await?;
    let selector = selector(ctx);
    let (namespaces, others): (Vec<&Object>, Vec<&Object>) =
        objects.partition(|object| object.kind() == "Namespace");
    let uid = |value: &Value| value["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let own = try_join_all(namespaces.into_iter().map(|object| async move {
        let live = super::namespace::live(ctx, object.name()).await?;
        Ok::<_, Error>(live.map(|live| (object.id(), uid(&live))))
    }));
    let lists = stream::iter(places(&kinds, others.into_iter()))
        .map(|(kind, namespace)| {
            let selector = &selector;
            async move {
                let list = ctx.cluster.list_metadata(&kind, namespace.as_deref(), selector).await?;
                Ok::<_, Error>(list.iter().map(|v| (id_of(&kind, v), uid(v))).collect::<Vec<_>>())
            }
        })
        .buffer_unordered(PARALLEL)
        .try_concat();
    let (own, found) = tokio::try_join!(own, lists)?;
    Ok(own.into_iter().flatten().chain(found).collect())
}
