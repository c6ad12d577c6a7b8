//! A machine that slept, or a process that was stopped: connections that were there before are dead
//! and do not know it.

use std::time::Duration;

use tokio::sync::watch;

use crate::cluster::{Cluster, uptime};

/// A second that takes so long was a suspended machine or a stopped process.
const GAP: Duration = Duration::from_secs(15);

/// Changes `wake` after each such pause, for ever; requests from then on use new connections.
pub async fn notice(cluster: Cluster, wake: watch::Sender<u64>) {
    loop {
        let before = uptime();
        tokio::time::sleep(Duration::from_secs(1)).await;
        if uptime().saturating_sub(before) > GAP {
            cluster.forget_connections();
            wake.send_modify(|times| *times += 1);
        }
    }
}
