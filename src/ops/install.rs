//! Install: one operation in the order of the design: namespace → lock → records and live objects
//! → render → plan → checks → intent → apply → prune → wait → health → `deployed`. A first install,
//! or the continuation of one that failed or was killed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::apply::{self, Generated, Random};
use super::load::Loaded;
use super::run::Run;
use super::{Context, health, live, namespace, preflight, prune, wait, who};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::plan::{Change, Plan, plan};
use crate::release::record::FORMAT;
use crate::release::{BundleRef, ComponentRef, Header, History, Record, Status};
use crate::render::{Facts, Rendered};
use crate::words::count;

/// How far to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Not at all.
    Nothing,
    /// Until all objects are ready.
    Ready,
    /// Until the bundle's health checks pass.
    Healthy,
}

/// How to install.
pub struct Options {
    /// How far to wait.
    pub wait: WaitFor,
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// Show the plan only; `Some(true)` asks the server about every object.
    pub dry_run: Option<bool>,
    /// What the revision is for.
    pub description: Option<String>,
    /// Revisions to keep.
    pub history_max: usize,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that was made; 0 for a dry-run.
    pub revision: u32,
    /// `deployed`, or `planned` for a dry-run.
    pub status: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// Enabled components.
    pub components: Vec<String>,
    /// Objects by what happens to them.
    pub created: Vec<String>,
    /// Objects that change.
    pub updated: Vec<String>,
    /// Objects that were as they should be.
    pub unchanged: Vec<String>,
    /// Objects that go.
    pub pruned: Vec<String>,
    /// Objects that stay though the release no longer wants them.
    pub kept: Vec<String>,
    /// The rendered NOTES.txt.
    pub notes: String,
}

/// Installs.
pub async fn install(ctx: Context<'_>, loaded: &Loaded, options: &Options) -> Result<Report> {
    let version = ctx.cancel.or(ctx.cluster.version()).await?;
    ctx.observer.event(Event::Started {
        operation: "install".into(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        bundle: Some(loaded.title()),
        cluster: ctx.cluster.name().to_owned(),
        kubernetes: version.text.clone(),
    });
    let begun = Instant::now();
    ctx.observer.event(Event::PhaseStarted { phase: Phase::Checked, total: None });
    let mut facts = loaded.facts(&ctx, &version.text);
    // a bundle that does not render fails before anything is written
    let mut rendered = loaded.render(&facts)?;

    ctx.cancel.or(preflight::rights(&ctx, &rendered.objects)).await?;
    if options.dry_run.is_some() {
        return ctx.cancel.or(dry_run(&ctx, loaded, &facts, &rendered, options, begun)).await;
    }

    let own = rendered
        .objects
        .iter()
        .find(|o| o.kind() == "Namespace" && o.name() == ctx.namespace.as_str())
        .ok_or_else(|| Error::failed("the bundle renders no namespace for the release"))?;
    let state = ctx.cancel.or(namespace::ensure(&ctx, own.value())).await?;
    let made_now = state.made_now;
    let run = Run::begin(ctx, "install", options.lock_timeout).await?;

    let result = run
        .guard(async {
            let (history, key) = tokio::try_join!(run.store.history(), run.store.key())?;
            refuse_deployed(&ctx, &history)?;
            run.store.sweep(&history).await?;
            if let Some(key) = &key {
                facts.hmac_key.clone_from(key);
                rendered = loaded.render(&facts)?;
            }
            let earlier = continue_from(&run, &history).await?;
            let plan = make_plan(&ctx, &rendered, &earlier).await?;
            let subject = preflight::Subject {
                plan: &plan,
                components: &rendered.components,
                node_namespace: &facts.node_namespace,
                namespace: Some(&state),
                dry_run: true,
            };
            preflight::check(&ctx, &subject).await?;
            done(&ctx, Phase::Checked, preflight::summary(&plan), begun);

            // the intent: from here on a crash leaves what the next command continues
            if key.is_none() {
                run.store.write_key(&facts.hmac_key).await?;
            }
            let record = record(&ctx, loaded, &facts, &rendered, &plan, history.next());
            let header = header(&record, loaded, options, Status::PendingInstall);
            run.lock.still_held()?;
            let header = run.store.write(&record, &header).await?;
            run.intent_written(header.clone());

            carry_out(&run, &plan, &rendered, &facts, options.wait, made_now).await?;
            finish(&run, &history, &header, options).await?;
            Ok(report(&ctx, loaded, &rendered, &plan, header.revision, Status::Deployed.as_str()))
        })
        .await;

    let nothing_came_of_it = result.is_err() && made_now && !run.has_intent();
    let result = run.epilogue(result).await;
    if nothing_came_of_it {
        // the namespace was made for this operation alone; the error stays the one to report
        let _ = namespace::remove_if_empty(&ctx, ctx.namespace.as_str()).await;
    }
    result
}

/// Apply, prune, wait, health.
async fn carry_out(
    run: &Run<'_>,
    plan: &Plan,
    rendered: &Rendered,
    facts: &Facts,
    wait_for: WaitFor,
    namespace_made: bool,
) -> Result<()> {
    let ctx = &run.ctx;
    let begun = Instant::now();
    let total = Some(plan.steps.len());
    ctx.observer.event(Event::PhaseStarted { phase: Phase::Applied, total });
    apply::apply(run, plan, &Random as &dyn Generated).await?;
    done(ctx, Phase::Applied, applied_summary(plan, namespace_made), begun);
    if !plan.prune.is_empty() {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Pruned, total: Some(plan.prune.len()) });
        prune::prune(run, &plan.prune).await?;
        done(ctx, Phase::Pruned, format!("{} removed", plan.prune.len()), begun);
    }
    if wait_for != WaitFor::Nothing {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Ready, total: None });
        let components = wait::ready(ctx, &rendered.objects).await?;
        live::verify(ctx, plan).await?;
        done(ctx, Phase::Ready, count(components, "component"), begun);
    }
    if wait_for == WaitFor::Healthy && rendered.components.iter().any(|c| !c.health.is_empty()) {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Healthy, total: None });
        let summary = health::healthy(ctx, &rendered.components, &facts.node_namespace).await?;
        done(ctx, Phase::Healthy, summary, begun);
    }
    Ok(())
}

/// Marks the revision deployed, the ones before it superseded, and drops what retention drops.
async fn finish(run: &Run<'_>, history: &History, header: &Header, options: &Options) -> Result<()> {
    run.lock.still_held()?;
    let now = who::now();
    run.store.set_status(header, Status::Deployed, &header.description, &now).await?;
    for old in history.headers() {
        if old.status == Some(Status::Deployed) || old.status.is_some_and(Status::is_pending) {
            let status =
                if old.status == Some(Status::Deployed) { Status::Superseded } else { Status::Failed };
            run.store.set_status(old, status, &old.description, &now).await?;
        }
    }
    for old in history.surplus(options.history_max) {
        run.store.remove(old.revision).await?;
    }
    run.ended();
    run.ctx
        .observer
        .event(Event::Release { revision: header.revision, status: Status::Deployed.to_string() });
    Ok(())
}

async fn dry_run(
    ctx: &Context<'_>,
    loaded: &Loaded,
    facts: &Facts,
    rendered: &Rendered,
    options: &Options,
    begun: Instant,
) -> Result<Report> {
    let state = namespace::read(ctx, ctx.namespace.as_str()).await?;
    let store =
        crate::cluster::records::Store::new(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str());
    let history = store.history().await?;
    refuse_deployed(ctx, &history)?;
    let mut earlier = Vec::new();
    for header in history.baseline() {
        earlier.push(store.read(header.revision).await?);
    }
    let plan = make_plan(ctx, rendered, &earlier).await?;
    let subject = preflight::Subject {
        plan: &plan,
        components: &rendered.components,
        node_namespace: &facts.node_namespace,
        namespace: state.as_ref(),
        dry_run: options.dry_run == Some(true),
    };
    preflight::check(ctx, &subject).await?;
    done(ctx, Phase::Checked, preflight::summary(&plan), begun);
    Ok(report(ctx, loaded, rendered, &plan, 0, "planned"))
}

/// An install over a deployed revision would be an upgrade.
fn refuse_deployed(ctx: &Context<'_>, history: &History) -> Result<()> {
    match history.deployed() {
        None => Ok(()),
        Some(header) => Err(Error::failed(format!(
            "release {} is already deployed in namespace {} (revision {}, {})",
            ctx.release, ctx.namespace, header.revision, header.bundle
        ))
        .hint("kubectl obs status shows it; kubectl obs uninstall removes it; --release NAME installs another one")),
    }
}

/// Reads the records of the prune baseline and says so when an operation is continued.
async fn continue_from(run: &Run<'_>, history: &History) -> Result<Vec<Record>> {
    if let Some(latest) = history.latest()
        && latest.status.is_some_and(Status::is_pending)
    {
        let what = latest.status_word.trim_start_matches("pending-");
        run.ctx.observer.event(Event::Warning {
            message: format!(
                "the last {what} (revision {}, {}) was interrupted {}: continuing from there",
                latest.revision,
                latest.by,
                who::ago(&latest.created)
            ),
        });
    }
    let mut earlier = Vec::new();
    for header in history.baseline() {
        earlier.push(run.store.read(header.revision).await?);
    }
    Ok(earlier)
}

async fn make_plan(ctx: &Context<'_>, rendered: &Rendered, earlier: &[Record]) -> Result<Plan> {
    let earlier: Vec<&Record> = earlier.iter().collect();
    let entries = crate::release::record::merge_inventory(Vec::new(), &earlier);
    let found = live::gather(ctx, &rendered.objects, &entries).await?;
    Ok(plan(&rendered.objects, &found, &entries))
}

fn record(
    ctx: &Context<'_>,
    loaded: &Loaded,
    facts: &Facts,
    rendered: &Rendered,
    plan: &Plan,
    revision: u32,
) -> Record {
    Record {
        format: FORMAT,
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        node_namespace: facts.node_namespace.clone(),
        revision,
        bundle: BundleRef {
            name: loaded.name(),
            version: loaded.version(),
            digest: loaded.digest(),
            source: loaded.source(),
        },
        profile: loaded.profile(),
        values: loaded.user_values(),
        components: rendered
            .components
            .iter()
            .map(|c| ComponentRef {
                name: c.name.clone(),
                version: c.version.clone(),
                app_version: c.app_version.clone(),
                node_level: c.node_level,
                data_format: c.data_format,
                downgrade_to: c.downgrade_to.clone(),
                health: c.health.clone(),
            })
            .collect(),
        objects: rendered.objects.iter().map(|object| object.value().clone()).collect(),
        inventory: plan.inventory(),
        notes: rendered.notes.clone(),
    }
}

fn header(record: &Record, loaded: &Loaded, options: &Options, status: Status) -> Header {
    let now = who::now();
    Header {
        namespace: record.namespace.clone(),
        release: record.release.clone(),
        revision: record.revision,
        status: Some(status),
        status_word: status.to_string(),
        bundle: loaded.title(),
        created: now.clone(),
        updated: now,
        by: who::who(),
        description: options.description.clone().unwrap_or_else(|| "install".into()),
        node_level: record.components.iter().filter(|c| c.node_level).map(|c| c.name.clone()).collect(),
        resource_version: String::new(),
    }
}

fn report(
    ctx: &Context<'_>,
    loaded: &Loaded,
    rendered: &Rendered,
    plan: &Plan,
    revision: u32,
    status: &str,
) -> Report {
    let mut by_change: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for step in &plan.steps {
        let slot = match step.change {
            Change::Create => 0,
            Change::Update(_) => 1,
            Change::Unchanged | Change::Use => 2,
        };
        by_change.entry(slot).or_default().push(step.object.id().to_string());
    }
    let mut take = |slot| by_change.remove(&slot).unwrap_or_default();
    Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision,
        status: status.to_owned(),
        bundle: loaded.title(),
        components: rendered.components.iter().map(|c| c.name.clone()).collect(),
        created: take(0),
        updated: take(1),
        unchanged: take(2),
        pruned: plan.prune.iter().map(|entry| entry.id().to_string()).collect(),
        kept: plan.keep.iter().map(|entry| entry.id().to_string()).collect(),
        notes: rendered.notes.clone(),
    }
}

/// `namespace_made`: the release's namespace was made by this operation, before there was a plan.
fn applied_summary(plan: &Plan, namespace_made: bool) -> String {
    let (mut created, mut updated, unchanged) = plan.counts();
    if namespace_made && updated > 0 {
        (created, updated) = (created + 1, updated - 1);
    }
    let parts: Vec<String> = [(created, "created"), (updated, "updated"), (unchanged, "unchanged")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    if parts.is_empty() { "nothing to do".into() } else { parts.join(", ") }
}

fn done(ctx: &Context<'_>, phase: Phase, summary: String, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    ctx.observer.event(Event::PhaseDone { phase, summary, seconds });
}
