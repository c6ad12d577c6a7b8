//! The live objects of a release: one LIST per kind and namespace by label.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::Context;
use super::apply::PARALLEL;
use crate::cluster::Kinds;
use crate::error::{Error, Result};
use crate::object::{Kind, Object, ObjectId, labels};
use crate::plan::{Change, Live, Plan};
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

/// All live objects of the kinds and namespaces that are wanted or were recorded, by label; and
/// the wanted Namespaces by name, since one that was there before carries no label of ours.
pub async fn gather(ctx: &Context<'_>, desired: &[Object], recorded: &[Entry]) -> Result<Live> {
    let kinds = ctx.cluster.kinds().await?;
    let mut places = places(&kinds, desired.iter());
    for entry in recorded {
        // a kind that is no longer served counts as gone
        if let Some(kind) = kinds.preferred(&entry.group, &entry.kind) {
            let known = places
                .iter()
                .any(|(k, ns)| k.group == kind.group && k.kind == kind.kind && *ns == entry.namespace);
            if !known {
                places.insert((kind, entry.namespace.clone()));
            }
        }
    }
    let selector = selector(ctx);
    let lists: Vec<(Kind, Vec<Value>)> = stream::iter(places)
        .map(|(kind, namespace)| {
            let selector = &selector;
            async move {
                let found = ctx.cluster.list(&kind, namespace.as_deref(), selector).await?;
                Ok::<_, Error>((kind, found))
            }
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    let mut live = Live::new();
    for (kind, found) in lists {
        for value in found {
            live.insert(id_of(&kind, &value), value);
        }
    }
    for object in desired.iter().filter(|object| object.kind() == "Namespace") {
        let kind = super::namespace::kind();
        if let Some(found) = ctx.cluster.get(&kind, None, object.name()).await? {
            live.insert(object.id(), found);
        }
    }
    Ok(live)
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

/// The kinds and namespaces of objects; kinds that nobody serves are left out.
pub fn places<'o>(kinds: &Kinds, objects: impl Iterator<Item = &'o Object>) -> BTreeSet<Place> {
    objects
        .filter_map(|object| {
            let (group, version) = crate::object::split_api_version(object.api_version());
            let kind = kinds.resolve(group, version, object.kind())?;
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

/// Before `deployed`: is every object of the plan still there?
pub async fn verify(ctx: &Context<'_>, plan: &Plan) -> Result<()> {
    let wanted: Vec<&Object> =
        plan.steps.iter().filter(|step| step.change != Change::Use).map(|step| &step.object).collect();
    let kinds = ctx.cluster.kinds().await?;
    let found = ids(ctx, places(&kinds, wanted.iter().copied()), &selector(ctx)).await?;
    match wanted.iter().find(|object| !found.contains(&object.id())) {
        None => Ok(()),
        Some(object) => {
            Err(Error::failed(format!("{} was deleted by somebody else during the operation", object.id()))
                .hint("look at who else manages this namespace, then run the command again"))
        }
    }
}
