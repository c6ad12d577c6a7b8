//! What can become of a request on its way.

use std::fmt;
use std::time::Duration;

use serde_json::json;

/// What becomes of one request.
pub enum Fault {
    /// It goes through.
    Pass,
    /// The proxy answers; the server never sees it.
    Answer(Refusal),
    /// The proxy answers with this text; the server never sees it.
    Text(String),
    /// The connection is reset; the server never sees it.
    Reset,
    /// The server does it, and the answer breaks off in the middle.
    Truncate,
    /// It goes through after a pause.
    Delay(Duration),
    /// The server does it; then this is called, and the answer never comes.
    Withhold(Box<dyn FnOnce() + Send>),
    /// The server does it; then this is called, and then the answer comes.
    Then(Box<dyn FnOnce() + Send>),
    /// Nothing ever comes; the server never sees it.
    Hang,
    /// A watch ends after what comes first. Other requests go through.
    Cut,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Answer(refusal) => write!(f, "{} {}", refusal.code, refusal.reason),
            Self::Text(_) => f.write_str("another answer"),
            Self::Reset => f.write_str("connection reset"),
            Self::Truncate => f.write_str("truncated answer"),
            Self::Delay(time) => write!(f, "{time:?} delay"),
            Self::Withhold(_) => f.write_str("withheld answer"),
            Self::Then(_) => f.write_str("something happens after it"),
            Self::Hang => f.write_str("hang"),
            Self::Cut => f.write_str("watch cut"),
        }
    }
}

/// A refusal in the words of an API server.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: &'static str,
    /// The Retry-After header, in seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// The server's flow control has no seat free.
    pub const BUSY: Self = Self {
        code: 429,
        reason: "TooManyRequests",
        message: "too many requests, please try again later",
        retry_after: Some(1),
    };
    /// Something in the server failed.
    pub const INTERNAL: Self = Self {
        code: 500,
        reason: "InternalError",
        message: "Internal error occurred: unexpected EOF",
        retry_after: None,
    };
    /// The server is about to stop, or to start.
    pub const UNAVAILABLE: Self = Self {
        code: 503,
        reason: "ServiceUnavailable",
        message: "apiserver is shutting down",
        retry_after: None,
    };
    /// etcd elects.
    pub const LEADER: Self =
        Self { code: 500, reason: "", message: "etcdserver: leader changed", retry_after: None };
    /// That point in history is compacted.
    pub const EXPIRED: Self =
        Self { code: 410, reason: "Expired", message: "too old resource version: 1 (2)", retry_after: None };

    /// As it stands in the body.
    pub fn body(&self) -> String {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": self.code, "reason": self.reason, "message": self.message,
        })
        .to_string()
    }
}
