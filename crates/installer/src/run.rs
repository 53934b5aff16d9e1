//! Carrying out a plan, step by step, telling a [`Journal`] of everything.

mod access;
mod driver;
pub(crate) mod remote;
pub(crate) mod steps;
mod undo;

pub use access::forget_access;

use crate::binaries::BinaryStore;
use crate::facts::Facts;
use crate::outbound::Outbound;
use crate::plan::{JobKind, Plan, StepId};
use crate::problem::ProblemReport;
use crate::ssh::{HostKey, Login};
use crate::target::Target;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::{self, BoxStatus, ConfigText, Receipt, Uninstalled, UpdateReport};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What is to be done where, and as whom. Prints no secret.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names the backups on the box: the same when an interrupted job is run again.
    pub id: Uuid,
    pub kind: JobKind,
    pub target: Target,
    /// The host key that the person confirmed.
    pub pinned: HostKey,
    pub login: Login,
    pub inputs: JobInputs,
    /// What an earlier run of this job recorded, when that one was killed.
    pub earlier: Option<Earlier>,
    /// Cancelled when the person cancels: the present step is stopped, what was done is undone.
    pub cancel: CancellationToken,
}

/// What the steps need beside the login.
#[derive(Debug, Clone)]
pub struct JobInputs {
    pub dashboard_url: DashboardUrl,
    /// The whole `config.json`; needed by an install, else unused.
    pub config: Option<ConfigText>,
    /// Take over a box that another server of this or another dashboard has.
    pub replace_other_server: bool,
    /// TCP ports that the gateway will open; another program on one of them stops the install.
    pub ports: Vec<u16>,
    /// Trade the credential for a key of the server's own after a successful install; `None`: do not.
    pub access: Option<AccessWish>,
}

/// How the per-server key is to be set up.
#[derive(Debug, Clone)]
pub struct AccessWish {
    /// The server's id: marks our line in `authorized_keys`.
    pub server_id: Uuid,
    /// The dashboard's addresses, for `from=`; empty: no restriction.
    pub allow_from: Vec<IpNet>,
}

/// What an earlier run of a job recorded.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    pub states: Vec<(StepId, StepState)>,
    /// Why it was undoing when it was killed: the run then only undoes.
    pub failure: Option<(StepId, ProblemReport)>,
}

/// What time it is.
pub type Clock = dyn Fn() -> DateTime<Utc> + Send + Sync;
/// Fills a buffer from the operating system's CSPRNG.
pub type Random = dyn Fn(&mut [u8]) + Send + Sync;

/// What is needed from outside: no clock, no randomness, no network of its own.
#[derive(Clone)]
pub struct Tools {
    pub outbound: Outbound,
    pub binaries: BinaryStore,
    pub clock: Arc<Clock>,
    pub random: Arc<Random>,
    pub limits: Limits,
}

/// How long steps may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A short command on the box.
    pub command: Duration,
    /// The whole upload.
    pub upload: Duration,
    /// Until the gateway runs, 5 to 300 seconds.
    pub start: Duration,
    /// Until its heartbeat, and until an update is confirmed; 5 to 600 seconds.
    pub heartbeat: Duration,
    /// How long a box that went away is waited for before undoing is given up.
    pub back: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(60),
            upload: Duration::from_secs(900),
            start: Duration::from_secs(30),
            heartbeat: Duration::from_secs(90),
            back: Duration::from_secs(120),
        }
    }
}

/// How a step stands. The JSON names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepState {
    Pending,
    Running,
    /// Done, or looked and found good.
    Done,
    /// All was already as wanted.
    Unchanged,
    Failed,
    /// Was not needed, or could not be done and need not be: its warning says why.
    Skipped,
    /// Was done, and is undone.
    Undone,
    /// Was done, and could not be undone: the problem says what remains.
    Remains,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepEnd {
    /// `Done`, `Unchanged`, `Failed`, `Skipped`, `Undone` or `Remains`.
    pub state: StepState,
    /// With `Failed` and `Remains`.
    pub problem: Option<ProblemReport>,
    pub warnings: Vec<ProblemReport>,
}

/// The journal does not take any more: this run was fenced off by another, or the database is
/// away. The run stops at once and touches nothing more, neither box nor journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fenced(pub String);

/// Where a run is recorded, and the questions that only the dashboard can answer. Texts are clean,
/// bounded and redacted. The run waits for each call: a slow journal slows the box's output down.
#[async_trait]
pub trait Journal: Send {
    async fn step_started(&mut self, step: StepId) -> Result<(), Fenced>;
    /// One line of the step's log, 1000 characters at most.
    async fn line(&mut self, step: StepId, line: &str) -> Result<(), Fenced>;
    /// Bytes sent so far, and in all. At most some ten times a second.
    async fn progress(&mut self, step: StepId, done: u64, total: u64) -> Result<(), Fenced>;
    /// Also called for a step that is undone: then with `Undone` or `Remains`.
    async fn step_ended(&mut self, step: StepId, end: &StepEnd) -> Result<(), Fenced>;
    /// The job has failed and begins to undo: to be stored as [`Earlier::failure`].
    async fn undoing(&mut self, step: StepId, problem: &ProblemReport) -> Result<(), Fenced>;
    /// Completes when the dashboard has seen a heartbeat that proves the job's end: of this
    /// install id, in the phase that is wanted, newer than the job's start. May be dropped while it
    /// waits, and be called again.
    async fn heartbeat(&mut self) -> Result<(), Fenced>;
    /// The new key is on the box and has logged in once: store it and erase the credential that
    /// the person gave, in one transaction.
    async fn access_traded(&mut self, traded: &AccessTraded) -> Result<(), Fenced>;
}

/// A key of the server's own that works.
#[derive(Debug, Clone)]
pub struct AccessTraded {
    /// OpenSSH PEM, without passphrase.
    pub private_key: SecretString,
    /// `ssh-ed25519 AAAA…`.
    pub public_key: String,
    /// `SHA256:…`.
    pub fingerprint: String,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    Succeeded(Box<Succeeded>),
    /// What was done is undone; `remains` says in sentences what is not.
    Failed {
        step: StepId,
        problem: ProblemReport,
        remains: Vec<String>,
    },
    /// As `Failed`, by the person's wish.
    Cancelled {
        step: StepId,
        remains: Vec<String>,
    },
    /// The journal refused: another run goes on from here.
    Stopped(Fenced),
}

/// What a job found and left.
#[derive(Debug, Clone, Default)]
pub struct Succeeded {
    pub facts: Option<Facts>,
    pub box_facts: Option<setup::Facts>,
    /// Of an install.
    pub receipt: Option<Receipt>,
    /// Of an install, update or restart.
    pub status: Option<BoxStatus>,
    pub update: Option<UpdateReport>,
    pub uninstalled: Option<Uninstalled>,
    pub warnings: Vec<ProblemReport>,
}

/// Carries out `plan` for `job`. Re-entrant: after the process was killed, call it again with the
/// same job and what the journal recorded ([`Job::earlier`]); steps that only look are done again,
/// steps that change the box are idempotent there, and what was being undone is undone.
pub async fn run(plan: &Plan, job: Job, tools: &Tools, journal: &mut dyn Journal) -> Outcome {
    driver::drive(plan, job, tools, journal).await
}
