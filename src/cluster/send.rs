//! One attempt at one request: sends it, reads the whole answer, both within a time limit. What
//! comes of it (try again, give up, which words) is for [`super::retry`] and [`super::errors`].

use std::time::Duration;

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;

use super::call::Call;
use super::errors::Transport;

/// Most bytes of one answer, unpacked: a page of 500 objects of half the size that etcd takes. Tests
/// would fill memory with it.
const MAX_ANSWER: usize = if cfg!(test) { 20 << 20 } else { 256 << 20 };

/// What the server answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The server's clock, from its Date header, in seconds since 1970.
    pub date: Option<i64>,
    /// The Retry-After header, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON; None when it is not JSON (a login page, a proxy's error).
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What the API server says, in plain text, about a group that it does not serve at all.
    pub fn unserved(&self, call: &Call) -> Option<Status> {
        let said_so = self.status == 404 && self.body.trim_ascii() == b"404 page not found";
        (said_so && call.subject.kind.is_some())
            .then(|| Status::failure("404 page not found", "NotFound").with_code(404))
    }

    /// The failure that the API server describes; None when the answer is not from one.
    pub fn failure(&self) -> Option<Status> {
        let value = self.json()?;
        if value["kind"] != "Status" {
            return None;
        }
        let mut status: Status = serde_json::from_value(value).ok()?;
        if status.code == 0 {
            status.code = self.status;
        }
        Some(status)
    }
}

/// Sends `call` once. The time limit covers connecting, waiting and reading.
pub(super) async fn send(client: &kube::Client, call: &Call, limit: Duration) -> Result<Answer, Transport> {
    match tokio::time::timeout(limit, exchange(client, call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Transport::no_answer(limit)),
    }
}

/// Sends a request whose answer is a stream; the time limit covers connecting and waiting for the
/// answer to begin. An answer that is not a success is read whole.
pub(super) async fn open(
    client: &kube::Client,
    call: &Call,
    limit: Duration,
) -> Result<Result<Body, Answer>, Transport> {
    let opened = async {
        let mut request = request(call)?;
        // servers send one gzip member per watch event, and the decoder stops after the first
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let response = client.send(request).await.map_err(|e| Transport::from_kube(&e))?;
        if response.status().is_success() {
            Ok(Ok(response.into_body()))
        } else {
            Ok(Err(read(response).await?))
        }
    };
    match tokio::time::timeout(limit, opened).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Transport::no_answer(limit)),
    }
}

async fn exchange(client: &kube::Client, call: &Call) -> Result<Answer, Transport> {
    read(client.send(request(call)?).await.map_err(|e| Transport::from_kube(&e))?).await
}

async fn read(response: http::Response<Body>) -> Result<Answer, Transport> {
    let (parts, body) = response.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Transport::unusable(format!("is larger than {} MiB", MAX_ANSWER >> 20));
        }
        match error.downcast::<kube::Error>() {
            Ok(error) => Transport::truncated(&error),
            Err(_) => Transport::cut_off(),
        }
    })?;
    let body = body.to_bytes();
    Ok(Answer {
        status: parts.status.as_u16(),
        date: text(DATE)
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|at| at.timestamp().as_second()),
        retry_after: text(RETRY_AFTER).and_then(|s| s.trim().parse().ok()).map(Duration::from_secs),
        body: body.to_vec(),
    })
}

/// The request as the client takes it.
fn request(call: &Call) -> Result<http::Request<Body>, Transport> {
    let mut builder =
        http::Request::builder().method(&call.method).uri(&call.url).header(ACCEPT, call.accept);
    if !call.body.is_empty() {
        builder = builder.header(CONTENT_TYPE, call.content_type);
    }
    builder.body(Body::from(call.body.clone())).map_err(|e| Transport::other(e.to_string()))
}
