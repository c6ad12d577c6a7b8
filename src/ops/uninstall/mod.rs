//! Uninstall: removes exactly what inventory and labels say, in an order that cannot deadlock;
//! volumes, their secrets and namespaces stay unless the data is to go. Works on whatever an
//! interrupted operation left, also before its first record, and on what a deleted namespace left
//! elsewhere: it is found by its labels, under a lock in a namespace that is made for that and goes
//! again, since an install would be at work there.

mod blocked;
mod place;
mod removal;

pub use removal::Removal;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::cluster::Lock;
use crate::error::{Error, Result};
use crate::event::{Event, Phase, Start};
use crate::object::ObjectId;
use crate::ops::run::Run;
use crate::ops::{Context, live, namespace, prune};
use crate::release::{Entry, History, Status};
use crate::words::count;
use blocked::{dependents_gone, is_webhook, unblock};
use removal::{Recorded, removal};

/// Nobody reads a question and answers it in so short a time.
const MOMENT: Duration = Duration::from_secs(1);

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
    let store = ctx.store();
    let look = async {
        // what is served is wanted later: asked now, it costs no time
        let (version, history, _, own) = tokio::try_join!(
            ctx.cluster.version(),
            store.history(),
            ctx.cluster.kinds(),
            namespace::live(&ctx, ctx.namespace.as_str())
        )?;
        exists(&ctx, &history).await?;
        let orphaned = history.latest().is_none() && place::is_lost(own.as_ref());
        Ok((version, history, orphaned))
    };
    let (version, history, orphaned) = ctx.or(look).await?;
    ctx.observer.event(Event::Started(Start {
        operation: "uninstall".into(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        bundle: history.latest().map(|header| header.bundle.clone()),
        cluster: ctx.cluster.name().to_owned(),
        kubernetes: version.text,
    }));
    if orphaned {
        let message = format!(
            "namespace {} is gone, and the release's records with it: what is left elsewhere is found by its labels",
            ctx.namespace
        );
        ctx.observer.event(Event::Warning { message });
    }
    let recorded = ctx.or(Recorded::read(&ctx, &store, &history, orphaned)).await?;
    ctx.or(live::tell_what_is_no_longer_served(&ctx, &recorded.entries)).await?;
    let shown = ctx.or(removal(&ctx, &recorded, options)).await?;
    let looked = Instant::now();
    if options.dry_run {
        return Ok(report(&ctx, &shown, &shown.namespaces, "planned"));
    }
    confirm(&shown)?;

    if orphaned {
        ctx.or(place::make(&ctx)).await?;
    }
    ctx.or(unblock(&ctx, &shown)).await?;
    let run = Run::begin(ctx, "uninstall", options.lock_timeout).await?;
    let result = run
        .guard(async {
            let now = run.store.history().await?;
            // what was seen a moment ago holds when nobody else was at work; each object goes by its uid
            let removal = if now == history && !run.waited && looked.elapsed() < MOMENT {
                shown.clone()
            } else {
                // records do not change: the same ones say the same
                let recorded = if now == history {
                    recorded
                } else {
                    Recorded::read(&ctx, &run.store, &now, false).await?
                };
                removal(&ctx, &recorded, options).await?
            };
            let history = now;
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
                    .set_status(latest, Status::Uninstalling, &latest.description, &crate::ops::who::now())
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
    let result = run.epilogue(result).await;
    if orphaned {
        place::remove(&ctx).await;
    }
    let (removal, mut gone, mut strangers) = result?;

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
    // what was said to stay is said once
    let stays: BTreeSet<String> = removal.stay.iter().map(|(id, _)| id.to_string()).collect();
    strangers.retain(|name| !stays.contains(name));
    report.kept.extend(strangers.into_iter().map(|name| format!("{name} (not ours: its namespace stays)")));
    Ok(report)
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

async fn end_records(run: &Run<'_>, history: &History, options: &Options) -> Result<()> {
    run.lock.still_held()?;
    if options.keep_history {
        if let Some(latest) = history.latest() {
            run.store
                .set_status(latest, Status::Uninstalled, &latest.description, &crate::ops::who::now())
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
