//! `--rollback-on-failure`: after a failed upgrade the content of the last deployed revision comes
//! back, after a failed first install what was created goes again; volumes stay. The first error
//! stays the one that is reported.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::{Aim, Options, WaitFor};
use crate::error::{Error, Exit};
use crate::event::{Event, Observer, Phase};
use crate::ops::{Context, uninstall};
use crate::release::{Header, Revision};

/// Undoes the failed revision, in the same time again. Gives the first error, with what came of it.
pub async fn undo(ctx: Context<'_>, failed: &Header, error: &Error, options: &Options) -> Error {
    // who interrupts wants it to end now
    if matches!(error.exit(), Exit::Interrupted | Exit::Terminated) {
        return error.clone();
    }
    let ctx = Context { deadline: Instant::now() + options.timeout, ..ctx };
    let store = ctx.store();
    let back_to = match store.history().await {
        Ok(history) => history.deployed().map(|header| header.revision),
        Err(second) => return not_undone(error, &second),
    };
    match back_to {
        Some(revision) => roll_back(ctx, revision, failed, error, options).await,
        None => remove(ctx, error).await,
    }
}

async fn roll_back(
    ctx: Context<'_>,
    revision: Revision,
    failed: &Header,
    error: &Error,
    options: &Options,
) -> Error {
    ctx.observer.event(Event::Warning {
        message: format!("revision {} failed: rolling back to revision {revision}", failed.revision),
    });
    let options = Options {
        description: Some(format!("rollback to {revision}: revision {} failed", failed.revision)),
        wait: match options.wait {
            // it was healthy before, or nobody asked
            WaitFor::Healthy => WaitFor::Ready,
            wait => wait,
        },
        dry_run: None,
        always_ask: false,
        rollback_on_failure: false,
        ..options.clone()
    };
    let aim = Aim::Rollback(Some(revision));
    let listener = Listener { observer: ctx.observer, applied: AtomicBool::new(false) };
    let ctx = Context { observer: &listener, ..ctx };
    // boxed: the operation contains itself
    match Box::pin(super::run(ctx, &aim, &options, &|_| Ok(()))).await {
        Ok(report) => error.clone().detail(format!(
            "rolled back: revision {} has the content of revision {revision}",
            report.revision
        )),
        // what it was is there again, and was perhaps never ready
        Err(second) if listener.applied.load(Ordering::SeqCst) => error.clone().detail(format!(
            "rolled back to the content of revision {revision}, which is not ready: {}",
            second.message()
        )),
        Err(second) => not_undone(error, &second),
    }
}

/// Notes whether everything was applied, and passes on what it hears.
struct Listener<'a> {
    observer: &'a dyn Observer,
    applied: AtomicBool,
}

impl Observer for Listener<'_> {
    fn event(&self, event: Event) {
        if matches!(event, Event::PhaseDone { phase: Phase::Applied, .. }) {
            self.applied.store(true, Ordering::SeqCst);
        }
        self.observer.event(event);
    }
}

async fn remove(ctx: Context<'_>, error: &Error) -> Error {
    ctx.observer.event(Event::Warning {
        message: "the install failed: removing what it created; volumes stay".into(),
    });
    let options = uninstall::Options {
        delete_data: false,
        delete_crds: false,
        keep_history: false,
        lock_timeout: std::time::Duration::ZERO,
        dry_run: false,
    };
    match Box::pin(uninstall::uninstall(ctx, &options, &|_| Ok(()))).await {
        Ok(report) => {
            let error = error.clone().detail("removed again: nothing of the release runs");
            if report.kept.is_empty() {
                error
            } else {
                error.detail(format!("kept: {}", report.kept.join(", ")))
            }
        }
        Err(second) => not_undone(error, &second),
    }
}

fn not_undone(error: &Error, second: &Error) -> Error {
    error
        .clone()
        .detail(format!("and it could not be undone: {}", second.message()))
        .hint("kubectl obs status shows what runs; kubectl obs rollback tries again")
}
