//! Uninstall: removes exactly what inventory and labels say, in an order that cannot deadlock;
//! volumes, their secrets and namespaces stay unless the data is to go. Works on whatever an
//! interrupted operation left, also before its first record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::try_join_all;
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;

use super::run::Run;
use super::{Context, live, namespace, prune};
use crate::cluster::records::Store;
use crate::cluster::{CreateError, DeleteOptions, Lock};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::{Kind, ObjectId, labels};
use crate::plan::{removal_rank, stays};
use crate::release::{Entry, EntryState, History, Status, Unusable};
use crate::words::count;

/// Records to read at a time: each is unpacked in memory.
const READ_AT_ONCE: usize = 4;

/// How to uninstall.
pub struct Options {
    /// Volumes, generated secrets and our namespaces go too.
    pub delete_data: bool,
    /// The release's CustomResourceDefinitions go too, where nobody else uses them.
    pub delete_crds: bool,
    /// The records stay.
    pub keep_history: bool,
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// Show what would happen only.
    pub dry_run: bool,
}

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

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// `uninstalled`, or `planned` for a dry-run.
    pub status: String,
    /// Objects that went, namespaces included.
    pub removed: Vec<String>,
    /// Objects that stay, with the reason.
    pub kept: Vec<String>,
}

/// Uninstalls. `confirm` is asked with what goes and what stays, before anything is changed.
pub async fn uninstall(
    ctx: Context<'_>,
    options: &Options,
    confirm: &(dyn Fn(&Removal) -> Result<()> + Sync),
) -> Result<Report> {
    let begun = Instant::now();
    let store = Store::new(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str());
    let look = async {
        // what is served is wanted later: asked now, it costs no time
        let (version, history, _) =
            tokio::try_join!(ctx.cluster.version(), store.history(), ctx.cluster.kinds())?;
        exists(&ctx, &history).await?;
        Ok((version, history))
    };
    let (version, history) = ctx.or(look).await?;
    ctx.observer.event(Event::Started {
        operation: "uninstall".into(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        bundle: history.latest().map(|header| header.bundle.clone()),
        cluster: ctx.cluster.name().to_owned(),
        kubernetes: version.text,
    });
    let recorded = ctx.or(Recorded::read(&ctx, &store, &history)).await?;
    ctx.or(live::tell_what_is_no_longer_served(&ctx, &recorded.entries)).await?;
    let shown = ctx.or(removal(&ctx, &recorded, options)).await?;
    if options.dry_run {
        return Ok(report(&ctx, &shown, &shown.namespaces, "planned"));
    }
    confirm(&shown)?;

    ctx.or(unblock(&ctx, &shown)).await?;
    let run = Run::begin(ctx, "uninstall", options.lock_timeout).await?;
    let result = run
        .guard(async {
            let now = run.store.history().await?;
            // records do not change: the same ones say the same
            let recorded =
                if now == history { recorded } else { Recorded::read(&ctx, &run.store, &now).await? };
            let history = now;
            let removal = removal(&ctx, &recorded, options).await?;
            let known: BTreeSet<ObjectId> = shown.go.iter().map(Entry::id).collect();
            if removal.go.iter().any(|entry| !known.contains(&entry.id())) {
                // the release changed while the question was open
                confirm(&removal)?;
            }
            let total = Some(removal.go.len());
            ctx.observer.event(Event::PhaseStarted { phase: Phase::Deleted, total });
            // before anything else is written: one whose service is gone may refuse the records, too
            let (hooks, rest): (Vec<Entry>, Vec<Entry>) = removal.go.iter().cloned().partition(is_webhook);
            prune::prune(&run, &hooks, Phase::Deleted).await?;
            if let Some(latest) = history.latest() {
                run.lock.still_held()?;
                run.store
                    .set_status(latest, Status::Uninstalling, &latest.description, &super::who::now())
                    .await?;
            }
            prune::prune(&run, &rest, Phase::Deleted).await?;
            dependents_gone(&ctx, &removal).await?;
            let others: Vec<&String> =
                removal.namespaces.iter().filter(|name| *name != ctx.namespace.as_str()).collect();
            let mut gone = Vec::new();
            let mut strangers = Vec::new();
            for name in others {
                let left = namespace::remove_if_empty(&ctx, name).await?;
                if left.is_empty() {
                    namespace::gone(&ctx, name).await?;
                    gone.push(name.clone());
                }
                strangers.extend(left);
            }
            end_records(&run, &history, options).await?;
            ctx.observer.event(Event::PhaseDone {
                phase: Phase::Deleted,
                summary: count(removal.go.len(), "object"),
                seconds: begun.elapsed().as_secs_f64(),
            });
            Ok((removal, gone, strangers))
        })
        .await;
    let (removal, mut gone, mut strangers) = run.epilogue(result).await?;

    // the release's own namespace held the lock: it goes last
    if removal.namespaces.iter().any(|name| name == ctx.namespace.as_str()) && !options.keep_history {
        let left = ctx.or(namespace::remove_if_empty(&ctx, ctx.namespace.as_str())).await?;
        if left.is_empty() {
            ctx.or(namespace::gone(&ctx, ctx.namespace.as_str())).await?;
            gone.push(ctx.namespace.to_string());
        }
        strangers.extend(left);
    }
    let mut report = report(&ctx, &removal, &gone, "uninstalled");
    report.kept.extend(strangers.into_iter().map(|name| format!("{name} (not ours: its namespace stays)")));
    Ok(report)
}

fn is_webhook(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration")
}

/// A webhook of the release whose service is gone may refuse even the lock. Then nobody can hold the
/// lock, and the webhook goes without it.
async fn unblock(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let hooks: Vec<&Entry> = removal.go.iter().filter(|entry| is_webhook(entry)).collect();
    if hooks.is_empty() {
        return Ok(());
    }
    let impatient = ctx.cluster.with_deadline(ctx.deadline.min(Instant::now() + Duration::from_secs(5)));
    let lease = Kind::namespaced("coordination.k8s.io", "Lease", "leases");
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

/// Is there anything of this release? A record, a lock, or a namespace that we made for it.
async fn exists(ctx: &Context<'_>, history: &History) -> Result<()> {
    if history.latest().is_some() {
        return Ok(());
    }
    let ours = namespace::read(ctx, ctx.namespace.as_str()).await?.is_some_and(|state| state.ours);
    if ours || Lock::holder(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str()).await?.is_some() {
        return Ok(());
    }
    // kept volumes and secrets of an earlier uninstall
    if !live::scan(ctx).await?.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("there is no release {} in namespace {}", ctx.release, ctx.namespace))
        .hint("kubectl obs list -A shows all releases"))
}

/// What the records say was made.
struct Recorded {
    entries: Vec<Entry>,
    /// Is there a record, and could all be read?
    complete: bool,
}

impl Recorded {
    async fn read(ctx: &Context<'_>, store: &Store, history: &History) -> Result<Self> {
        let mut recorded: BTreeMap<ObjectId, Entry> = BTreeMap::new();
        let mut complete = history.latest().is_some();
        let newest_first = history.headers().iter().rev();
        let mut inventories = stream::iter(newest_first)
            .map(|header| async move { (header.revision, store.try_read_inventory(header.revision).await) })
            .buffered(READ_AT_ONCE);
        while let Some((revision, inventory)) = inventories.next().await {
            match inventory? {
                Ok(inventory) => {
                    for entry in inventory {
                        recorded.entry(entry.id()).or_insert(entry);
                    }
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
        Ok(Self { entries: recorded.into_values().collect(), complete })
    }
}

/// What goes and what stays.
async fn removal(ctx: &Context<'_>, recorded: &Recorded, options: &Options) -> Result<Removal> {
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
    if delete_data {
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

/// A definition takes all its objects along, whoever made them.
async fn refuse_used_definitions(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let definition = Kind::cluster_scoped("apiextensions.k8s.io", "CustomResourceDefinition", "");
    let kinds = ctx.cluster.kinds().await?;
    let Some(definition) = kinds.preferred(&definition.group, &definition.kind) else { return Ok(()) };
    let going: BTreeSet<ObjectId> = removal.go.iter().map(Entry::id).collect();
    for id in going.iter().filter(|id| id.kind == definition.kind) {
        let Some(live) = ctx.cluster.get(&definition, None, &id.name).await? else { continue };
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
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

/// Waits until the pods and what else hung on the removed objects are gone.
async fn dependents_gone(ctx: &Context<'_>, removal: &Removal) -> Result<()> {
    let kinds = [
        Kind::namespaced("", "Pod", "pods"),
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
async fn none_left(ctx: &Context<'_>, kind: &Kind, namespace: &str, selector: &str) -> Result<()> {
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

async fn end_records(run: &Run<'_>, history: &History, options: &Options) -> Result<()> {
    run.lock.still_held()?;
    if options.keep_history {
        if let Some(latest) = history.latest() {
            run.store
                .set_status(latest, Status::Uninstalled, &latest.description, &super::who::now())
                .await?;
        }
        return Ok(());
    }
    run.store.remove_all(history).await
}

fn report(ctx: &Context<'_>, removal: &Removal, namespaces: &[String], status: &str) -> Report {
    Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        status: status.to_owned(),
        removed: removal
            .go
            .iter()
            .map(|entry| entry.id().to_string())
            .chain(namespaces.iter().map(|name| format!("Namespace {name}")))
            .collect(),
        kept: removal.stay.iter().map(|(id, why)| format!("{id} ({why})")).collect(),
    }
}
