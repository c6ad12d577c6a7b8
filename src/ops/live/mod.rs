//! The live objects of a release: one LIST per kind and namespace by label. `around`: what else there
//! is that a plan wants to know; `scan`: whatever the whole cluster has of a release, kind by kind;
//! `verify`: is what was applied still there?

mod around;
mod scan;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

pub use around::{
    admission, all_storage_classes, answered, autoscalers, ready_pods, storage_classes,
    tell_what_is_no_longer_served,
};
pub use scan::{is_dependent, of_helm, orphans, scan};
pub use verify::verify;

use super::Context;
use super::apply::PARALLEL;
use crate::cluster::Kinds;
use crate::error::{Error, Result};
use crate::object::{Kind, Object, ObjectId, builtin, labels};
use crate::plan::Live;
use crate::release::Entry;

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
    // an object is read in the version that it is wanted in, also where another one of its kind is in use
    let wanted: BTreeMap<ObjectId, &str> =
        desired.iter().map(|object| (object.id(), object.api_version())).collect();
    for (kind, found) in lists {
        for value in found {
            let id = id_of(&kind, &value);
            let other = wanted.get(&id).is_some_and(|version| value["apiVersion"] != *version);
            if !other || !live.contains_key(&id) {
                live.insert(id, value);
            }
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

/// The kinds and namespaces of inventory entries; a kind that is no longer served counts as gone.
fn entry_places(kinds: &Kinds, entries: &[Entry]) -> BTreeSet<Place> {
    entries
        .iter()
        .filter_map(|entry| Some((kinds.preferred(&entry.group, &entry.kind)?, entry.namespace.clone())))
        .collect()
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
