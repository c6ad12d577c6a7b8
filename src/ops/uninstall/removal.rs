//! What an uninstall removes and what it leaves, from the records and from what is there.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde_json::Value;

use super::Options;
use crate::cluster::records::Store;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{ObjectId, labels};
use crate::ops::{Context, live, namespace};
use crate::plan::{Live, removal_rank, stays};
use crate::release::{Entry, EntryState, History, Status, Unusable};

/// Records to read at a time: each is unpacked in memory.
pub(super) const READ_AT_ONCE: usize = 4;

/// What goes and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// These go, in this order.
    pub go: Vec<Entry>,
    /// These stay, with the reason.
    pub stay: Vec<(ObjectId, String)>,
    /// Namespaces that we made and that go when nothing else is in them.
    pub namespaces: Vec<String>,
}

/// What the records say was made.
pub(super) struct Recorded {
    pub entries: Vec<Entry>,
    /// The definitions that the release used, whoever made them.
    definitions: BTreeSet<String>,
    /// Is there a record, and could all be read?
    complete: bool,
    /// Is the release's namespace gone, and every record with it?
    pub orphaned: bool,
}

impl Recorded {
    pub(super) async fn read(
        ctx: &Context<'_>,
        store: &Store,
        history: &History,
        orphaned: bool,
    ) -> Result<Self> {
        let mut definitions = BTreeSet::new();
        let mut recorded: BTreeMap<ObjectId, Entry> = BTreeMap::new();
        let mut complete = history.latest().is_some();
        let newest_first = history.headers().iter().rev();
        let mut inventories = stream::iter(newest_first)
            .map(|header| async move { (header.revision, store.try_read_inventory(header.revision).await) })
            .buffered(READ_AT_ONCE);
        while let Some((revision, inventory)) = inventories.next().await {
            match inventory? {
                Ok(made) => {
                    for entry in made.inventory {
                        recorded.entry(entry.id()).or_insert(entry);
                    }
                    definitions.extend(made.definitions);
                }
                // what it keeps, and how, is for the version that wrote it to say
                Err(newer @ Unusable::Newer(_)) => return Err(store.unusable(revision, &newer)),
                Err(why) => {
                    complete = false;
                    let message = store.unusable(revision, &why).message().to_owned();
                    ctx.observer.event(Event::Warning { message });
                }
            }
        }
        Ok(Self { entries: recorded.into_values().collect(), definitions, complete, orphaned })
    }
}

/// What goes and what stays.
pub(super) async fn removal(ctx: &Context<'_>, recorded: &Recorded, options: &Options) -> Result<Removal> {
    let delete_data = options.delete_data;
    let entries = &recorded.entries;
    let mut found = live::gather(ctx, &[], entries, live::claim_places(&[], entries)).await?;
    if !recorded.complete {
        // a revision may have had kinds that no other one has
        for (entry, value) in live::scan(ctx).await? {
            found.entry(entry.id()).or_insert(value);
        }
    }
    let mut removal = Removal::default();
    for (id, value, owner) in definitions_of_others(ctx, &recorded.definitions, &found).await? {
        match owner {
            Some(why) => removal.stay.push((id, why)),
            None => {
                found.insert(id, value);
            }
        }
    }
    for (id, value) in found {
        if live::is_dependent(&id, &value) {
            continue;
        }
        if id.kind == "Namespace" {
            removal.namespaces.push(id.name);
            continue;
        }
        let component = value["metadata"]["labels"][labels::OBS_COMPONENT].as_str().unwrap_or_default();
        let kept = value["metadata"]["annotations"][labels::KEEP] == "true";
        let cluster_wide = id.kind == "CustomResourceDefinition";
        let goes = if cluster_wide { options.delete_crds } else { delete_data || !stays(&value) };
        if kept || !goes {
            let why = if kept {
                format!("annotated {}=true", labels::KEEP)
            } else if cluster_wide {
                "belongs to the cluster; goes with --delete-crds".to_owned()
            } else if id.kind == "PersistentVolume" {
                "data; goes with --delete-data".to_owned()
            } else if id.kind == "PersistentVolumeClaim" {
                let size =
                    value["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or("unknown size");
                format!("data, {size}; goes with --delete-data")
            } else {
                "belongs to a volume; goes with --delete-data".to_owned()
            };
            removal.stay.push((id, why));
            continue;
        }
        let mut entry = Entry::new(id, component, EntryState::Active);
        entry.uid = value["metadata"]["uid"].as_str().map(str::to_owned);
        removal.go.push(entry);
    }
    removal.go.sort_by_key(|entry| (removal_rank(&entry.kind), entry.id()));
    if options.delete_crds {
        refuse_used_definitions(ctx, &removal).await?;
    }
    if recorded.orphaned {
        // nothing else would ever remove its other namespaces; what holds data is not empty and stays
        removal.namespaces.retain(|name| name != ctx.namespace.as_str());
    } else if delete_data {
        // the release's own namespace was made before the first record
        let own = namespace::read(ctx, ctx.namespace.as_str()).await?.is_some_and(|state| state.ours);
        if own && !removal.namespaces.iter().any(|name| name == ctx.namespace.as_str()) {
            removal.namespaces.push(ctx.namespace.to_string());
        }
    } else {
        for name in std::mem::take(&mut removal.namespaces) {
            removal.stay.push((namespace::id(&name), "goes with --delete-data when it is empty".into()));
        }
    }
    Ok(removal)
}

/// The definitions that the release used and did not make, each with why it stays; None where the
/// release that made it is gone, so that nobody else is left to remove it.
async fn definitions_of_others(
    ctx: &Context<'_>,
    used: &BTreeSet<String>,
    own: &Live,
) -> Result<Vec<(ObjectId, Value, Option<String>)>> {
    let mut found = Vec::new();
    let Some(kind) = ctx.cluster.kinds().await?.preferred(DEFINITION.0, DEFINITION.1) else {
        return Ok(found);
    };
    for name in used {
        let id = ObjectId {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            namespace: None,
            name: name.clone(),
        };
        if own.contains_key(&id) {
            continue;
        }
        let Some(live) = ctx.cluster.get(&kind, None, name).await? else { continue };
        let label = |key: &str| live["metadata"]["labels"][key].as_str();
        let maker = match (label(labels::RELEASE), label(labels::RELEASE_NAMESPACE)) {
            (Some(release), Some(namespace)) if label(labels::MANAGED_BY) == Some(labels::MANAGER) => {
                Some((release, namespace))
            }
            _ => None,
        };
        let why = match maker {
            None => Some("made by somebody else, and only used by the release".to_owned()),
            Some((release, namespace)) => {
                let history = Store::new(ctx.cluster, namespace, release).history().await;
                // whose records may not be read may be there
                let there = !history.is_ok_and(|history| {
                    history.latest().is_none_or(|latest| latest.status == Some(Status::Uninstalled))
                });
                there.then(|| format!("belongs to release {release} in namespace {namespace} too"))
            }
        };
        found.push((id, live, why));
    }
    Ok(found)
}

/// Group and kind of definitions.
const DEFINITION: (&str, &str) = ("apiextensions.k8s.io", "CustomResourceDefinition");

/// A definition takes all its objects along, whoever made them.
pub(super) async fn refuse_used_definitions(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let kinds = ctx.cluster.kinds().await?;
    let Some(definition) = kinds.preferred(DEFINITION.0, DEFINITION.1) else { return Ok(()) };
    let going: BTreeSet<ObjectId> = removal.go.iter().map(Entry::id).collect();
    for id in going.iter().filter(|id| id.kind == definition.kind) {
        let Some(live) = ctx.cluster.get(&definition, None, &id.name).await? else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, kind) = (text(&live["spec"]["group"]), text(&live["spec"]["names"]["kind"]));
        let Some(kind) = kinds.preferred(&group, &kind) else { continue };
        let objects = ctx.cluster.list_metadata(&kind, None, "").await?;
        let strangers: Vec<ObjectId> = objects
            .iter()
            .map(|value| live::id_of(&kind, value))
            .filter(|object| !going.contains(object))
            .collect();
        let Some(first) = strangers.first() else { continue };
        let more = strangers.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        return Err(Error::failed(format!(
            "{id} would take {first}{more} along, which this release does not remove"
        ))
        .hint("remove them first, or leave out --delete-crds: the definitions stay then"));
    }
    Ok(())
}
