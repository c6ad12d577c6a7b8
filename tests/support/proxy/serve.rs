//! The proxy's connections: HTTP/1.1 from the plugin, the cluster's own client to the server.
//! Answers to watches are passed on as they come; all others are read whole first, so that "the
//! server did it" is known before anything is done to the answer.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::net::{TcpListener, TcpStream};

use super::super::cluster::Cluster;
use super::{Asked, Fault, Shared};

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// The way to the server, with the test cluster's own credentials.
pub(super) async fn upstream(cluster: &Cluster) -> kube::Client {
    let file = Kubeconfig::read_from(&cluster.kubeconfig).expect("read the kubeconfig");
    let options = KubeConfigOptions { context: Some(cluster.context.clone()), ..Default::default() };
    let mut config = Config::from_custom_kubeconfig(file, &options).await.expect("use the kubeconfig");
    config.default_retry = false;
    config.disable_compression = true;
    config.read_timeout = None;
    kube::Client::try_from(config).expect("a client")
}

/// Serves on a free port until the runtime ends.
pub(super) async fn listen(shared: Arc<Shared>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Arc::clone(&shared), stream));
        }
    });
    port
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let reset = Arc::new(AtomicBool::new(false));
    let wanted = Arc::clone(&reset);
    let service = service_fn(move |request| {
        let (shared, wanted) = (Arc::clone(&shared), Arc::clone(&wanted));
        Box::pin(async move {
            // a task of its own: it goes on when the plugin is killed
            shared.busy.fetch_add(1, Ordering::SeqCst);
            let task = tokio::spawn(answer(Arc::clone(&shared), request));
            let outcome = task.await.unwrap_or_else(|_| Err(ErrorKind::Other.into()));
            let is_reset = |e: &std::io::Error| e.kind() == ErrorKind::ConnectionReset;
            wanted.store(outcome.as_ref().is_err_and(is_reset), Ordering::SeqCst);
            outcome
        })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::SeqCst) {
        // the end of the stream is a RST then, not a FIN
        drop(stream.set_zero_linger());
    }
}

/// Counts down when a request is carried out, whatever became of it.
struct Busy(Arc<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> std::io::Result<Answer> {
    let busy = Busy(Arc::clone(&shared));
    let (parts, body) = request.into_parts();
    // half a request is none: the plugin was killed while it wrote
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let (asked, rule, round) = {
        let mut round = shared.round();
        let asked = Asked {
            number: round.asked.len() + 1,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: body.clone(),
            status: None,
            at: Instant::now(),
        };
        round.asked.push(asked.clone());
        (asked, Arc::clone(&round.rule), round.id)
    };
    let told = |status: u16| {
        let mut current = shared.round();
        if current.id == round {
            current.asked[asked.number - 1].status = Some(status);
        }
    };
    let question = asked.clone();
    let fault = tokio::task::spawn_blocking(move || rule(&question)).await.map_err(std::io::Error::other)?;

    match &fault {
        Fault::Answer(refusal) => {
            told(refusal.code);
            let mut response =
                Response::builder().status(refusal.code).header("content-type", "application/json");
            if let Some(seconds) = refusal.retry_after {
                response = response.header(RETRY_AFTER, seconds);
            }
            return response.body(whole(refusal.body().into())).map_err(std::io::Error::other);
        }
        Fault::Text(text) => {
            told(200);
            return Ok(Response::new(whole(text.clone().into())));
        }
        Fault::Reset => return Err(ErrorKind::ConnectionReset.into()),
        Fault::Hang => {
            drop(busy);
            return std::future::pending().await;
        }
        Fault::Delay(time) => tokio::time::sleep(*time).await,
        _ => {}
    }

    let mut forwarded = Request::from_parts(parts, Body::from(body.to_vec()));
    for header in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, ACCEPT_ENCODING] {
        forwarded.headers_mut().remove(header);
    }
    let response = shared.upstream.send(forwarded).await.map_err(std::io::Error::other)?;
    let (mut parts, body) = response.into_parts();
    for header in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    if asked.watches() && parts.status.is_success() {
        told(parts.status.as_u16());
        return Ok(Response::from_parts(parts, events(body, matches!(fault, Fault::Cut))));
    }
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    match fault {
        Fault::Truncate => {
            let half = body.slice(..body.len() / 2);
            // the length is announced, so half of it is a broken answer and not a short one
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
            let frames = stream::once(async { Ok(Frame::data(half)) }).chain(broken());
            return Ok(Response::from_parts(parts, BodyExt::boxed_unsync(StreamBody::new(frames))));
        }
        Fault::Withhold(then) => {
            tokio::task::spawn_blocking(then).await.map_err(std::io::Error::other)?;
            drop(busy);
            return std::future::pending().await;
        }
        Fault::Then(then) => tokio::task::spawn_blocking(then).await.map_err(std::io::Error::other)?,
        _ => {}
    }
    told(parts.status.as_u16());
    Ok(Response::from_parts(parts, whole(body)))
}

fn whole(body: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// A watch, event by event. One that is cut ends in an error soon after it began.
fn events(body: Body, cut: bool) -> UnsyncBoxBody<Bytes, std::io::Error> {
    let frames = body.into_data_stream().map(|data| data.map(Frame::data).map_err(std::io::Error::other));
    if cut {
        BodyExt::boxed_unsync(StreamBody::new(stream::select(frames, broken())))
    } else {
        BodyExt::boxed_unsync(StreamBody::new(frames))
    }
}

/// The end of a body that breaks off, after what was sent before has left.
fn broken() -> impl Stream<Item = std::io::Result<Frame<Bytes>>> {
    stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(ErrorKind::UnexpectedEof.into())
    })
}
