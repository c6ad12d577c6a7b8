//! The way from a connection to a pod: waits for a ready one, tries, goes to another one when that
//! is ready meanwhile, and makes the lane look at the pods again when what it knows is wrong.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::lane::{Lane, Pod};
use crate::cluster::{Cluster, PodStream};

/// How long a connection waits for a ready pod.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries to reach a ready pod.
pub const PAUSE: Duration = Duration::from_millis(200);
/// How long the first try may take; each further one twice as long.
const FIRST_TRY: Duration = Duration::from_secs(5);

/// A connection to a ready pod; None when there is none before `end`.
pub async fn open(cluster: &Cluster, lane: &Lane, end: Instant) -> Option<(Pod, PodStream)> {
    let mut limit = FIRST_TRY;
    loop {
        let pod = timeout_at(end, lane.pod()).await.ok()??;
        // a hundred handshakes at once would only wait for each other
        let Ok(Ok(turn)) = timeout_at(end, lane.openings.acquire()).await else { return None };
        let opening = cluster.port_forward(&lane.target.namespace, &pod.name, pod.port);
        let tried = tokio::select! {
            tried = timeout(limit, opening) => tried,
            () = lane.leaves(&pod) => continue,
        };
        drop(turn);
        match tried {
            Ok(Ok(stream)) => return Some((pod, stream)),
            Ok(Err(error)) => lane.trouble(Some(error.message().to_owned())),
            Err(_) => {
                cluster.forget_connections();
                lane.trouble(Some(format!("the API server has not answered for {}s", limit.as_secs())));
                limit *= 2;
            }
        }
        lane.doubts();
        if Instant::now() + PAUSE > end {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = lane.leaves(&pod) => {}
        }
    }
}
