//! One operation under the lock: takes the release's Lease, listens for Ctrl-C and the deadline,
//! and makes sure that whatever happens the record says how it ended and the lock is free.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::{Context, who};
use crate::cluster::records::Store;
use crate::cluster::{Holder, Lock};
use crate::error::{Error, Exit, Result};
use crate::event::Event;
use crate::release::{Header, Status};

/// How long an ended operation may take to write down its end.
const EPILOGUE: Duration = Duration::from_secs(10);

/// An operation that holds the release's lock.
pub struct Run<'a> {
    /// Where and for whom.
    pub ctx: Context<'a>,
    /// The release's records.
    pub store: Store,
    /// The lock.
    pub lock: Lock,
    /// Did somebody else hold it first?
    pub waited: bool,
    /// Is a failure undone afterwards?
    pub undo: bool,
    /// The pending revision, once its intent is written.
    pending: Mutex<Option<Header>>,
}

impl<'a> Run<'a> {
    /// Takes the lock. `lock_timeout` is how long to wait while somebody else holds it.
    pub async fn begin(ctx: Context<'a>, operation: &str, lock_timeout: Duration) -> Result<Run<'a>> {
        let holder = Holder::this_process(operation);
        let mut waited = false;
        // a Lease that is just being made is left to expire, or taken over at once
        let lock = ctx
            .or(Lock::acquire(
                ctx.cluster,
                ctx.namespace.as_str(),
                ctx.release.as_str(),
                holder,
                lock_timeout,
                |other| {
                    if !waited {
                        waited = true;
                        ctx.observer.event(Event::Warning {
                            message: format!("release {} is being {other}: waiting", ctx.release),
                        });
                    }
                },
            ))
            .await?;
        let store = ctx.store();
        Ok(Run { ctx, store, lock, waited, undo: false, pending: Mutex::new(None) })
    }

    /// The intent is on the cluster: from now on a failure is written to this revision.
    pub fn intent_written(&self, header: Header) {
        self.ctx
            .observer
            .event(Event::Release { revision: header.revision, status: header.status_word.clone() });
        if let Ok(mut pending) = self.pending.lock() {
            *pending = Some(header);
        }
    }

    /// The revision whose intent was written and that has not reached its end.
    pub fn intent(&self) -> Option<Header> {
        self.pending.lock().ok()?.clone()
    }

    /// The revision has reached its end: nothing is left to write down.
    pub fn ended(&self) {
        if let Ok(mut pending) = self.pending.lock() {
            *pending = None;
        }
    }

    /// Runs `body` until it ends, a signal comes or the deadline passes.
    pub async fn guard<T>(&self, body: impl Future<Output = Result<T>>) -> Result<T> {
        let mut body = Box::pin(body);
        tokio::select! {
            result = &mut body => result,
            interrupted = self.ctx.cancel.cancelled() => Err(interrupted),
            // somebody else works on the release now: not one more request
            lost = self.lock.lost() => Err(lost),
            () = tokio::time::sleep_until(self.ctx.deadline + Duration::from_secs(2)) => {
                Err(self.ctx.overdue().await)
            }
        }
    }

    /// Writes down how the operation ended and frees the lock. A cluster that does not answer any
    /// more changes nothing about the result: the record stays pending, the lock expires, and the
    /// next command repairs both.
    pub async fn epilogue<T>(self, result: Result<T>) -> Result<T> {
        let end = Instant::now() + EPILOGUE;
        let result = match result {
            Err(error) => Err(self.failed(error, end).await),
            done => done,
        };
        let _ = tokio::time::timeout_at(end, self.lock.release()).await;
        result
    }

    /// Marks the pending revision as failed, if there is one. Gives the error with what is to be
    /// said about that.
    async fn failed(&self, error: Error, end: Instant) -> Error {
        let Some(header) = self.intent() else { return error };
        let why = match error.exit() {
            Exit::Interrupted | Exit::Terminated => "interrupted".to_owned(),
            _ => error.message().to_owned(),
        };
        let written = match self.lock.still_held() {
            Ok(()) => {
                let now = who::now();
                let write = self.store.set_status(&header, Status::Failed, &why, &now);
                let silent = |_| Err(Error::failed("the cluster does not answer"));
                tokio::time::timeout_at(end, write).await.unwrap_or_else(silent)
            }
            Err(lost) => Err(lost),
        };
        let revision = header.revision;
        self.ctx.observer.event(Event::Release { revision, status: Status::Failed.to_string() });
        let mut error = error;
        if !self.undo {
            error = error.hint(format!(
                "release {} failed (revision {revision}): nothing was removed, the same command continues from here",
                self.ctx.release
            ));
        }
        match written {
            Ok(()) => error,
            Err(second) => error
                .detail(format!("revision {revision} could not be marked as failed: {}", second.message())),
        }
    }
}
