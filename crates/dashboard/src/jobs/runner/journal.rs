//! Where a run is recorded: the installer's journal on the database. Every write names the fence.

use super::lease::Lease;
use crate::app::connections::credential::{Secret, seal_secret};
use crate::app::{Actor, App, AppResult, audit, commit};
use async_trait::async_trait;
use proxima_db::connections;
use proxima_db::jobs::running::{self, StepNews, Wanted};
use proxima_db::servers::Scope;
use proxima_installer::{AccessTraded, Fenced, Journal, ProblemReport, StepEnd, StepId};
use proxima_types::{CredentialKind, ServerId, StepState};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How often the database is asked whether the heartbeat has come.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(250);
/// The database may be away so long before a run gives up; the lease ends it sooner.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// The host and port that a run logs in at: what is traded there is for there alone.
pub(super) struct Place {
    pub server: ServerId,
    pub host: String,
    pub port: u16,
}

pub(super) struct DbJournal<'a> {
    app: &'a App,
    lease: &'a Lease,
    place: Place,
    steps: Vec<StepId>,
    wanted: Wanted,
}

/// Does a write again while the database is away; the job's fence makes that safe.
macro_rules! until_stored {
    ($write:expr) => {{
        let begun = Instant::now();
        loop {
            match $write.await {
                Ok(held) => break held,
                Err(error) if begun.elapsed() < PATIENCE => {
                    tracing::warn!(%error, "a job's progress could not be stored yet");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => return Err(Fenced(format!("the database is away: {error}"))),
            }
        }
    }};
}

fn held(held: bool) -> Result<(), Fenced> {
    if held { Ok(()) } else { Err(Fenced("another dashboard has this job".to_owned())) }
}

fn reports(list: &[ProblemReport]) -> Value {
    serde_json::to_value(list).unwrap_or_default()
}

impl<'a> DbJournal<'a> {
    pub fn new(app: &'a App, lease: &'a Lease, place: Place, steps: Vec<StepId>, wanted: Wanted) -> Self {
        Self { app, lease, place, steps, wanted }
    }

    fn position(&self, step: StepId) -> i32 {
        let place = self.steps.iter().position(|known| *known == step).unwrap_or_default();
        i32::try_from(place).unwrap_or_default()
    }

    async fn set(&mut self, step: StepId, state: StepState, end: Option<&StepEnd>) -> Result<(), Fenced> {
        let problem = end.and_then(|end| end.problem.as_ref()).map(|problem| json!(problem));
        let warnings = reports(end.map_or(&[], |end| end.warnings.as_slice()));
        let position = self.position(step);
        held(until_stored!(running::set_step(
            &self.app.db,
            self.lease.hold,
            position,
            StepNews { state, problem: problem.as_ref(), warnings: &warnings },
        )))
    }

    /// The key instead of what the person gave, the password for sudo included.
    async fn store_access(&self, sealed: &[u8], fingerprint: &str) -> AppResult<bool> {
        let server = self.place.server;
        let mut tx = self.app.begin().await?;
        let found = connections::find(&mut tx, Scope::All, server, true).await?;
        let Some(found) = found.filter(|found| found.connection.is_some()) else { return Ok(false) };
        if !running::lock(&mut tx, self.lease.hold).await? {
            return Ok(false);
        }
        connections::set_credential(&mut tx, server, CredentialKind::AccessKey, sealed).await?;
        connections::set_sudo(&mut tx, server, None).await?;
        let target = Some(audit::server_target(server, &found.server_name));
        let metadata = json!({ "job": self.lease.hold.job, "fingerprint": fingerprint });
        audit::succeeded(&mut tx, &Actor::system(), "server.connection.trade", target, metadata).await?;
        commit(tx).await?;
        Ok(true)
    }
}

/// The database's word for a step's state.
pub(crate) fn state_word(state: proxima_installer::StepState) -> StepState {
    use proxima_installer::StepState as Installer;
    match state {
        Installer::Pending => StepState::Pending,
        Installer::Running => StepState::Running,
        Installer::Done => StepState::Done,
        Installer::Unchanged => StepState::Unchanged,
        Installer::Failed => StepState::Failed,
        Installer::Skipped => StepState::Skipped,
        Installer::Undone => StepState::Undone,
        Installer::Remains => StepState::Remains,
    }
}

#[async_trait]
impl Journal for DbJournal<'_> {
    async fn step_started(&mut self, step: StepId) -> Result<(), Fenced> {
        self.set(step, StepState::Running, None).await
    }

    async fn line(&mut self, step: StepId, line: &str) -> Result<(), Fenced> {
        // PostgreSQL's texts hold no NUL.
        let lines = [line.replace('\0', "")];
        held(until_stored!(running::append_log(&self.app.db, self.lease.hold, self.position(step), &lines)))
    }

    async fn progress(&mut self, step: StepId, done: u64, total: u64) -> Result<(), Fenced> {
        let (sent, total) = (i64::try_from(done).unwrap_or(i64::MAX), i64::try_from(total).unwrap_or(i64::MAX));
        let position = self.position(step);
        held(until_stored!(running::set_progress(&self.app.db, self.lease.hold, position, sent, total)))
    }

    async fn step_ended(&mut self, step: StepId, end: &StepEnd) -> Result<(), Fenced> {
        self.set(step, state_word(end.state), Some(end)).await
    }

    async fn undoing(&mut self, step: StepId, problem: &ProblemReport) -> Result<(), Fenced> {
        let undoing = json!({ "step": step, "problem": problem });
        held(until_stored!(running::set_undoing(&self.app.db, self.lease.hold, &undoing)))
    }

    async fn heartbeat(&mut self) -> Result<(), Fenced> {
        loop {
            if until_stored!(running::heard(&self.app.db, self.wanted)) {
                return Ok(());
            }
            tokio::time::sleep(HEARTBEAT_EVERY).await;
        }
    }

    async fn access_traded(&mut self, traded: &AccessTraded) -> Result<(), Fenced> {
        let secret = Secret::AccessKey { private_key: Zeroizing::new(traded.private_key.expose_secret().to_owned()) };
        let Place { server, host, port } = &self.place;
        let sealed = seal_secret(self.app, *server, host, *port, &secret)
            .map_err(|error| Fenced(format!("the new key could not be sealed: {error}")))?;
        held(until_stored!(self.store_access(&sealed, &traded.fingerprint)))
    }
}
