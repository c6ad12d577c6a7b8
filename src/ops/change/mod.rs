//! One operation that gives a release a new revision: install, upgrade, rollback. In the order of
//! the design: read → render → plan → confirm → namespace → lock → (plan again, if anything
//! moved) → checks → intent → apply → prune → wait → health → `deployed`.
//!
//! ```text
//!  read: history, records, key ─► Goal (a bundle's render, or a record) ─► look: live, plan
//!      ─► nothing to do? │ preview, confirm ─► lock ─► carry_out ─► finish │ back out
//! ```

mod advice;
mod aim;
mod carry_out;
mod describe;
mod found;
mod goal;
mod look;
mod partial;
pub mod plan_file;
pub mod preview;
mod report;
mod undo;

use std::time::Duration;

use tokio::time::Instant;

pub use aim::{Aim, Upgrade};
pub use goal::{Goal, Target};
pub use look::{Look, Seen, read};
pub use plan_file::PlanFile;
pub use preview::Preview;
pub use report::{Helm, Report};

use super::run::Run;
use super::{Context, live, namespace, preflight};
use crate::error::{Error, Result};
use crate::event::{Event, Phase, Start};
use crate::release::{Revision, Status};

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

/// How to find out what would happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// By reading alone: what changes is a prediction.
    Client,
    /// By asking the server what it would make of what changes, where the user may; else by reading.
    Diff,
    /// By asking the server about every object, and making all checks.
    Server,
}

/// What is done to the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Its first revision, or the continuation of an install that failed.
    Install,
    /// Another bundle or other values.
    Upgrade,
    /// The content of an earlier revision.
    Rollback(Revision),
    /// Some components as an earlier revision had them.
    Undo {
        /// That revision.
        to: Revision,
        /// Their names.
        components: Vec<String>,
    },
}

impl Verb {
    /// As a person types it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback(_) | Self::Undo { .. } => "rollback",
        }
    }

    /// The state of its revision while it runs.
    pub fn pending(&self) -> Status {
        match self {
            Self::Install => Status::PendingInstall,
            Self::Upgrade => Status::PendingUpgrade,
            Self::Rollback(_) | Self::Undo { .. } => Status::PendingRollback,
        }
    }
}

/// How to do it.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far to wait.
    pub wait: WaitFor,
    /// How long it may take; what a failure undoes has the same time again.
    pub timeout: Duration,
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// Show the plan only.
    pub dry_run: Option<DryRun>,
    /// What the revision is for; made from what changes when absent.
    pub description: Option<String>,
    /// Revisions to keep; 0 keeps all.
    pub history_max: usize,
    /// Take over objects that are not ours.
    pub adopt: bool,
    /// Take fields back that people set with kubectl or Helm.
    pub force_conflicts: bool,
    /// Objects that may be deleted and made anew, as `KIND/NAME`.
    pub recreate: Vec<String>,
    /// Leave volume claims that are larger than wanted at their size.
    pub keep_claim_sizes: bool,
    /// Components whose data may be lost to an older format.
    pub accept_data_loss: Vec<String>,
    /// Ask before anything is changed, whatever the plan.
    pub always_ask: bool,
    /// Return to what was deployed before when the operation fails.
    pub rollback_on_failure: bool,
    /// Make the plan for a file: the report holds it.
    pub plan_out: bool,
    /// Carry out this plan and no other.
    pub expected: Option<PlanFile>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wait: WaitFor::Healthy,
            timeout: Duration::from_secs(600),
            lock_timeout: Duration::ZERO,
            dry_run: None,
            description: None,
            history_max: 10,
            adopt: false,
            force_conflicts: false,
            recreate: Vec::new(),
            keep_claim_sizes: false,
            accept_data_loss: Vec::new(),
            always_ask: false,
            rollback_on_failure: false,
            plan_out: false,
            expected: None,
        }
    }
}

/// Asked with what will happen; an error ends the operation before anything is changed.
pub type Confirm<'a> = &'a (dyn Fn(&Preview) -> Result<()> + Sync);

/// Carries the operation out.
pub async fn run(ctx: Context<'_>, aim: &Aim<'_>, options: &Options, confirm: Confirm<'_>) -> Result<Report> {
    let begun = Instant::now();
    let seen = match ctx.or(read(&ctx)).await {
        Ok(seen) => seen,
        Err(error) => return Err(ctx.or(async { Ok(look::unreadable(&ctx, aim, error).await) }).await?),
    };
    let target = ctx.or(aim.target(&ctx, &seen)).await?;
    started(&ctx, &seen, &target.0, &target.1.title());
    // a bundle that does not render fails before anything is written
    let look = ctx.or(look::look(&ctx, seen, target, options)).await?;
    let traces = look.traces.clone();
    let hidden = |error: Error| error.with_texts(|text| traces.sentence(text));
    live::tell_what_is_no_longer_served(&ctx, &look.around.earlier).await?;
    if options.dry_run.is_some() {
        return ctx.or(planned(&ctx, look, options, begun)).await.map_err(hidden);
    }
    if let Some(expected) = &options.expected {
        expected.fits(&look)?;
    }
    let nothing_to_do = look.nothing_to_do();
    if nothing_to_do && look.seen.is_tidy() {
        done(&ctx, Phase::Checked, preflight::compared(&look.plan), begun);
        return Ok(report::unchanged(&ctx, &look));
    }
    if look.verb == Verb::Install && !nothing_to_do {
        aim::refuse_deployed(&ctx, &look.seen.history)?;
    }
    // what belongs to others is refused before the namespace is made
    preflight::refuse_what_is_taken(&look.plan)?;
    let preview = Preview::of(&look);
    if let Some(message) = preview.into_used_namespace() {
        ctx.observer.event(Event::Warning { message });
    }
    let found = ctx.or(async { Ok(found::warnings(&ctx, &look.goal.objects).await) }).await?;
    for message in advice::advice(&look).into_iter().chain(found) {
        ctx.observer.event(Event::Warning { message });
    }
    let asked = (options.always_ask && !nothing_to_do) || preview.wants_an_answer();
    if asked {
        // what cannot be done is refused before anybody is asked
        let obstacle = preflight::obstacles(&look.plan).next();
        obstacle.map_or(Ok(()), |error| Err(look.goal.explain_translations(error)))?;
        confirm(&preview)?;
    }

    let own = look.goal.namespace_object(&ctx)?;
    let absent = !look.around.live.contains_key(&own.id());
    let (state, made) = ctx.or(namespace::ensure(&ctx, own.value(), absent)).await?;
    let made_now = state.made_now;
    let mut run = Run::begin(ctx, look.verb.word(), options.lock_timeout).await?;
    run.undo = options.rollback_on_failure;
    // boxed: what undoes a failure runs all this once more on the same stack
    let result = run
        .guard(Box::pin(async {
            let look = look::again(&run, look, aim, options, asked, made).await?;
            if asked {
                let now = Preview::of(&look);
                if !now.says_the_same(&preview) {
                    // the cluster changed while the question was open
                    confirm(&now)?;
                }
            }
            if let Some(expected) = &options.expected {
                expected.fits(&look)?;
            }
            if look.nothing_to_do() {
                run.store.sweep(&look.seen.history, &look.seen.chunks).await?;
                // what a killed operation left at its very end
                carry_out::settle(&run, look.seen.unsettled()).await?;
                done(&ctx, Phase::Checked, preflight::compared(&look.plan), begun);
                return Ok(report::unchanged(&ctx, &look));
            }
            // what is written down is put together while the server is asked
            let draft = carry_out::draft(&run, &look);
            let subject = look.subject(Some(&state), true);
            let checked = async {
                preflight::check(&ctx, &subject).await.map_err(|error| look.goal.explain_translations(error))
            };
            tokio::try_join!(run.store.sweep(&look.seen.history, &look.seen.chunks), checked)?;
            done(&ctx, Phase::Checked, preflight::summary(&look.plan), begun);
            let header = carry_out::intent(&run, &look, options, draft).await?;
            let ready_after = carry_out::carry_out(&run, &look, options, made_now).await?;
            carry_out::finish(&run, &look, &header, ready_after).await?;
            let mut report = report::report(&ctx, &look, header.revision, Status::Deployed.as_str());
            report.helm = report::helm(&ctx, &look).await;
            Ok(report)
        }))
        .await
        .map_err(hidden);

    let intent = run.intent();
    let result = run.epilogue(result).await;
    if let (Err(error), Some(intent), true) = (&result, &intent, options.rollback_on_failure) {
        return Err(undo::undo(ctx, intent, error, options).await);
    }
    if result.is_err() && made_now && intent.is_none() {
        // the namespace was made for this operation alone; the error stays the one to report
        let patience = Duration::from_secs(10);
        let _ =
            tokio::time::timeout(patience, namespace::remove_if_empty(&ctx, ctx.namespace.as_str())).await;
    }
    result
}

/// Says that the operation begins.
fn started(ctx: &Context<'_>, seen: &Seen, verb: &Verb, bundle: &str) {
    ctx.observer.event(Event::Started(Start {
        operation: verb.word().into(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        bundle: Some(bundle.to_owned()),
        cluster: ctx.cluster.name().to_owned(),
        kubernetes: seen.version.text.clone(),
    }));
    ctx.observer.event(Event::PhaseStarted { phase: Phase::Checked, total: None });
}

/// A dry-run: the plan, and with `server` the server's opinion of it.
async fn planned(ctx: &Context<'_>, look: Look, options: &Options, begun: Instant) -> Result<Report> {
    let server = options.dry_run == Some(DryRun::Server);
    if server || options.dry_run == Some(DryRun::Client) && look.verb == Verb::Install {
        let state = namespace::read(ctx, ctx.namespace.as_str()).await?;
        let checked = preflight::check(ctx, &look.subject(state.as_ref(), server)).await;
        checked.map_err(|error| look.goal.explain_translations(error))?;
    }
    done(ctx, Phase::Checked, preflight::compared(&look.plan), begun);
    let mut report = report::report(ctx, &look, 0, "planned");
    if options.plan_out {
        report.plan_file = Some(PlanFile::of(&look)?);
    }
    report.preview = Some(Preview::of(&look));
    Ok(report)
}

fn done(ctx: &Context<'_>, phase: Phase, summary: String, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    ctx.observer.event(Event::PhaseDone { phase, summary, seconds });
}
