//! Keeps a Lease ours in the background, and knows whether it still is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fence::Fence;
use super::{HolderInfo, Place, RENEW_EVERY, renewed};
use crate::Error;
use crate::cluster::{Cluster, ReplaceError};
use crate::object::builtin;

/// One renewal may take this long before it is tried anew.
const RENEWAL_LIMIT: Duration = Duration::from_secs(4);
/// Pause after a renewal that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The background task and what it found out.
pub(super) struct Renewal {
    fence: Arc<Fence>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

/// What the task tells the others.
pub(super) struct Shared {
    /// When the last successful renewal was *asked for*: the server's 15 s began after that.
    pub renewals: watch::Sender<Duration>,
    /// The Lease as last written, or none when it is not ours any more.
    lease: Mutex<Option<Value>>,
}

impl Shared {
    /// When the last successful renewal was asked for.
    pub fn renewed_at(&self) -> Duration {
        *self.renewals.borrow()
    }
}

impl Renewal {
    /// `asked`: when the request that took the lock was sent.
    pub fn start(cluster: Cluster, place: Place, lease: Value, asked: Duration) -> Self {
        let renewals = watch::Sender::new(asked);
        let shared = Arc::new(Shared { renewals, lease: Mutex::new(Some(lease.clone())) });
        let (tell_lost, lost) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let fence = Fence { release: place.release.clone(), shared: Arc::clone(&shared), lost };
        let keeper = Keeper { cluster, place, shared, tell_lost, stopped };
        let task = tokio::spawn(keeper.keep(lease));
        Self { fence: Arc::new(fence), stop, task: Some(task) }
    }

    pub fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }

    pub async fn lost(&self) -> Error {
        let mut receiver = self.fence.lost.clone();
        let why = receiver.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => self.fence.error(&why),
            // the task ended because it was told to: nothing is lost
            None => std::future::pending().await,
        }
    }

    /// Ends the renewal; the Lease as it stands, if it is ours.
    pub async fn stop(mut self) -> Option<Value> {
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            // a renewal that is under way is waited for, so that its outcome is known
            let _ = tokio::time::timeout(RENEWAL_LIMIT + PAUSE, task).await;
        }
        lock(&self.fence.shared.lease).clone()
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Keeper {
    cluster: Cluster,
    place: Place,
    shared: Arc<Shared>,
    tell_lost: watch::Sender<Option<String>>,
    stopped: watch::Receiver<bool>,
}

impl Keeper {
    async fn keep(mut self, mut lease: Value) {
        let mut pause = RENEW_EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
            }
            let asked = now();
            pause = match self.renew(&lease).await {
                Ok(next) => {
                    *lock(&self.shared.lease) = Some(next.clone());
                    self.shared.renewals.send_replace(asked);
                    lease = next;
                    RENEW_EVERY
                }
                Err(Trouble::Passing) => PAUSE,
                Err(Trouble::Changed(live)) => {
                    lease = live;
                    Duration::ZERO
                }
                Err(Trouble::Lost(why)) => {
                    *lock(&self.shared.lease) = None;
                    self.tell_lost.send_replace(Some(why));
                    // `lost` resolves by the value; the channel must outlive it
                    let _ = self.stopped.wait_for(|stopped| *stopped).await;
                    return;
                }
            };
        }
    }

    async fn renew(&self, lease: &Value) -> Result<Value, Trouble> {
        let cluster = self.cluster.with_deadline(Instant::now() + RENEWAL_LIMIT);
        let namespace = Some(self.place.namespace.as_str());
        match cluster.replace(&builtin::leases(), namespace, &renewed(lease)).await {
            Ok(next) => Ok(next),
            Err(ReplaceError::Gone(_)) => Err(Trouble::Lost("someone deleted it".into())),
            Err(ReplaceError::Other(_)) => Err(Trouble::Passing),
            Err(ReplaceError::Conflict(_)) => {
                match cluster.get(&builtin::leases(), namespace, &self.place.name()).await {
                    Err(_) => Err(Trouble::Passing),
                    Ok(None) => Err(Trouble::Lost("someone deleted it".into())),
                    Ok(Some(live)) => {
                        let info = HolderInfo::read(&live);
                        if info.identity == self.place.holder.identity() {
                            // someone labelled it, or our own lost renewal
                            Err(Trouble::Changed(live))
                        } else {
                            Err(Trouble::Lost(format!("the release is being {info}")))
                        }
                    }
                }
            }
        }
    }
}

/// Why a renewal did not succeed.
enum Trouble {
    /// No answer; it may come yet.
    Passing,
    /// Still ours, but not as we knew it.
    Changed(Value),
    /// Not ours any more.
    Lost(String),
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // what is behind these mutexes is replaced whole, so a panic leaves nothing half-done
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that goes on while the machine sleeps: a laptop that was closed must not believe in its
/// lock (clock_gettime(2), `CLOCK_BOOTTIME`; on macOS `CLOCK_MONOTONIC` does that).
#[cfg(unix)]
pub fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    // neither is ever negative
    clock_gettime(CLOCK).try_into().unwrap_or_default()
}

#[cfg(not(unix))]
pub fn now() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
