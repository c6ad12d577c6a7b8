//! The writing half: the intent, apply, prune, wait, health, and the end of the revision.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Look, Options, WaitFor, describe, done};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::Object;
use crate::ops::apply::{self, Random};
use crate::ops::health::since::Touched;
use crate::ops::reload::{Reload, Source, Starts};
use crate::ops::run::Run;
use crate::ops::wait::Evidence;
use crate::ops::{Context, claims, health, live, pace, prune, reload, wait, who};
use crate::plan::{Change, Plan, Step};
use crate::release::codec::{self, Encoded};
use crate::release::{Header, ReadyAfter, Status};
use crate::words::count;

/// Begins to put the next revision's record into the form in which it is stored, beside what else is
/// done.
pub fn draft(run: &Run<'_>, look: &Look) -> JoinHandle<Result<Encoded, String>> {
    let record = look.goal.record(&run.ctx, look.seen.history.next(), look.plan.inventory());
    tokio::task::spawn_blocking(move || codec::encode(&record))
}

/// Writes the intent: from here on a crash leaves what the next command continues. Then drops the
/// revisions that are too many: what they made is in the new inventory.
pub async fn intent(
    run: &Run<'_>,
    look: &Look,
    options: &Options,
    draft: JoinHandle<Result<Encoded, String>>,
) -> Result<Header> {
    let ctx = &run.ctx;
    let encoded = draft.await.map_err(|_| Error::failed("the record could not be put together"))?;
    let encoded = encoded.map_err(|why| {
        Error::usage(format!("the record of this revision {why}; nothing was changed"))
            .hint("values and objects are in it: install some components as a release of their own")
    })?;
    if look.seen.key.is_none() {
        run.lock.still_held()?;
        run.store.write_key(&look.facts.hmac_key).await?;
    }
    let now = who::now();
    let status = look.verb.pending();
    let description = options.description.clone().unwrap_or_else(|| describe::describe(look));
    let header = Header {
        namespace: ctx.namespace.to_string(),
        release: ctx.release.to_string(),
        revision: look.seen.history.next(),
        status: Some(status),
        status_word: status.to_string(),
        bundle: format!("{} {}", look.goal.bundle.name, look.goal.bundle.version),
        created: now.clone(),
        updated: now,
        by: who::who(),
        description,
        node_level: look.goal.components.iter().filter(|c| c.node_level).map(|c| c.name.clone()).collect(),
        ready_after: ReadyAfter::new(),
        resource_version: String::new(),
    };
    run.lock.still_held()?;
    let header = run.store.write(&encoded, &header).await?;
    run.intent_written(header.clone());
    for old in look.seen.history.surplus(options.history_max) {
        run.lock.still_held()?;
        run.store.remove(old.revision).await?;
    }
    Ok(header)
}

/// Apply, prune, wait, health; gives how long components took to become ready. `namespace_made`: the
/// release's namespace was made by this operation, before there was a plan.
pub async fn carry_out(
    run: &Run<'_>,
    look: &Look,
    options: &Options,
    namespace_made: bool,
) -> Result<ReadyAfter> {
    let (ctx, plan) = (&run.ctx, &look.plan);
    if !plan.first.is_empty() {
        prune::prune(run, &plan.first, Phase::Applied).await?;
    }
    let mut before = Before::look(run, look, options).await?;
    let begun = Instant::now();
    let total = Some(plan.steps.len());
    ctx.observer.event(Event::PhaseStarted { phase: Phase::Applied, total });
    let applied = apply::apply(run, plan, &Random).await?;
    done(ctx, Phase::Applied, applied_summary(plan, namespace_made), begun);
    if !plan.prune.is_empty() {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Pruned, total: Some(plan.prune.len()) });
        prune::prune(run, &plan.prune, Phase::Pruned).await?;
        done(ctx, Phase::Pruned, format!("{} removed", plan.prune.len()), begun);
    }
    let stopwatch = pace::Stopwatch::new(ctx.observer);
    let mut reloaded = Vec::new();
    if options.wait != WaitFor::Nothing {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Ready, total: None });
        let growing: Vec<_> = plan.steps.iter().flat_map(|step| step.grow.clone()).collect();
        claims::wait_grown(ctx, &growing, ctx.deadline).await?;
        let source = source(look, options);
        run.lock.still_held()?;
        before.starts.renew(ctx).await;
        reload::nudge(ctx, &mut before.reloads).await;
        pace::tell(ctx, &look.seen.history);
        let timed = Context { observer: &stopwatch, ..*ctx };
        let components = ready(&timed, look, &before, source).await?;
        reloaded = reload::verify(ctx, &before.reloads, source).await?;
        done(ctx, Phase::Ready, count(components, "component"), begun);
    }
    live::verify(run, plan, &applied).await?;
    if options.wait == WaitFor::Healthy && look.goal.components.iter().any(|c| !c.health.is_empty()) {
        let begun = Instant::now();
        ctx.observer.event(Event::PhaseStarted { phase: Phase::Healthy, total: None });
        let touched = Touched::of(plan, before.unfinished);
        let after = health::After { touched, reloads: &reloaded, up: before.up };
        let summary = health::healthy(ctx, &look.goal.components, &look.goal.node_namespace, &after).await?;
        done(ctx, Phase::Healthy, summary, begun);
    }
    Ok(stopwatch.times(plan))
}

/// What was so before the change, so that what is seen after it can be told from that.
struct Before {
    /// Was the revision before not deployed? Then nobody saw what it changed work.
    unfinished: bool,
    reloads: Vec<Reload>,
    starts: Starts,
    up: health::Up,
}

impl Before {
    async fn look(run: &Run<'_>, look: &Look, options: &Options) -> Result<Self> {
        let (ctx, plan) = (&run.ctx, &look.plan);
        let latest = look.seen.history.latest();
        let unfinished = latest.is_some_and(|header| header.status != Some(Status::Deployed));
        let up = async {
            match options.wait {
                WaitFor::Healthy if latest.is_some() => {
                    Ok(health::up_before(ctx, &look.goal.components).await)
                }
                _ => Ok(health::Up::new()),
            }
        };
        if options.wait == WaitFor::Nothing {
            return Ok(Self {
                unfinished,
                reloads: Vec::new(),
                starts: Starts::default(),
                up: health::Up::new(),
            });
        }
        let (reloads, starts, up) = tokio::try_join!(
            reload::expect(ctx, plan, unfinished),
            Starts::before(ctx, plan, unfinished),
            up
        )?;
        Ok(Self { unfinished, reloads, starts, up })
    }
}

/// The texts behind what Prometheus reads.
fn source<'a>(look: &'a Look, options: &Options) -> Source<'a> {
    let way_back = look.seen.history.deployed().is_some() && !options.rollback_on_failure;
    Source { objects: &look.goal.objects, values: &look.goal.values, way_back }
}

/// Waits until everything is ready, or a Prometheus says that it does not start with its configuration.
async fn ready(ctx: &Context<'_>, look: &Look, before: &Before, source: Source<'_>) -> Result<usize> {
    let objects = awaited(&look.plan);
    let ready = tokio::select! {
        ready = wait::ready(ctx, &objects, Evidence::New) => ready,
        refused = before.starts.refused(ctx, source) => Err(refused),
    };
    match ready {
        // a crash is told better by what was said before it
        Err(error) => Err(before.starts.look(ctx, source).await.unwrap_or(error)),
        ready => ready,
    }
}

/// Marks the revision deployed, with how long its components took, and the ones before it as what they
/// are.
pub async fn finish(run: &Run<'_>, look: &Look, header: &Header, ready_after: ReadyAfter) -> Result<()> {
    run.lock.still_held()?;
    let now = who::now();
    let header = Header { ready_after, ..header.clone() };
    run.store.set_status(&header, Status::Deployed, &header.description, &now).await?;
    // from here on the operation has succeeded, whatever becomes of the tidying
    run.ended();
    settle(run, look.seen.history.headers().iter()).await?;
    run.ctx
        .observer
        .event(Event::Release { revision: header.revision, status: Status::Deployed.to_string() });
    Ok(())
}

/// What is waited for: not a Job that did its work before and is gone, nor what others keep ready.
fn awaited(plan: &Plan) -> Vec<Object> {
    let done =
        |step: &&Step| step.change == Change::Use || step.change == Change::Unchanged && step.uid.is_none();
    plan.steps.iter().filter(|step| !done(step)).map(|step| step.object.clone()).collect()
}

/// Marks revisions that a newer one followed as what they are. An operation that was killed at its
/// very end leaves this to the next one.
pub async fn settle(run: &Run<'_>, older: impl Iterator<Item = &Header>) -> Result<()> {
    let now = who::now();
    for old in older {
        if let Some(status) = old.status.and_then(Status::once_followed) {
            run.lock.still_held()?;
            run.store.set_status(old, status, &old.description, &now).await?;
        }
    }
    Ok(())
}

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
