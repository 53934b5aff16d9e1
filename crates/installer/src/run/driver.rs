//! The order of things: step after step, and what happens when one fails.

use super::remote::{Remote, StepLog};
use super::steps::Ended;
use super::{Fenced, Job, Journal, Outcome, StepEnd, StepState, Succeeded, Tools};
use crate::binaries::Binary;
use crate::plan::{Plan, PlannedStep, StepId};
use crate::problem::Problem;
use crate::ssh::{Connection, Privileges, Session, Silent, Stop};
use crate::text::Redactor;
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A run in progress.
pub(super) struct Run<'a> {
    pub plan: &'a Plan,
    pub job: Job,
    pub tools: &'a Tools,
    pub journal: &'a mut dyn Journal,
    pub redactor: Redactor,
    pub stream: Option<TcpStream>,
    pub connection: Option<Connection>,
    pub session: Option<Session>,
    pub privileges: Option<Privileges>,
    pub binary: Option<Binary>,
    /// Steps that changed the box, or may have: in the order in which they are undone backwards.
    pub touched: Vec<StepId>,
    pub found: Succeeded,
}

pub(super) async fn drive(plan: &Plan, job: Job, tools: &Tools, journal: &mut dyn Journal) -> Outcome {
    let mut run = Run::new(plan, job, tools, journal);
    match run.go().await {
        Ok(outcome) => outcome,
        Err(fenced) => Outcome::Stopped(fenced),
    }
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, job: Job, tools: &'a Tools, journal: &'a mut dyn Journal) -> Self {
        let config = job.inputs.config.as_ref().map(secrets_of_config).unwrap_or_default();
        let redactor = Redactor::new(job.login.secrets().chain(&config));
        let touched = plan.steps.iter().map(|step| step.id).filter(|id| was_touched(&job, *id)).collect();
        Self {
            plan,
            job,
            tools,
            journal,
            redactor,
            stream: None,
            connection: None,
            session: None,
            privileges: None,
            binary: None,
            touched,
            found: Succeeded::default(),
        }
    }

    async fn go(&mut self) -> Result<Outcome, Fenced> {
        let earlier = self.job.earlier.clone().unwrap_or_default();
        if let Some((step, problem)) = earlier.failure {
            return self.undo(step, problem).await;
        }
        let committed = earlier.states.contains(&(StepId::Heartbeat, StepState::Done));
        for step in self.plan.steps.iter().filter(|step| !(committed && is_behind_commit(step.id))) {
            if let Some(outcome) = self.step(step).await? {
                return Ok(outcome);
            }
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        Ok(Outcome::Succeeded(Box::new(std::mem::take(&mut self.found))))
    }

    /// Does one step; an outcome when the job ends with it.
    async fn step(&mut self, step: &PlannedStep) -> Result<Option<Outcome>, Fenced> {
        let id = step.id;
        self.journal.step_started(id).await?;
        let result = if self.job.cancel.is_cancelled() && id != StepId::Access {
            Err(Problem::Cancelled.into())
        } else {
            self.carry_out(id).await
        };
        match result {
            Ok(Ended { state, warnings }) => {
                let warnings: Vec<_> = warnings.iter().map(Problem::report).collect();
                self.found.warnings.extend(warnings.iter().cloned());
                self.journal.step_ended(id, &StepEnd { state, problem: None, warnings }).await?;
                Ok(None)
            }
            Err(Stop::Fenced(fenced)) => Err(fenced),
            Err(Stop::Problem(problem)) => {
                if problem.ends_connection() {
                    self.hang_up().await;
                }
                let report = problem.report();
                let end = StepEnd { state: StepState::Failed, problem: Some(report.clone()), warnings: vec![] };
                self.journal.step_ended(id, &end).await?;
                self.undo(id, report).await.map(Some)
            }
        }
    }

    pub(super) async fn hang_up(&mut self) {
        self.stream = None;
        self.connection = None;
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// A session that is logged in and knows its privileges: the present one, or a new one when it
    /// ended.
    pub(super) async fn ensure_session(&mut self, cancel: &CancellationToken) -> Result<(), Stop> {
        if self.session.as_ref().is_some_and(|session| !session.is_closed()) {
            return Ok(());
        }
        self.session = None;
        let Job { target, pinned, login, .. } = &self.job;
        let opening = Session::open(target, pinned, login, &self.tools.outbound, self.redactor.clone());
        let mut session = tokio::select! {
            () = cancel.cancelled() => return Err(Problem::Cancelled.into()),
            session = opening => session?,
        };
        self.privileges = Some(session.detect_privileges(&mut Silent, cancel).await?);
        self.session = Some(session);
        Ok(())
    }

    /// The session with the log of `step`. Call [`Self::ensure_session`] before.
    ///
    /// # Errors
    /// When there is no session.
    pub(super) fn remote<'r>(&'r mut self, step: StepId, cancel: &'r CancellationToken) -> Result<Remote<'r>, Problem> {
        let session = self.session.as_ref().ok_or(Problem::ConnectionLost { reason: String::new() })?;
        let log = StepLog { journal: &mut *self.journal, step };
        Ok(Remote { session, log, cancel, redactor: &self.redactor })
    }

    pub(super) async fn line(&mut self, step: StepId, line: &str) -> Result<(), Fenced> {
        let line = crate::text::clean(self.redactor.redact(line).as_bytes(), 1000);
        self.journal.line(step, &line).await
    }
}

/// What a resumed install need not do again once it was committed: the box is as it should be.
fn is_behind_commit(id: StepId) -> bool {
    !matches!(id, StepId::Connect | StepId::HostKey | StepId::Login | StepId::Privileges | StepId::Access)
}

/// Whether an earlier run may have changed the box in that step and has not undone it.
fn was_touched(job: &Job, id: StepId) -> bool {
    use StepState::{Done, Failed, Remains, Running, Unchanged};
    let states = job.earlier.as_ref().map(|earlier| earlier.states.as_slice()).unwrap_or_default();
    !id.is_read_only()
        && states
            .iter()
            .any(|(step, state)| *step == id && matches!(state, Done | Failed | Remains | Running | Unchanged))
}

/// The values in a `config.json` that must not be logged: its keys, and the whole of it.
fn secrets_of_config(config: &proxima_types::setup::ConfigText) -> Vec<SecretString> {
    let value: serde_json::Value = serde_json::from_str(config.expose()).unwrap_or_default();
    ["apiKey", "apiSecret"].iter().filter_map(|name| value.get(name)?.as_str().map(SecretString::from)).collect()
}
