//! A PostgreSQL that the program finds, sets up and supervises itself: the zero-configuration default when no `DATABASE_URL` is given.
//!
//! It uses the server that the system's packages installed. Rejected: the `postgresql_embedded` crate, which downloads server binaries at
//! run time: another supply chain, other versions than the system's security updates, and nothing without a network.
//!
//! What holds here:
//!
//! * PostgreSQL refuses to run as root, so a root process runs every server command as an unprivileged user ([`Options::server_user`]).
//! * There is no TCP port and no password: a socket in a 0700 directory is the whole access control.
//! * The server is in its own session: Ctrl-C at a terminal reaches only the supervising program, which then stops it in order. If that
//!   program is killed, the server lives on, and the next start adopts it.
//! * Two programs never supervise one folder: the starter holds a lock ([`EmbeddedPostgres::attach_or_start`] is for short commands beside it).
//! * Root never writes inside a folder that the unprivileged user owns; such writes are commands run as that user.
//!
//! The folder given holds `data/` (PostgreSQL's own), `socket/` and `supervisor.lock`; while its major version is upgraded and afterwards also
//! `data.upgrade/` and the former data, `data.15/` ([`Upgrade`]).

mod account;
mod binaries;
mod cluster;
mod command;
mod error;
mod layout;
mod logs;
mod memory;
mod options;
mod settings;
mod supervisor;
mod upgrade;

use std::path::Path;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
pub use crate::error::Error;
use crate::layout::Lock;
pub use crate::options::Options;
pub use crate::upgrade::{MajorUpgrade, Moved, Upgrade};

/// A running PostgreSQL. Call [`stop`](Self::stop); merely dropped, the server runs on and the next start adopts it.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    cluster: Cluster,
    supervision: Option<Supervision>,
}

#[derive(Debug)]
struct Supervision {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    restarts: watch::Receiver<u64>,
    _lock: Lock,
}

impl EmbeddedPostgres {
    /// Starts (or adopts) the server whose data lives in `folder`, creating it at the first start, and keeps it running.
    pub async fn start(folder: &Path, options: Options) -> Result<Self, Error> {
        let cluster = Cluster::open(folder, options).await?;
        let lock = Lock::take(cluster.layout())?.ok_or_else(|| Error::Locked { folder: folder.to_owned() })?;
        if let Some(newer) = newer(&cluster).await {
            tracing::warn!(
                major = cluster.major(),
                newer,
                "a newer PostgreSQL is installed; move the data over with: proxima-dashboard upgrade-database"
            );
        }
        Self::supervise(cluster, lock).await
    }

    /// For a short command: uses the server that another process supervises, else starts one for itself.
    /// [`stop`](Self::stop) leaves another process's server alone.
    pub async fn attach_or_start(folder: &Path, options: Options) -> Result<Self, Error> {
        let cluster = Cluster::open(folder, options).await?;
        match Lock::take(cluster.layout())? {
            Some(lock) => Self::supervise(cluster, lock).await,
            None => {
                cluster.wait_for_database().await?;
                Ok(Self { cluster, supervision: None })
            }
        }
    }

    async fn supervise(cluster: Cluster, lock: Lock) -> Result<Self, Error> {
        cluster.ensure_running().await?;
        cluster.ensure_database().await?;
        let (stop, stopped) = watch::channel(false);
        let (counter, restarts) = watch::channel(0);
        let task = tokio::spawn(supervisor::run(cluster.clone(), stopped, counter));
        Ok(Self { cluster, supervision: Some(Supervision { task, stop, restarts, _lock: lock }) })
    }

    /// The database, for `DATABASE_URL`: role and database `proxima`, over the private socket.
    pub fn url(&self) -> String {
        self.cluster.layout().url("proxima", "proxima")
    }

    /// The major version of the server.
    pub fn major(&self) -> u32 {
        self.cluster.major()
    }

    /// A newer major version that is installed and not used.
    pub async fn newer(&self) -> Option<u32> {
        newer(&self.cluster).await
    }

    /// The directory of the socket, for people with `psql -h`.
    pub fn socket_dir(&self) -> &Path {
        self.cluster.layout().socket_dir()
    }

    /// How often the server died and was started again since this start.
    pub fn restarts(&self) -> u64 {
        self.supervision.as_ref().map_or(0, |supervision| *supervision.restarts.borrow())
    }

    /// Stops the server: open transactions are rolled back, everything committed is on disk when this returns.
    pub async fn stop(mut self) -> Result<(), Error> {
        let Some(supervision) = self.supervision.as_mut() else { return Ok(()) };
        supervision.stop.send_replace(true);
        // The task may be in the middle of a restart; it ends after that, and an error of it says nothing about stopping.
        let _ = (&mut supervision.task).await;
        self.cluster.stop().await
    }
}

async fn newer(cluster: &Cluster) -> Option<u32> {
    let newest = binaries::installed().await.first()?.major;
    (newest > cluster.major()).then_some(newest)
}

impl Drop for Supervision {
    fn drop(&mut self) {
        self.task.abort();
    }
}
