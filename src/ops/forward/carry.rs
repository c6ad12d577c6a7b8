//! One local connection, carried over a websocket of its own to the pod that is ready at that
//! moment. Bytes are counted; each side's end reaches the other side where the protocol can say it.
//!
//! The protocol of a port-forward has an end of the whole connection and none of one direction. A
//! client that has said all and still listens gets its answer nevertheless: its end is kept from the
//! pod until the pod ends too, or is silent for longer than an answer takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::lane::{Lane, Pod};
use crate::cluster::{Cluster, PodStream};

/// How long a connection waits for a ready pod.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries to reach a ready pod.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a pod may think about a question whose client listens and has nothing more to say.
const ANSWER: Duration = Duration::from_secs(300);
/// How long it may be silent within or after an answer to such a client: mostly that has gone.
const LINGER: Duration = Duration::from_secs(10);
/// How long a client's rest is read after the pod's end: closing with unread bytes would take the
/// answer from it.
const DRAIN: Duration = Duration::from_secs(2);

/// Carries a connection to its end. `woken` ends it after a pause of the whole machine.
pub async fn carry(cluster: Cluster, lane: Arc<Lane>, client: TcpStream, mut woken: watch::Receiver<u64>) {
    lane.connections.fetch_add(1, Ordering::Relaxed);
    let _ = client.set_nodelay(true);
    if let Some((pod, stream)) = open(&cluster, &lane).await {
        woken.mark_unchanged();
        let trouble = tokio::select! {
            trouble = copy(client, stream, &lane.up, &lane.down) => trouble,
            () = pod.gone.cancelled() => None,
            _ = woken.changed() => None,
        };
        lane.trouble(trouble);
    }
    lane.connections.fetch_sub(1, Ordering::Relaxed);
}

/// A connection to a ready pod; None when there is none for too long.
async fn open(cluster: &Cluster, lane: &Lane) -> Option<(Pod, PodStream)> {
    let end = Instant::now() + PATIENCE;
    loop {
        let pod = tokio::time::timeout_at(end, lane.pod()).await.ok()??;
        let opened = cluster.port_forward(&lane.target.namespace, &pod.name, pod.port);
        match tokio::time::timeout_at(end, opened).await.ok()? {
            Ok(stream) => return Some((pod, stream)),
            Err(error) => lane.trouble(Some(error.message().to_owned())),
        }
        if Instant::now() + PAUSE > end {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Copies both ways until both have ended. Gives the pod's words when its port cannot be used.
async fn copy(mut client: TcpStream, mut pod: PodStream, up: &AtomicU64, down: &AtomicU64) -> Option<String> {
    let mut refusal = pod.refusal();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_pod, mut to_pod) = tokio::io::split(pod);
    let (own_up, own_down) = (AtomicU64::new(0), AtomicU64::new(0));
    let words = {
        let mut sending = std::pin::pin!(pass(&mut from_client, &mut to_pod, [up, &own_up]));
        let mut receiving = std::pin::pin!(pass(&mut from_pod, &mut to_client, [down, &own_down]));
        let (mut said_all, mut may_refuse, mut seen) = (false, true, (0, 0));
        let mut silent_since = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                end = &mut sending, if !said_all => match end {
                    End::Reader | End::Writer => (said_all, silent_since) = (true, Instant::now()),
                    End::Lost => return None,
                },
                end = &mut receiving => match end {
                    End::Reader => break None,
                    // the client does not listen any more
                    End::Writer | End::Lost => return None,
                },
                words = &mut refusal, if may_refuse => match words {
                    Some(words) => break Some(words),
                    None => may_refuse = false,
                },
                _ = tick.tick(), if said_all => {
                    let now = (own_up.load(Ordering::Relaxed), own_down.load(Ordering::Relaxed));
                    if now != seen {
                        (seen, silent_since) = (now, Instant::now());
                    }
                    let limit = if now.1 == 0 { ANSWER } else { LINGER };
                    if silent_since.elapsed() > limit {
                        return None;
                    }
                }
            }
        }
    };
    let _ = to_client.shutdown().await;
    let mut rest = [0; 4096];
    let drained = async { while matches!(from_client.read(&mut rest).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    words.map(|words| words.lines().next().unwrap_or_default().trim().to_owned())
}

/// How one direction ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// There is nothing more to read.
    Reader,
    /// Nobody takes what is read.
    Writer,
    /// The reader broke.
    Lost,
}

/// Copies one direction to its end and counts.
async fn pass(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    counts: [&AtomicU64; 2],
) -> End {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = match reader.read(&mut buffer).await {
            Ok(0) => return End::Reader,
            Ok(read) => read,
            Err(_) => return End::Lost,
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        if writer.write_all(chunk).await.is_err() || writer.flush().await.is_err() {
            return End::Writer;
        }
        for count in counts {
            count.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
}
