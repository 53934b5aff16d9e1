//! A dashboard of its own for one measurement: fresh data folder, embedded PostgreSQL with its default settings.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proxima_signing::AnswerSigner;
use proxima_types::identity::DashboardPublicKey;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

const STARTS_WITHIN: Duration = Duration::from_secs(120);
const STOPS_WITHIN: Duration = Duration::from_secs(90);

/// A running dashboard. Call [`Dashboard::stop`]: merely dropped, its processes and its folder stay.
pub struct Dashboard {
    program: Program,
    pub address: SocketAddr,
    pub metrics_address: SocketAddr,
    /// A few connections of our own to its database.
    pub db: PgPool,
    pub public_key: DashboardPublicKey,
    /// The process ids of the dashboard and of PostgreSQL's postmaster.
    pub pid: u32,
    pub postmaster: u32,
}

/// Which dashboard is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Measured {
    /// The dashboard's program
    #[arg(long, default_value = "target/release/proxima-dashboard")]
    dashboard: PathBuf,
    /// Where the data folder is made; PostgreSQL's user must be able to enter it
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

impl Measured {
    /// Starts it with a data folder of its own.
    ///
    /// # Errors
    /// When it is not built, or not ready within two minutes; its log is then the error's text.
    pub async fn start(&self) -> anyhow::Result<Dashboard> {
        let program = self.dashboard.canonicalize();
        let program = program.context("build it first: cargo build --release -p proxima-dashboard")?;
        Dashboard::start(&program, &self.folder).await
    }
}

impl Dashboard {
    async fn start(program: &Path, parent: &Path) -> anyhow::Result<Self> {
        let folder = parent.join(format!("proxima-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // PostgreSQL's own user must be able to pass.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711))?;
        let (address, metrics_address) = (free_address()?, free_address()?);
        let child = Command::new(program)
            .args(["serve", "--first-admin", "never", "--admin-second-factor", "optional"])
            .arg("--data-dir")
            .arg(&folder)
            .args(["--listen", &address.to_string(), "--metrics-listen", &metrics_address.to_string()])
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("dashboard.log"))?)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let mut program = Program { pid: child.id().context("the dashboard ended at once")?, child, folder };
        match program.ready(address).await {
            Ok(Ready { db, public_key, postmaster }) => {
                let pid = program.pid;
                Ok(Self { program, address, metrics_address, db, public_key, pid, postmaster })
            }
            Err(error) => {
                let said = std::fs::read_to_string(program.folder.join("dashboard.log")).unwrap_or_default();
                let _ = program.stop().await;
                Err(error.context(format!("the dashboard did not start:\n{said}")))
            }
        }
    }

    /// Stops both in order and deletes the data.
    ///
    /// # Errors
    /// When it does not end in time; it is then killed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.db.close().await;
        self.program.stop().await
    }
}

/// The process and its folder.
struct Program {
    child: Child,
    pid: u32,
    folder: PathBuf,
}

struct Ready {
    db: PgPool,
    public_key: DashboardPublicKey,
    postmaster: u32,
}

impl Program {
    async fn ready(&mut self, address: SocketAddr) -> anyhow::Result<Ready> {
        self.wait_until_ready(address).await?;
        let socket = self.folder.join("postgres/socket");
        let url = format!("postgres:///proxima?host={}&port=5432&user=proxima", socket.display());
        let db = PgPoolOptions::new().max_connections(2).connect(&url).await.context("cannot reach its PostgreSQL")?;
        let public_key = public_key(&self.folder.join("keys.json"))?;
        let postmaster = postmaster(&self.folder.join("postgres/data/postmaster.pid"))?;
        Ok(Ready { db, public_key, postmaster })
    }

    /// It stops its PostgreSQL itself, unless it has to be killed.
    async fn stop(mut self) -> anyhow::Result<()> {
        if let (Some(pid), None) = (Pid::from_raw(i32::try_from(self.pid)?), self.child.try_wait()?) {
            kill_process(pid, Signal::TERM)?;
        }
        let ended = tokio::time::timeout(STOPS_WITHIN, self.child.wait()).await;
        if ended.is_err() {
            self.child.kill().await?;
        }
        let status = ended.context("the dashboard did not stop in time")??;
        std::fs::remove_dir_all(&self.folder).context("cannot delete the data folder")?;
        if status.success() { Ok(()) } else { bail!("the dashboard ended with {status}") }
    }

    async fn wait_until_ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + STARTS_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if crate::wire::get(address, "/readyz").await.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("it was not ready within {STARTS_WITHIN:?}")
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The key that its answers are signed with, from its key file.
fn public_key(key_file: &Path) -> anyhow::Result<DashboardPublicKey> {
    let keys: serde_json::Value = serde_json::from_slice(&std::fs::read(key_file)?)?;
    let key = keys["signingKeys"].as_array().and_then(|keys| keys.last()).and_then(|key| key["key"].as_str());
    let seed = STANDARD.decode(key.context("the key file holds no signing key")?)?;
    let seed: [u8; 32] = seed.try_into().map_err(|_| anyhow::anyhow!("the signing key has not 32 bytes"))?;
    Ok(AnswerSigner::from_seed(&Zeroizing::new(seed))?.public_key())
}

fn postmaster(pid_file: &Path) -> anyhow::Result<u32> {
    let text = std::fs::read_to_string(pid_file)?;
    Ok(text.lines().next().context("an empty postmaster.pid")?.trim().parse()?)
}
