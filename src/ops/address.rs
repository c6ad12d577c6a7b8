//! Where a browser finds the UI of a component now: the address that the values say it has, or a forward
//! that runs on this machine, which need not be of this process.
//!
//! A forward is known by what it leads to: the process behind it started at the same moment, to the
//! millisecond, as the one in the pod (`process_start_time_seconds` of its metrics, which need no login).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Context, forward, login, pod};
use crate::release::Record;

/// Longest time for one local port to answer: forwards go through the API server.
const TRY: Duration = Duration::from_secs(3);
/// Most bytes of its metrics that are read.
const MOST: u64 = 4 << 20;
/// The line of the metrics.
const STARTED: &str = "process_start_time_seconds ";

/// An address, without the path below which the UI is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// `https://grafana.example` or `http://127.0.0.1:3000`.
    pub url: String,
    /// What makes it one.
    pub by: By,
}

/// What makes an address lead to the UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The values say so.
    Values,
    /// A `port-forward` or `open` that runs here.
    Forward,
}

/// The address of a component's UI, if there is one now.
pub async fn of(ctx: &Context<'_>, record: &Record, component: &str) -> Option<Address> {
    let login = login::of(record, component)?;
    if !login.url.is_empty() {
        return Some(Address { url: login.url, by: By::Values });
    }
    let path = format!("{}/metrics", login.path);
    let ports = forward::local_ports(record, component)?;
    let local = futures::future::join_all(ports.map(|port| started_here(port, &path))).await;
    let mut local = local.into_iter().flatten().peekable();
    // nobody listens: the pods need not be asked
    local.peek()?;
    let mut started = Vec::new();
    for place in pod::places(ctx, record, component).await?.ok()? {
        let pod::Place { namespace, pod, port } = &place;
        let answer = ctx.cluster.pod_http_get(namespace, pod, *port, &path, pod::TRY).await;
        started.extend(answer.ok().and_then(|answer| started_at(&answer.text())));
    }
    let (port, _) = local.find(|(_, at)| started.contains(at))?;
    let url = format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    Some(Address { url, by: By::Forward })
}

/// The port, and when the process behind it started; None when nobody listens or says so.
async fn started_here(port: u16, path: &str) -> Option<(u16, String)> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        // of HTTP/1.0: an answer that ends with the connection, and comes in one piece
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: text/plain\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.take(MOST).read_to_end(&mut bytes).await.ok()?;
        started_at(&String::from_utf8_lossy(&bytes))
    };
    timeout(TRY, asked).await.ok()?.map(|at| (port, at))
}

fn started_at(metrics: &str) -> Option<String> {
    metrics.lines().find_map(|line| line.strip_prefix(STARTED)).map(|at| at.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn who_listens_is_asked_when_it_started() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = [
            "HTTP/1.0 200 OK\r\n\r\nx 1\nprocess_start_time_seconds 1.79e+09\n",
            "HTTP/1.0 404 Not Found\r\n\r\n",
        ];
        let serve = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 256];
                let read = stream.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        assert_eq!(started_here(port, "/graphs/metrics").await, Some((port, "1.79e+09".to_owned())));
        assert_eq!(started_here(port, "/metrics").await, None, "somebody else");
        let asked = serve.await.unwrap();
        assert!(asked[0].starts_with("GET /graphs/metrics HTTP/1.0\r\n"), "{asked:?}");
        assert!(!asked[0].to_lowercase().contains("authorization"), "nothing secret goes to whoever listens");
        assert_eq!(started_here(port, "/metrics").await, None, "nobody listens any more");
    }
}
