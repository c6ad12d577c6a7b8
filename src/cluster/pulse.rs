//! Notices that the whole process stood still (SIGSTOP, a suspended machine), while a lock is held.
//! What a connection was about to send then is not sent any more: a request is handed from task to task
//! on its way to the socket, and only the last of them knows whether it is still in time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::lease::uptime;

/// How often a process that runs shows that it does.
const EVERY: Duration = Duration::from_secs(1);
/// One that did not for as long stood still. Half of the time for which a lock is trusted.
const PAUSE: Duration = Duration::from_secs(5);

/// The process's.
static PULSE: Pulse = Pulse::new();

struct Pulse {
    /// Locks that are held; without one nobody cares.
    holders: AtomicUsize,
    /// When it was felt last, in milliseconds of the machine's time.
    last: AtomicU64,
    /// How often it was missed.
    pauses: AtomicU64,
}

impl Pulse {
    const fn new() -> Self {
        Self { holders: AtomicUsize::new(0), last: AtomicU64::new(0), pauses: AtomicU64::new(0) }
    }

    fn begin(&self, now: Duration) {
        if self.holders.fetch_add(1, Ordering::SeqCst) == 0 {
            self.last.store(millis(now), Ordering::SeqCst);
        }
    }

    fn end(&self) {
        self.holders.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many pauses there were until now.
    fn feel(&self, now: Duration) -> u64 {
        if self.holders.load(Ordering::SeqCst) > 0 {
            let now = millis(now);
            let last = self.last.fetch_max(now, Ordering::SeqCst);
            if now.saturating_sub(last) >= millis(PAUSE) {
                self.pauses.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.pauses.load(Ordering::SeqCst)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// While it lives, pauses are noticed.
pub(super) struct Watched(JoinHandle<()>);

impl Watched {
    /// Needs a runtime.
    pub fn begin() -> Self {
        PULSE.begin(uptime());
        Self(tokio::spawn(async {
            loop {
                tokio::time::sleep(EVERY).await;
                PULSE.feel(uptime());
            }
        }))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.abort();
        PULSE.end();
    }
}

/// Runs the tasks of connections. One that was there before a pause ends with it, before it sends
/// anything more; who waits for it is told that the connection broke.
#[derive(Clone, Copy)]
pub(super) struct WhileAwake;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for WhileAwake {
    fn execute(&self, task: F) {
        let began = PULSE.feel(uptime());
        tokio::spawn(async move {
            let mut task = std::pin::pin!(task);
            std::future::poll_fn(|context| match PULSE.feel(uptime()) == began {
                true => task.as_mut().poll(context),
                false => Poll::Ready(()),
            })
            .await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_noticed_once_by_whoever_comes_first() {
        let pulse = Pulse::new();
        let at = Duration::from_secs;
        assert_eq!(pulse.feel(at(100)), 0);
        assert_eq!(pulse.feel(at(200)), 0, "nobody holds a lock");
        pulse.begin(at(200));
        for second in 200..230 {
            assert_eq!(pulse.feel(at(second)), 0);
        }
        assert_eq!(pulse.feel(at(245)), 1);
        assert_eq!(pulse.feel(at(245)), 1);
        // one lock ends, another one goes on
        pulse.begin(at(246));
        pulse.end();
        assert_eq!(pulse.feel(at(260)), 2);
        pulse.end();
        assert_eq!(pulse.feel(at(300)), 2);
    }
}
