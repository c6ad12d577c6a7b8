//! One local connection, carried over a websocket of its own to the pod that is ready at that
//! moment. Bytes are counted; each side's end reaches the other side where that can be said.
//!
//! A node can end a connection, and not one direction of it: containerd and CRI-O close the pod's
//! side one second after either side has said its last word, whatever the protocol before them can
//! say (see sandbox_portforward_linux.go of containerd; kubectl's connections end that way). So a
//! client that has said all and still listens has its end kept from the pod, and gets its answer
//! whole, also when the pod thinks for minutes. A pod that waits for the end of what the client says
//! cannot be reached this way by anybody.

use std::io::Error as IoError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::lane::Lane;
use super::open::{PATIENCE, PAUSE, open};
use super::said::Said;
use crate::cluster::{Cluster, PodStream, Refused};

/// How long a ready pod may refuse connections: its server may start again.
const REFUSED: Duration = Duration::from_secs(5);
/// How long a pod may think about a question whose client listens and has nothing more to say.
const ANSWER: Duration = Duration::from_secs(300);
/// How long it may be silent within or after an answer to such a client.
const LINGER: Duration = Duration::from_secs(10);
/// The same where the answer had begun before: mostly that client has it and is gone, and somebody who
/// asks a hundred times a second shall not have a thousand connections.
const GONE: Duration = Duration::from_secs(2);
/// How long a client's rest is read after the pod's end: closing with unread bytes would take the
/// answer from it.
const DRAIN: Duration = Duration::from_secs(2);
/// How long the goodbye to the API server may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// What is read at once from a client and from a pod.
const BUFFERS: (usize, usize) = (8 << 10, 16 << 10);

/// Carries a connection to its end. `woken` ends it after a pause of the whole machine.
pub async fn carry(
    cluster: Cluster,
    lane: Arc<Lane>,
    mut client: TcpStream,
    mut woken: watch::Receiver<u64>,
) {
    let _open = lane.connection();
    let _ = client.set_nodelay(true);
    let said = Said::default();
    let began = Instant::now();
    let mut first_refusal = None;
    while let Some((pod, stream)) = open(&cluster, &lane, began + PATIENCE).await {
        woken.mark_unchanged();
        let end = tokio::select! {
            end = copy(&mut client, stream, &said, &lane) => end,
            () = pod.gone.cancelled() => End::Lost(None),
            _ = woken.changed() => End::Lost(None),
        };
        match end {
            End::Regular => lane.trouble(None),
            End::Lost(why) => {
                // a reset, for the client must not take half an answer for a whole one
                let _ = client.set_zero_linger();
                if why.is_some() {
                    lane.trouble(why);
                }
            }
            End::Refused(words) => {
                lane.trouble(Some(words));
                let since: &mut Instant = first_refusal.get_or_insert_with(Instant::now);
                if said.can_be_repeated() && since.elapsed() < REFUSED {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
        }
        return;
    }
}

/// How a connection ended.
enum End {
    /// One side or both had nothing more to say.
    Regular,
    /// It broke on the way to the pod, or had to be given up.
    Lost(Option<String>),
    /// The pod's port cannot be used, in the kubelet's words.
    Refused(String),
}

/// How one direction ended.
enum Passed {
    /// There is nothing more to read.
    All,
    /// The reader broke.
    Broken(IoError),
    /// Nobody takes what is read.
    Unwanted,
}

/// Copies both ways until both have ended.
async fn copy(client: &mut TcpStream, pod: PodStream, said: &Said, lane: &Lane) -> End {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_pod, mut to_pod) = tokio::io::split(pod);
    let pod_spoke = AtomicBool::new(false);
    let silence = Silence::default();
    let end = {
        let sending = async {
            if let Some(before) = said.again()
                && to_pod.write_all(&before).await.is_err()
            {
                return Passed::Unwanted;
            }
            let mut buffer = vec![0; BUFFERS.0];
            while !said.all() {
                let read = match from_client.read(&mut buffer).await {
                    Ok(0) => break,
                    Ok(read) => read,
                    Err(error) => return Passed::Broken(error),
                };
                let chunk = buffer.get(..read).unwrap_or_default();
                said.more(chunk);
                pod_spoke.store(false, Ordering::Relaxed);
                if to_pod.write_all(chunk).await.is_err() {
                    return Passed::Unwanted;
                }
                lane.up.fetch_add(read as u64, Ordering::Relaxed);
                silence.broken();
            }
            said.is_all();
            match to_pod.flush().await {
                Ok(()) => Passed::All,
                Err(_) => Passed::Unwanted,
            }
        };
        let receiving = async {
            let mut buffer = vec![0; BUFFERS.1];
            loop {
                let read = match from_pod.read(&mut buffer).await {
                    Ok(0) => return Passed::All,
                    Ok(read) => read,
                    Err(error) => return Passed::Broken(error),
                };
                if !pod_spoke.swap(true, Ordering::Relaxed) {
                    said.is_answered();
                    lane.trouble(None);
                }
                if to_client.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
                    return Passed::Unwanted;
                }
                lane.down.fetch_add(read as u64, Ordering::Relaxed);
                silence.broken();
            }
        };
        let (mut sending, mut receiving) = (std::pin::pin!(sending), std::pin::pin!(receiving));
        let (mut listens_only, mut patience) = (false, LINGER);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                passed = &mut sending, if !listens_only => match passed {
                    // what the pod has to say about it comes from there
                    Passed::All | Passed::Unwanted => {
                        listens_only = true;
                        if pod_spoke.load(Ordering::Relaxed) {
                            patience = GONE;
                        }
                        silence.broken();
                    }
                    Passed::Broken(_) => break End::Regular,
                },
                passed = &mut receiving => break match passed {
                    Passed::All => End::Regular,
                    Passed::Broken(error) => lost(&error),
                    // the client does not listen any more
                    Passed::Unwanted => End::Regular,
                },
                _ = tick.tick(), if listens_only => {
                    let limit = if pod_spoke.load(Ordering::Relaxed) { patience } else { ANSWER };
                    if silence.lasted(limit) {
                        break End::Regular;
                    }
                }
            }
        }
    };
    if matches!(end, End::Refused(_)) {
        return end;
    }
    let _ = tokio::time::timeout(GOODBYE, to_pod.shutdown()).await;
    if matches!(end, End::Regular) {
        let _ = to_client.shutdown().await;
        let mut rest = [0; 4096];
        let drained = async { while matches!(from_client.read(&mut rest).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(DRAIN, drained).await;
    }
    end
}

/// What became of the way to the pod.
fn lost(error: &IoError) -> End {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()) {
        Some(refused) => End::Refused(refused.short()),
        None => End::Lost(Some(format!("the last connection broke: {error}"))),
    }
}

/// Since when has nobody said anything?
struct Silence(std::sync::Mutex<Instant>);

impl Default for Silence {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Instant::now()))
    }
}

impl Silence {
    fn broken(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    }

    fn lasted(&self, limit: Duration) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).elapsed() > limit
    }
}
