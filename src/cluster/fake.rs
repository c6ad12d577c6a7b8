//! An API server in memory for tests: answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use serde_json::{Value, json};

use super::Cluster;

/// One answer.
pub(crate) enum Step {
    Json(u16, Value),
    Text(u16, &'static str),
    /// A refusal with a Retry-After header, in seconds.
    RetryAfter(u16, u32),
    /// The connection cannot be made.
    Refused,
    /// The connection breaks after the request was sent.
    Reset,
    /// No answer, ever.
    Hang,
    /// 200, and a body that breaks off.
    Cut(&'static str),
    /// 200, and a body after whose beginning nothing comes.
    Silent(&'static str),
    /// Answers a GET with the body of the last write that was sent.
    LastWrite,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET /version`
    pub line: String,
    pub body: Value,
}

/// Script and memory.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    script: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Answers when the script is over.
    then: Arc<Mutex<Option<Steps>>>,
}

type Steps = Box<dyn Fn() -> Step + Send>;

impl Fake {
    pub fn new(script: impl IntoIterator<Item = Step>) -> Self {
        let fake = Self::default();
        fake.script.lock().unwrap().extend(script);
        fake
    }

    pub fn always(step: impl Fn() -> Step + Send + 'static) -> Self {
        let fake = Self::default();
        *fake.then.lock().unwrap() = Some(Box::new(step));
        fake
    }

    /// A cluster that has answered before, so that outages are outages.
    pub fn reached(&self) -> Cluster {
        let cluster = self.cluster();
        cluster.inner.mark_reached();
        cluster
    }

    /// A cluster that was never asked anything.
    pub fn cluster(&self) -> Cluster {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { fake.answer(request).await }
        });
        Cluster::with_client(kube::Client::new(service, "default"), "prod", "https://10.0.0.1:6443")
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    async fn answer(
        &self,
        request: Request<Body>,
    ) -> std::io::Result<Response<BoxBody<Bytes, std::io::Error>>> {
        let line = format!("{} {}", request.method(), request.uri());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        self.asked.lock().unwrap().push(Asked { line, body });
        let step = self.script.lock().unwrap().pop_front();
        let step = step.or_else(|| self.then.lock().unwrap().as_ref().map(|then| then()));
        match step.expect("a request that the script does not know") {
            Step::Json(code, value) => Ok(full(code, value.to_string())),
            Step::Text(code, text) => Ok(full(code, text.to_owned())),
            Step::RetryAfter(code, seconds) => {
                let mut response = full(code, status(code, "TooManyRequests", "slow down").to_string());
                response.headers_mut().insert("retry-after", seconds.into());
                Ok(response)
            }
            Step::Refused => Err(ErrorKind::ConnectionRefused.into()),
            Step::Reset => Err(ErrorKind::ConnectionReset.into()),
            Step::Hang => std::future::pending().await,
            Step::Cut(text) => {
                let frames = [Ok(Frame::data(Bytes::from(text))), Err(ErrorKind::UnexpectedEof.into())];
                Ok(Response::new(StreamBody::new(futures::stream::iter(frames)).boxed()))
            }
            Step::Silent(text) => {
                let begun = futures::stream::iter([Ok(Frame::data(Bytes::from(text)))]);
                Ok(Response::new(
                    StreamBody::new(futures::StreamExt::chain(begun, futures::stream::pending())).boxed(),
                ))
            }
            Step::LastWrite => Ok(full(200, self.last_write().to_string())),
        }
    }

    fn last_write(&self) -> Value {
        self.asked().into_iter().map(|asked| asked.body).rfind(|body| !body.is_null()).unwrap()
    }
}

/// A refusal as the API server writes it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn full(code: u16, body: String) -> Response<BoxBody<Bytes, std::io::Error>> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    Response::builder().status(code).body(body).unwrap()
}
