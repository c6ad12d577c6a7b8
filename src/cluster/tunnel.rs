//! Into a pod: a byte stream to one of its ports by port-forward, and HTTP over it. A port-forward
//! enters at the pod's loopback, past every NetworkPolicy, and needs nothing exposed. Nothing is
//! tried twice here: who probes wants to know now.

mod frames;
mod incoming;
mod stream;
mod trust;

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HOST};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

pub use stream::{PodStream, Refused};
pub use trust::Trust;

use super::Cluster;
use super::call::{Subject, path, with_query};
use super::errors::{Failure, Reason, Transport, causes_of};
use crate::object::builtin;
use crate::{Error, Result};

/// Answers are not read beyond this.
const ANSWER_LIMIT: usize = 32 << 20;

/// What an HTTP server in a pod answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Cluster {
    /// Opens a connection to a port of a pod. Each connection is a websocket of its own.
    pub async fn port_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<PodStream> {
        let kind = builtin::pods();
        let url = format!("{}/portforward", path(&kind, Some(namespace), Some(pod)));
        let request = Request::get(with_query(&url, &[("ports", &port.to_string())]))
            .body(Vec::new())
            .map_err(|_| Error::failed(format!("\"{pod}\" is no name of a pod")))?;
        let client = self.inner.connections.client();
        let reason = match tokio::time::timeout(self.inner.attempt_limit, client.connect(request)).await {
            Ok(Ok(connection)) => return Ok(PodStream::new(connection.into_stream().into_inner())),
            Ok(Err(kube::Error::Api(status))) => Reason::Status(status),
            Ok(Err(kube::Error::UpgradeConnection(upgrade))) => {
                let why = format!("the port-forward is refused: {upgrade}");
                return Err(unreachable(namespace, pod, port, &why)
                    .hint("does a proxy before the API server let websockets through?"));
            }
            Ok(Err(error)) => Reason::Transport(Transport::from_kube(&error)),
            Err(_) => Reason::Transport(Transport::no_answer(self.inner.attempt_limit)),
        };
        let failure = Failure { reason, attempts: 1, elapsed: Duration::ZERO, uncertain: false };
        Err(failure
            .into_error(&self.inner.target, &Subject::new("create", &kind, Some(namespace), Some(pod))))
    }

    /// Asks an HTTP server in a pod, once, within `limit`. `path` begins with `/`.
    pub async fn pod_http_get(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        path: &str,
        limit: Duration,
    ) -> Result<HttpAnswer> {
        let request = Request::get(path)
            .body(Vec::new())
            .map_err(|_| Error::failed(format!("\"{path}\" is not a path that can be asked for")))?;
        self.pod_http(namespace, pod, port, request, limit).await
    }

    /// The same for any request: method, path, headers (such as Authorization) and body. Answers
    /// over 32 MiB are an error.
    pub async fn pod_http(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        request: Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<HttpAnswer> {
        self.pod_exchange(namespace, pod, port, request, limit, None).await
    }

    /// The same where the pod wants TLS.
    pub async fn pod_https(
        &self,
        (namespace, pod, port): (&str, &str, u16),
        request: Request<Vec<u8>>,
        limit: Duration,
        trust: &Trust,
    ) -> Result<HttpAnswer> {
        self.pod_exchange(namespace, pod, port, request, limit, Some(trust)).await
    }

    async fn pod_exchange(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        request: Request<Vec<u8>>,
        limit: Duration,
        trust: Option<&Trust>,
    ) -> Result<HttpAnswer> {
        let exchange = async {
            let stream = self.port_forward(namespace, pod, port).await?;
            let answer = match trust {
                None => exchange(stream, request, port).await,
                Some(trust) => match trust.connect(stream).await {
                    Ok(stream) => exchange(stream, request, port).await,
                    Err(why) => Err(why),
                },
            };
            answer.map_err(|why| unreachable(namespace, pod, port, &why))
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let why = format!("no answer within {:.1}s", limit.as_secs_f32());
                Err(unreachable(namespace, pod, port, &why))
            }
        }
    }
}

/// One request and its answer on a fresh connection.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Vec<u8>>,
    port: u16,
) -> Result<HttpAnswer, String> {
    let (mut parts, body) = request.into_parts();
    if !parts.headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&format!("localhost:{port}")).map_err(|e| e.to_string())?;
        parts.headers.insert(HOST, host);
    }
    parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let request = Request::from_parts(parts, Full::new(body.into()));
    let (mut sender, connection) =
        http1::handshake::<_, Full<hyper::body::Bytes>>(TokioIo::new(stream)).await.map_err(|e| said(&e))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|e| said(&e))?;
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_LIMIT).collect().await {
            Ok(body) => Ok(HttpAnswer { status, body: body.to_bytes().to_vec() }),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(format!("the answer is larger than {} MiB", ANSWER_LIMIT >> 20))
            }
            Err(error) => Err(refusal(&*error).unwrap_or_else(|| "the answer was cut off".to_owned())),
        }
    };
    // the connection does its part only while it is polled; it ends after the answer or with it
    let talk = std::pin::pin!(talk);
    match futures::future::select(talk, std::pin::pin!(connection)).await {
        futures::future::Either::Left((answer, _)) => answer,
        futures::future::Either::Right((ended, talk)) => {
            let words = ended.err().and_then(|error| refusal(&error));
            talk.await.map_err(|why| words.unwrap_or(why))
        }
    }
}

fn said(error: &hyper::Error) -> String {
    if let Some(words) = refusal(error) {
        words
    } else if error.is_parse() {
        "what answers there does not speak HTTP".into()
    } else {
        "the connection was closed before an answer came".into()
    }
}

/// The kubelet's words, if that is what the error is about.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    causes_of(error).iter().find_map(|cause| cause.downcast_ref::<Refused>()).map(Refused::short)
}

fn unreachable(namespace: &str, pod: &str, port: u16, why: &str) -> Error {
    Error::failed(format!("cannot reach port {port} of Pod {namespace}/{pod}: {why}"))
}

/// The end of the kubelet's sentence, `…: dial tcp4 127.0.0.1:9090: connect: connection refused`,
/// says it all.
fn plain(words: &str) -> String {
    let words = words.trim();
    match words.split_once("connect: ") {
        // what IPv6 has to say about the same port comes after it
        Some((_, reason)) => reason.split(" IPv6").next().unwrap_or(reason).trim().to_owned(),
        None => words.lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_kubelets_sentence_is_cut_to_its_reason() {
        let words = "error forwarding port 9090 to pod 6f1d, uid : failed to execute portforward in network \
                     namespace \"/var/run/netns/cni-1\": failed to connect to localhost:9090 inside namespace \
                     \"6f1d\", IPv4: dial tcp4 127.0.0.1:9090: connect: connection refused IPv6 dial tcp6: \
                     address localhost: no suitable address found";
        assert_eq!(plain(words), "connection refused");
        assert_eq!(plain("container not running\n"), "container not running");
    }
}
