//! The operations, without a terminal: each takes options, reports [`crate::event::Event`]s to an
//! observer and returns a report. Commands turn arguments into options and print the report.

pub mod address;
pub mod alerts;
pub mod apply;
pub mod apps;
pub mod ask;
pub mod change;
pub mod claims;
pub mod components;
pub mod dashboards;
pub mod doctor;
pub mod download;
pub mod drift;
pub mod explain;
pub mod folder;
pub mod forward;
pub mod get;
pub mod health;
pub mod history;
pub mod list;
pub mod live;
pub mod load;
pub mod login;
pub mod logs;
pub mod namespace;
pub mod pace;
pub mod password;
pub mod pod;
pub mod preflight;
pub mod prune;
pub mod reload;
pub mod revision;
pub mod rollout;
pub mod run;
pub mod sandbox;
pub mod search;
pub mod source;
pub mod status;
pub mod support;
pub mod uninstall;
pub mod wait;
mod wake;
pub mod who;
pub mod why;

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::cluster::records::Store;
use crate::error::{Error, Exit, Result};
use crate::event::Observer;
use crate::release::{Namespace, ReleaseName};

/// How long is looked for the cause when the deadline has passed.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What every operation needs.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Namespace of the release.
    pub namespace: &'a Namespace,
    /// The release.
    pub release: &'a ReleaseName,
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// Ctrl-C and SIGTERM.
    pub cancel: &'a Cancel,
    /// End of the whole operation.
    pub deadline: Instant,
}

impl Context<'_> {
    /// Where the release's records are.
    pub fn store(&self) -> Store {
        Store::new(self.cluster, self.namespace.as_str(), self.release.as_str())
    }

    /// Runs something that may be left at any point: it ends early when a signal comes or the
    /// deadline passes.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        // on the heap: a whole operation is too large for the stack, several times over
        let mut work = Box::pin(work);
        let bounded = async {
            tokio::select! {
                result = &mut work => result,
                // what is under way stays so until it is told
                () = tokio::time::sleep_until(self.deadline) => Err(self.overdue().await),
            }
        };
        self.cancel.or(bounded).await
    }

    /// The deadline passed: with the oldest request that has no answer, and which webhooks and policies
    /// may keep it from one.
    pub async fn overdue(&self) -> Error {
        let error = Error::deadline("the operation did not end within its deadline");
        let Some(oldest) = self.cluster.unanswered().into_iter().next() else {
            return error.hint("give it longer with --timeout");
        };
        let error = error.detail(format!(
            "the API server has not answered for {}s: {}",
            oldest.since.as_secs(),
            oldest.what
        ));
        let admission = tokio::time::timeout(LAST_LOOK, live::admission(self)).await;
        match (admission, oldest.written) {
            (Ok(Ok(admission)), Some(kind)) if !admission.names(&kind).is_empty() => error.hint(format!(
                "it may wait for {}: look whether that answers, or give it longer with --timeout",
                admission.names(&kind).into_iter().collect::<Vec<_>>().join(" or ")
            )),
            _ => error.hint("give it longer with --timeout"),
        }
    }
}

/// Set by the first Ctrl-C or SIGTERM; a second one ends the process at once.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    terminated: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Cancel {
    /// Ctrl-C (`terminated = false`) or SIGTERM.
    pub fn cancel(&self, terminated: bool) {
        self.terminated.store(terminated, std::sync::atomic::Ordering::SeqCst);
        self.token.cancel();
    }

    /// Runs something that may be left at any point: it ends early when a signal comes.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = work => result,
            interrupted = self.cancelled() => Err(interrupted),
        }
    }

    /// Ends when a signal came, with the error that the process ends with.
    pub async fn cancelled(&self) -> Error {
        self.token.cancelled().await;
        interrupted(self.terminated.load(std::sync::atomic::Ordering::SeqCst))
    }
}

fn interrupted(terminated: bool) -> Error {
    Error::new(if terminated { Exit::Terminated } else { Exit::Interrupted }, "interrupted")
}

/// The signal that the process got, for work that cannot be left in between (see [`leave_when_told`]).
static SIGNALLED: OnceLock<bool> = OnceLock::new();

/// The process got Ctrl-C (`terminated = false`) or SIGTERM.
pub fn signalled(terminated: bool) {
    // the first one counts
    let _ = SIGNALLED.set(terminated);
}

/// Does work that blocks, on a thread that is left behind when a signal comes: for what changes
/// nothing, such as a download.
fn leave_when_told<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (done, wait) = channel();
    // who no longer listens does not want it
    std::thread::spawn(move || done.send(work()));
    loop {
        match wait.recv_timeout(LOOK_EVERY) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::failed("a thread ended early")),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(interrupted) = told() {
                    return Err(interrupted);
                }
            }
        }
    }
}

/// The first bytes of a file, or of standard input for `-`. A terminal, a pipe or a FIFO may never end: a signal
/// leaves it.
pub fn read_input(path: &std::path::Path, limit: u64) -> Result<std::io::Result<Vec<u8>>> {
    use std::io::Read;
    let path = path.to_owned();
    leave_when_told(move || {
        let mut bytes = Vec::new();
        let read = match path.to_str() {
            Some("-") => std::io::stdin().take(limit).read_to_end(&mut bytes),
            _ => std::fs::File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
        };
        read.map(|_| bytes)
    })
}

/// The error to end with, if a signal came.
fn told() -> Option<Error> {
    SIGNALLED.get().map(|terminated| interrupted(*terminated))
}

/// How often a signal is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Parses a duration as kubectl and Go write it: `90s`, `2m`, `1h30m`, `500ms`; a bare `0` too.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let bad = || Error::usage(format!("\"{text}\" is not a duration")).hint("write it as 30s, 2m or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(bad()),
            };
        rest = &rest[unit..];
    }
    // a year is longer than any operation and far from what Instant can hold
    if text.is_empty() || total > 365.0 * 86_400.0 { Err(bad()) } else { Ok(Duration::from_secs_f64(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_writes_them() {
        for (text, seconds) in [("0", 0.0), ("30s", 30.0), ("1h30m", 5400.0), ("500ms", 0.5), ("1.5m", 90.0)]
        {
            assert_eq!(parse_duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for text in ["", "10", "s", "5x", "-1s", "1m2", "9999999h"] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.message(), format!("\"{text}\" is not a duration"));
        }
    }
}
