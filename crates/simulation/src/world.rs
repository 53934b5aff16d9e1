//! What is outside the programs: time, hosts, links, the dashboard's health, and what has happened.

use crate::Mutation;
use crate::disk::Platter;
use crate::fleet::Rows;
use crate::network::Link;
use crate::oracle::Oracle;
use proxima_dashboard::app::App;
use proxima_gateway::agent::judge::RawAnswer;
use proxima_types::LicenseKey;
use proxima_types::identity::GatewayIdentity;
use rand::rngs::StdRng;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    Up,
    /// Connections are refused.
    Down,
    /// It accepts and says nothing, as after SIGSTOP.
    Hung,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Good,
    Down,
    /// It answers later than a gateway waits.
    Slow,
    /// Restored from an older backup, and nobody has accepted that.
    Behind,
}

/// A customer's machine with its gateway.
pub struct Host {
    pub identity: GatewayIdentity,
    /// License keys that this installation was given, oldest first.
    pub obtained: Vec<LicenseKey>,
    pub disk: Platter,
    /// Any fault of the disk since the installation.
    pub disk_trouble: bool,
    /// Bits of the disk have changed.
    pub disk_damaged: bool,
    pub link: Link,
    pub powered: bool,
    pub boot: u128,
    /// In the world's milliseconds.
    pub booted_at: u64,
    pub wall_offset: i64,
    /// How far the wall clock was set forward so far, in all.
    pub set_forward: u64,
    /// Which of its processes runs.
    pub life: u64,
    /// That process has been killed.
    pub dead: bool,
    pub death: Arc<Notify>,
    /// Answers that somebody on the way has recorded.
    pub recorded: Vec<RawAnswer>,
}

pub struct World {
    pub mutation: Mutation,
    pub rng: StdRng,
    pub app: Arc<App>,
    started: Instant,
    skipped: u64,
    pub hosts: Vec<Host>,
    pub rows: Rows,
    /// Backups of the rows.
    pub backups: Vec<Rows>,
    pub process: Process,
    pub database: Database,
    /// The database's clock, in milliseconds off the world's.
    pub database_offset: i64,
    pub oracle: Oracle,
    /// Grows with every change that a bound must count from.
    pub epoch: u64,
    pub trace: Vec<String>,
    pub violations: Vec<String>,
}

impl World {
    #[must_use]
    pub fn new(mutation: Mutation, rng: StdRng, app: Arc<App>, rows: Rows, hosts: Vec<Host>) -> Self {
        Self {
            mutation,
            rng,
            app,
            started: Instant::now(),
            skipped: 0,
            oracle: Oracle::new(hosts.len()),
            hosts,
            rows,
            backups: Vec::new(),
            process: Process::Up,
            database: Database::Good,
            database_offset: 0,
            epoch: 0,
            trace: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Milliseconds that programs were awake.
    #[must_use]
    pub fn awake(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the beginning; goes on while hosts are suspended.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.awake() + self.skipped
    }

    /// All hosts sleep for so long.
    pub fn suspend(&mut self, ms: u64) {
        self.skipped += ms;
    }

    #[must_use]
    pub fn database_now(&self) -> chrono::DateTime<chrono::Utc> {
        crate::clock::date(self.now(), self.database_offset)
    }

    pub fn note(&mut self, text: &str) {
        let line = format!("{:>9} ms awake, {:>10} ms: {text}", self.awake(), self.now());
        self.trace.push(line);
    }

    pub fn violation(&mut self, text: &str) {
        self.note(&format!("VIOLATION {text}"));
        self.violations.push(text.to_owned());
    }

    /// Whether nothing is between this gateway and a verdict.
    #[must_use]
    pub fn healthy(&self, gateway: usize) -> bool {
        self.process == Process::Up && self.database == Database::Good && self.hosts[gateway].link == Link::Good
    }
}

#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    #[must_use]
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Nobody holds it across an await.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
