//! What keeps a holder that was suspended or cut off from writing on: every attempt at a write, the
//! first one and those after a failure, begins only while the lock is known to be ours. Kubernetes
//! itself would take the write of anybody. What has a connection already when the process is suspended
//! is for [`crate::cluster::pulse`].

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::TRUST;
use super::renewal::{Shared, now};
use crate::cluster::call::Call;
use crate::{Error, Result};

/// The state of a lock that is held, for those who write under it.
pub(in crate::cluster) struct Fence {
    pub(super) release: String,
    pub(super) shared: Arc<Shared>,
    /// Why the lock is not ours any more.
    pub(super) lost: watch::Receiver<Option<String>>,
}

impl Fence {
    /// Is this a request that must not be sent without the lock? The lock itself is.
    pub fn is_about(call: &Call) -> bool {
        let lock = call.subject.kind.as_ref().is_some_and(|kind| kind.plural == "leases");
        call.method != http::Method::GET && !lock
    }

    /// May we still write? An error when somebody else has the lock, or when the last renewal is so old
    /// that somebody may.
    pub fn check(&self) -> Result<()> {
        if let Some(why) = &*self.lost.borrow() {
            return Err(self.error(why));
        }
        match self.age() {
            age if age < TRUST => Ok(()),
            age => Err(self.error(&format!("it could not be renewed for {}s", age.as_secs()))),
        }
    }

    /// Waits until we may write: during an outage the lock gets old as well, and is ours again when it is
    /// renewed after it. An error when it is lost, or not renewed before `end`.
    pub async fn held(&self, end: Instant) -> Result<()> {
        let (mut lost, mut renewals) = (self.lost.clone(), self.shared.renewals.subscribe());
        while self.check().is_err() && !self.is_lost() {
            tokio::select! {
                _ = renewals.changed() => {}
                // whose renewal has ended is not renewed any more
                told = lost.changed() => if told.is_err() { break },
                () = tokio::time::sleep_until(end) => break,
            }
        }
        self.check()
    }

    /// Is it known that somebody else has it, or that it is gone?
    pub fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// Works only while we may write: after a pause of the whole process what was about to be sent is
    /// dropped. None then; the request may have been sent.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| match self.check() {
            Ok(()) => work.as_mut().poll(context).map(Some),
            Err(_) => Poll::Ready(None),
        })
        .await
    }

    /// The error for a lock that is lost.
    pub fn error(&self, why: &str) -> Error {
        Error::failed(format!("the lock of release {} is lost: {why}", self.release))
            .hint("nothing more is written; run the command again: it continues from here")
    }

    /// Since the last successful renewal was asked for.
    fn age(&self) -> Duration {
        now().saturating_sub(self.shared.renewed_at())
    }
}
