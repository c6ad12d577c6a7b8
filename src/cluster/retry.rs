//! Which failures are tried again, how often and for how long. Every request but probes goes
//! through [`run`]; kube's own retry is off, because it can hang for minutes.
//!
//! Bounded by time: delays of 100 ms doubling to 5 s with jitter, Retry-After honoured up to 30 s,
//! at most 60 s per request and never beyond the operation's deadline. Tried again are 429, 502,
//! 503, 504, those 500s that say they are temporary, lost connections and cut-off answers. A 500
//! that does not explain itself is believed after a few attempts. A cluster that has not answered
//! yet in this run gets one quick second attempt: a wrong address should be reported at once.

#[cfg(test)]
mod tests;

use std::time::Duration;

use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::Cluster;
use super::call::Call;
use super::errors::{Failure, Reason, Transport, is_invalid, webhook_is_away};
use super::lease::Fence;
use super::send::{self, Answer};

/// Delay before the second attempt.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Delays do not grow beyond this.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// A server may ask for more patience than our own delays, but not for more than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// No attempt begins later than this after the first.
const BUDGET: Duration = Duration::from_secs(60);
/// An attempt that begins shortly before that still gets a chance.
const SHORTEST_LIMIT: Duration = Duration::from_secs(5);
/// A server that fails without saying why means it when it has said so this often.
const BELIEVED: u32 = 5;

/// A successful answer; `T` is what its body is read as.
#[derive(Debug)]
pub(super) struct Reply<T = Value> {
    /// The HTTP status code, 200 to 299.
    pub status: u16,
    /// The server's clock in seconds since 1970, where it said so.
    pub date: Option<i64>,
    /// The body; the default for text.
    pub value: T,
    /// The body of a text answer.
    pub text: Vec<u8>,
    /// May an earlier attempt have been carried out without our seeing its answer?
    pub uncertain: bool,
    /// From the first attempt to the answer.
    pub elapsed: Duration,
}

/// How one attempt ended.
enum Outcome<T> {
    Done(T),
    /// Not done. `again`: may succeed a moment later, with the server's wish for a delay.
    /// `sent`: the server may have done it nevertheless.
    Failed {
        reason: Reason,
        again: Again,
        after: Option<Duration>,
        sent: bool,
    },
}

/// Can the same request succeed a moment later?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    /// Nobody knows: [`BELIEVED`] attempts.
    Perhaps,
    Yes,
}

impl From<bool> for Again {
    fn from(again: bool) -> Self {
        if again { Self::Yes } else { Self::No }
    }
}

/// Sends `call` until it succeeds, is refused, or the time is over.
pub(super) async fn run<T: DeserializeOwned + Default>(
    cluster: &Cluster,
    call: &Call,
) -> Result<Reply<T>, Failure> {
    let fence = cluster.fence(call);
    let _under_way = cluster.inner.outstanding.add(call);
    let attempt = |limit| {
        let fence = fence.as_deref();
        async move {
            let client = cluster.inner.connections.client();
            let sent = send::send(&client, call, limit);
            let sent = match fence {
                Some(fence) => fence.guard(sent).await,
                None => Some(sent.await),
            };
            match sent {
                Some(Ok(answer)) => judge(answer, call),
                Some(Err(transport)) => lost(transport),
                None => lost(Transport::dropped()),
            }
        }
    };
    let (mut reply, uncertain, elapsed) = repeat(cluster, fence.as_deref(), attempt).await?;
    reply.uncertain = uncertain;
    reply.elapsed = elapsed;
    Ok(reply)
}

/// Opens a stream (a watch) by the same rules; what happens on it is the caller's.
pub(super) async fn open(cluster: &Cluster, call: &Call) -> Result<Body, Failure> {
    let attempt = |limit| async move {
        match send::open(&cluster.inner.connections.client(), call, limit).await {
            Ok(Ok(body)) => Outcome::Done(body),
            Ok(Err(answer)) => refused(answer, call),
            Err(transport) => lost(transport),
        }
    };
    Ok(repeat(cluster, None, attempt).await?.0)
}

/// Repeats `attempt` by the policy above, and only while the lock is ours, where one is needed. Also
/// says whether an earlier attempt may have been carried out, and how long all took.
async fn repeat<T, F>(
    cluster: &Cluster,
    fence: Option<&Fence>,
    attempt: impl Fn(Duration) -> F,
) -> Result<(T, bool, Duration), Failure>
where
    F: Future<Output = Outcome<T>>,
{
    let started = Instant::now();
    let end = cluster.deadline.map_or(started + BUDGET, |deadline| deadline.min(started + BUDGET));
    let (mut attempts, mut unexplained, mut uncertain) = (0, 0, false);
    let timed_out = || cluster.deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let mut last = None;
    let failure =
        |reason, attempts, uncertain| Failure { reason, attempts, elapsed: started.elapsed(), uncertain };
    loop {
        let left = cluster.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(failure(Reason::Deadline, attempts, uncertain));
        }
        if let Some(fence) = fence
            && let Err(lost) = fence.held(end).await
        {
            // what keeps the request from the server kept the renewal from it, too
            let reason = match last {
                _ if fence.is_lost() => Reason::LockLost(Box::new(lost)),
                _ if timed_out() => Reason::Deadline,
                Some(last) => last,
                None => Reason::LockLost(Box::new(lost)),
            };
            return Err(failure(reason, attempts, uncertain));
        }
        attempts += 1;
        let rest = end.saturating_duration_since(Instant::now()).max(SHORTEST_LIMIT);
        let limit = cluster.inner.attempt_limit.min(rest).min(left.unwrap_or(Duration::MAX));
        let (reason, again, after, sent) = match attempt(limit).await {
            Outcome::Done(done) => {
                cluster.inner.mark_reached();
                return Ok((done, uncertain, started.elapsed()));
            }
            Outcome::Failed { reason, again, after, sent } => (reason, again, after, sent),
        };
        match &reason {
            Reason::Status(_) => cluster.inner.mark_reached(),
            // its connection may have been dead for long, and others with it
            Reason::Transport(transport) if transport.is_slow() => cluster.forget_connections(),
            _ => {}
        }
        unexplained += u32::from(again == Again::Perhaps);
        let hopeless = again == Again::No || unexplained >= BELIEVED;
        uncertain |= again != Again::No && sent;
        if hopeless || gives_up_at_first_contact(cluster, &reason, attempts) {
            return Err(failure(reason, attempts, uncertain));
        }
        let delay = delay(attempts, after);
        if Instant::now() + delay >= end {
            let reason = if timed_out() { Reason::Deadline } else { reason };
            return Err(failure(reason, attempts, uncertain));
        }
        last = Some(reason);
        tokio::time::sleep(delay).await;
    }
}

/// One attempt, for probes, whose point is to find out now.
pub(super) async fn once(cluster: &Cluster, call: &Call, limit: Duration) -> Result<Reply, Failure> {
    let started = Instant::now();
    let outcome = match send::send(&cluster.inner.connections.client(), call, limit).await {
        Ok(answer) => judge(answer, call),
        Err(transport) => lost(transport),
    };
    match outcome {
        Outcome::Done(reply) => Ok(reply),
        Outcome::Failed { reason, sent, .. } => {
            Err(Failure { reason, attempts: 1, elapsed: started.elapsed(), uncertain: sent })
        }
    }
}

/// Before the first answer of this run a failure is more likely a wrong address than an outage.
fn gives_up_at_first_contact(cluster: &Cluster, reason: &Reason, attempts: u32) -> bool {
    if cluster.inner.was_reached() {
        return false;
    }
    match reason {
        Reason::Transport(transport) => attempts > 1 || transport.is_slow(),
        Reason::Foreign { .. } => attempts > 1,
        Reason::Status(_) | Reason::Deadline | Reason::LockLost(_) => false,
    }
}

/// How long to wait after the given number of attempts.
pub(super) fn delay(attempts: u32, wished: Option<Duration>) -> Duration {
    let backoff = LONGEST_DELAY.min(FIRST_DELAY * 2u32.saturating_pow(attempts.saturating_sub(1).min(10)));
    // between half and all of it, so that many clients do not come back together
    let backoff = backoff.mul_f64(rand::random_range(0.5..=1.0));
    backoff.max(wished.unwrap_or_default().min(LONGEST_RETRY_AFTER))
}

fn judge<T: DeserializeOwned + Default>(answer: Answer, call: &Call) -> Outcome<Reply<T>> {
    if !answer.is_success() {
        return refused(answer, call);
    }
    let Answer { status, date, body, .. } = answer;
    let reply = |value, text| Reply { status, date, value, text, uncertain: false, elapsed: Duration::ZERO };
    if call.text {
        return Outcome::Done(reply(T::default(), body));
    }
    match serde_json::from_slice(&body) {
        Ok(value) => Outcome::Done(reply(value, Vec::new())),
        // JSON that ends too early was cut off by something on the way
        Err(error) if error.is_eof() && !body.is_empty() => lost(Transport::cut_off()),
        Err(_) => {
            let body = String::from_utf8_lossy(&body).into_owned();
            let reason = Reason::Foreign { code: status, body };
            Outcome::Failed { reason, again: Again::No, after: None, sent: true }
        }
    }
}

fn refused<T>(answer: Answer, call: &Call) -> Outcome<T> {
    let after = answer.retry_after;
    let sent = answer.status >= 500;
    match answer.failure().or_else(|| answer.unserved(call)) {
        Some(status) => {
            let wished = status.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0);
            let after = after.or(wished.map(|s| Duration::from_secs(s.into())));
            let again = if is_unexplained(&status) { Again::Perhaps } else { is_transient(&status).into() };
            Outcome::Failed { reason: Reason::Status(Box::new(status)), again, after, sent }
        }
        None => {
            let again = matches!(answer.status, 429 | 502..=504).into();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            Outcome::Failed { reason: Reason::Foreign { code: answer.status, body }, again, after, sent }
        }
    }
}

fn lost<T>(transport: Transport) -> Outcome<T> {
    let (again, sent) = (transport.is_transient().into(), transport.sent);
    Outcome::Failed { reason: Reason::Transport(transport), again, after: None, sent }
}

/// Does the API server say that the same request can succeed a moment later?
fn is_transient(status: &Status) -> bool {
    match status.code {
        429 | 502 | 503 | 504 => true,
        // a write of ours that raced with a controller's inside the server (quota, status)
        409 => {
            status.reason == "Conflict"
                && status.message.contains("Operation cannot be fulfilled on resourcequotas")
        }
        // admission webhooks that cannot be called come as 500, but also as 403 from some proxies
        500 => status.reason == "ServerTimeout" || says_temporary(&status.message),
        _ => false,
    }
}

/// A fault of the server itself that says neither that it passes nor whose it is.
fn is_unexplained(status: &Status) -> bool {
    let explained = is_transient(status) || is_invalid(status) || status.message.contains("webhook");
    status.code == 500 && !explained
}

/// Texts of 500s that pass: etcd without a leader, slow etcd, webhooks that restart, quota
/// evaluation under load.
fn says_temporary(message: &str) -> bool {
    const TEXTS: [&str; 12] = [
        "etcdserver: leader changed",
        "etcdserver: no leader",
        "etcdserver: request timed out",
        "etcdserver: too many requests",
        "raft proposal dropped",
        "code = Unavailable",
        "context deadline exceeded",
        "resource quota evaluation timed out",
        "connection reset by peer",
        "http2: client connection lost",
        "transport is closing",
        "is currently unable to handle the request",
    ];
    webhook_is_away(message)
        || (TEXTS.iter().any(|text| message.contains(text)) && !message.contains("failed calling webhook"))
}
