//! Requests that have no answer yet: what an operation was waiting for when its deadline passed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Cluster;
use super::call::{Call, Subject};
use crate::object::Kind;

/// A shorter wait is none.
const WAITING: Duration = Duration::from_secs(1);

/// The requests that are under way, by the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    requests: Mutex<(u64, BTreeMap<u64, Request>)>,
}

#[derive(Debug)]
struct Request {
    subject: Subject,
    writes: bool,
    since: Instant,
}

/// A request of an operation that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// `patch ConfigMap obs/x`
    pub what: String,
    /// What it writes: admission is asked about it.
    pub written: Option<Kind>,
    /// For how long.
    pub since: Duration,
}

/// Ends with the request.
pub(super) struct UnderWay<'a> {
    all: &'a Outstanding,
    number: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut requests = self.all.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.1.remove(&self.number);
    }
}

impl Outstanding {
    pub fn add(&self, call: &Call) -> UnderWay<'_> {
        let request = Request {
            subject: call.subject.clone(),
            writes: call.method != http::Method::GET,
            since: Instant::now(),
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.0 += 1;
        let number = requests.0;
        requests.1.insert(number, request);
        UnderWay { all: self, number }
    }
}

impl Cluster {
    /// The requests that have waited for their answer for a second or more, the oldest first.
    pub fn unanswered(&self) -> Vec<Unanswered> {
        let requests = self.inner.outstanding.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let old = requests.1.values().filter(|request| request.since.elapsed() >= WAITING);
        old.map(|request| Unanswered {
            what: format!("{} {}", request.subject.verb, request.subject),
            written: request.subject.kind.clone().filter(|_| request.writes),
            since: request.since.elapsed(),
        })
        .collect()
    }
}
