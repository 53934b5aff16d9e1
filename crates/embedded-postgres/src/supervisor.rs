//! Watches the server and starts it again when it died.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::logs;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A server that ran this long was well, so the next death is not one more of a series.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// Runs until `stopped` turns true; counts the restarts in `restarts`.
pub(crate) async fn run(cluster: Cluster, mut stopped: watch::Receiver<bool>, restarts: watch::Sender<u64>) {
    let mut wait = Duration::ZERO;
    let mut running_since = Instant::now();
    let mut pruned: Option<Instant> = None;
    while pause(&mut stopped, LOOK_EVERY).await {
        if cluster.postmaster().is_some() {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                logs::prune(cluster.account(), &cluster.layout().data()).await;
                pruned = Some(Instant::now());
            }
            continue;
        }
        if running_since.elapsed() >= WELL_AFTER {
            wait = Duration::ZERO;
        }
        tracing::error!(wait_ms = wait.as_millis(), "the embedded PostgreSQL died; starting it again");
        if !pause(&mut stopped, wait).await {
            break;
        }
        wait = (wait * 2).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        match cluster.start().await {
            Ok(()) => {
                restarts.send_modify(|count| *count += 1);
                running_since = Instant::now();
                tracing::info!("the embedded PostgreSQL runs again");
            }
            Err(error) => tracing::error!(%error, "the embedded PostgreSQL did not start; trying again"),
        }
    }
}

/// Waits; `false` means that it is time to end.
async fn pause(stopped: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => false,
        () = sleep(time) => true,
    }
}
