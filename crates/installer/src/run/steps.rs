//! What each step does.

use super::driver::Run;
use super::remote::{failure, is_not_installed};
use super::{Fenced, StepState};
use crate::facts::{FACTS_COMMAND, Facts, Requirements, SYSTEMD_VERSION_MIN, judge_facts};
use crate::plan::{JobKind, StepId};
use crate::problem::Problem;
use crate::ssh::{Connection, Exec, Payload, Privileges, Silent, Stop};
use proxima_types::setup::{
    ConfigText, PortListener, SetupAction, SetupData, SetupReply, StepInput, StepOutcome, place,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Free space beside the binaries themselves (new, present and previous): configuration, logs.
pub(crate) const FREE_KIB: u64 = 20 * 1024;
/// What an update may take on the box beyond the wait for its answer: two restarts with drain.
const UPDATE_MARGIN: Duration = Duration::from_secs(300);
/// Between attempts to come back to a box whose connection was lost in an update.
const RECONNECT_PAUSE: Duration = Duration::from_secs(3);

/// How a step ended that did not fail.
pub(super) struct Ended {
    pub state: StepState,
    pub warnings: Vec<Problem>,
}

impl Ended {
    pub(super) fn done() -> Self {
        Self { state: StepState::Done, warnings: vec![] }
    }

    pub(super) fn unchanged() -> Self {
        Self { state: StepState::Unchanged, warnings: vec![] }
    }

    pub(super) fn skipped(why: Problem) -> Self {
        Self { state: StepState::Skipped, warnings: vec![why] }
    }
}

type Step = Result<Ended, Stop>;

impl Run<'_> {
    pub(super) async fn carry_out(&mut self, id: StepId) -> Step {
        match id {
            StepId::Connect => self.connect().await,
            StepId::HostKey => self.host_key().await,
            StepId::Login => self.log_in().await,
            StepId::Privileges => self.find_privileges().await,
            StepId::Facts => self.look().await,
            StepId::Upload => self.upload().await,
            StepId::Reach => self.check_reach().await,
            StepId::Binary | StepId::User | StepId::Config | StepId::Unit | StepId::Start => self.apply(id).await,
            StepId::Heartbeat => self.await_heartbeat().await,
            StepId::Access => self.trade_access().await,
            StepId::Swap => self.swap().await,
            StepId::Restart => self.restart().await,
            StepId::Remove => self.remove().await,
        }
    }

    async fn connect(&mut self) -> Step {
        let target = self.job.target.clone();
        let connecting = self.tools.outbound.connect(target.host(), target.port());
        let stream = tokio::select! {
            () = self.job.cancel.cancelled() => return Err(Problem::Cancelled.into()),
            stream = connecting => stream.map_err(Problem::from)?,
        };
        let address = stream.peer_addr().map_or_else(|_| target.to_string(), |address| address.to_string());
        self.stream = Some(stream);
        self.line(StepId::Connect, &format!("Connected to {address}.")).await?;
        Ok(Ended::done())
    }

    async fn host_key(&mut self) -> Step {
        let stream = self.stream.take().ok_or(Problem::ConnectionLost { reason: String::new() })?;
        let verifying = Connection::verify(stream, &self.job.target, &self.job.pinned);
        let connection = tokio::select! {
            () = self.job.cancel.cancelled() => return Err(Problem::Cancelled.into()),
            connection = verifying => connection?,
        };
        self.connection = Some(connection);
        let line = format!("The server has proved the key that you confirmed: {}.", self.job.pinned.fingerprint);
        self.line(StepId::HostKey, &line).await?;
        Ok(Ended::done())
    }

    async fn log_in(&mut self) -> Step {
        let connection = self.connection.take().ok_or(Problem::ConnectionLost { reason: String::new() })?;
        let logging_in = connection.login(&self.job.login, self.redactor.clone());
        let session = tokio::select! {
            () = self.job.cancel.cancelled() => return Err(Problem::Cancelled.into()),
            session = logging_in => session?,
        };
        let banner = session.banner();
        self.session = Some(session);
        let user = self.job.target.user().to_owned();
        self.line(StepId::Login, &format!("Logged in as {user}.")).await?;
        if !banner.is_empty() {
            self.line(StepId::Login, &format!("The server says: {banner}")).await?;
        }
        Ok(Ended::done())
    }

    async fn find_privileges(&mut self) -> Step {
        let cancel = self.job.cancel.clone();
        let session = self.session.as_mut().ok_or(Problem::ConnectionLost { reason: String::new() })?;
        let found = session.detect_privileges(&mut Silent, &cancel).await?;
        self.privileges = Some(found);
        let line = match found {
            Privileges::Root => "The user is root.",
            Privileges::Sudo => "sudo works without a password.",
            Privileges::SudoPassword => "sudo works with the password.",
            Privileges::Helper => "The helper of an earlier install works.",
        };
        self.line(StepId::Privileges, line).await?;
        Ok(Ended::done())
    }

    async fn look(&mut self) -> Step {
        let facts = self.read_facts(StepId::Facts).await?;
        let now = (self.tools.clock)();
        let binary = self.tools.binaries.open(&facts.architecture).await;
        let requirements = Requirements {
            free_kib: FREE_KIB + binary.as_ref().map_or(0, |binary| binary.bytes.div_ceil(1024) * 3),
            systemd_version: SYSTEMD_VERSION_MIN,
            clock_seconds: crate::facts::CLOCK_SECONDS_MAX,
            architectures: self.tools.binaries.architectures().await,
            release_folder: self.tools.binaries.folder().display().to_string(),
        };
        let line = format!("{}, {}, {} as process 1.", facts.os_name, facts.architecture, facts.init);
        self.line(StepId::Facts, &line).await?;
        let problems = judge_facts(&facts, now, &requirements);
        self.found.facts = Some(facts);
        for problem in &problems {
            self.line(StepId::Facts, &problem.report().sentence).await?;
        }
        let (warnings, mut faults): (Vec<_>, Vec<_>) = problems.into_iter().partition(Problem::is_warning);
        if !faults.is_empty() {
            return Err(faults.remove(0).into());
        }
        self.binary = Some(binary?);
        Ok(Ended { state: StepState::Done, warnings })
    }

    async fn read_facts(&mut self, step: StepId) -> Result<Facts, Stop> {
        let (what, limit) = ("Looking at the server", self.tools.limits.command);
        let cancel = self.job.cancel.clone();
        self.ensure_session(&cancel).await?;
        let mut remote = self.remote(step, &cancel)?;
        let exec = Exec { what, command: FACTS_COMMAND, payload: Payload::default(), limit };
        let output = remote.session.exec(exec, &mut remote.log, &cancel).await?;
        let facts = Facts::parse(&String::from_utf8_lossy(&output.stdout));
        Ok(facts.map_err(|reason| Problem::FactsUnreadable { reason })?)
    }

    async fn upload(&mut self) -> Step {
        let limits = self.tools.limits;
        let cancel = self.job.cancel.clone();
        self.ensure_session(&cancel).await?;
        let mut binary =
            self.binary.take().ok_or(Problem::BinaryUnreadable { reason: "it was not opened".to_owned() })?;
        let claimant = self.claimant();
        let staged = self.remote(StepId::Upload, &cancel)?.is_staged(&binary, &claimant, limits.command).await?;
        self.touch(StepId::Upload);
        let state = if staged {
            self.line(StepId::Upload, "The same program was uploaded before.").await?;
            StepState::Unchanged
        } else {
            let line = format!("Version {}, {} bytes, SHA-256 {}.", binary.version, binary.bytes, binary.sha256);
            self.line(StepId::Upload, &line).await?;
            self.remote(StepId::Upload, &cancel)?.upload(&mut binary, limits.upload).await?;
            StepState::Done
        };
        self.binary = Some(binary);
        Ok(Ended { state, warnings: vec![] })
    }

    /// The server that an install is of, as its `config.json` says.
    fn claimant(&self) -> String {
        let config = self.job.inputs.config.as_ref().map(|config| serde_json::from_str(config.expose()));
        let config: serde_json::Value = config.and_then(Result::ok).unwrap_or_default();
        config.get("serverId").and_then(|id| id.as_str()).unwrap_or_default().to_owned()
    }

    pub(super) fn touch(&mut self, id: StepId) {
        self.touched.retain(|touched| *touched != id);
        self.touched.push(id);
    }

    /// Asks the setup program; its replies that tell of a failure are returned too.
    pub(super) async fn ask(
        &mut self,
        step: StepId,
        action: &SetupAction,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<SetupReply, Stop> {
        self.ensure_session(cancel).await?;
        let job = self.job.id;
        self.remote(step, cancel)?.setup(job, action, limit).await
    }

    async fn check_reach(&mut self) -> Step {
        let limit = self.tools.limits.command;
        let cancel = self.job.cancel.clone();
        let ports = self.job.inputs.ports.clone();
        let reply = self.ask(StepId::Reach, &SetupAction::Facts { ports: ports.clone() }, limit, &cancel).await?;
        if let Some(problem) = failure(&reply) {
            return Err(problem.into());
        }
        if let Some(SetupData::Facts(facts)) = reply.data {
            let taken = facts.listeners.iter().find(|listener| ports.contains(&listener.port) && !is_ours(listener));
            if let Some(listener) = taken {
                return Err(Problem::PortTaken { port: listener.port, by: by(listener) }.into());
            }
            self.found.box_facts = Some(*facts);
        }
        let dashboard_url = self.job.inputs.dashboard_url.clone();
        let reply = self.ask(StepId::Reach, &SetupAction::Reach { dashboard_url }, limit, &cancel).await?;
        if let Some(problem) = failure(&reply) {
            // A wrong clock is the usual reason: it was warned of, and is repeated where it bites.
            let clock = self.found.warnings.iter().find(|warning| warning.code == "CLOCK_OFF").cloned();
            if let Some(clock) = clock {
                self.line(StepId::Reach, &format!("{} {}", clock.sentence, clock.remedy)).await?;
            }
            return Err(problem.into());
        }
        if let Some(SetupData::Reach(reach)) = reply.data {
            let line = format!("The server reaches the dashboard in {} ms.", reach.elapsed_ms);
            self.line(StepId::Reach, &line).await?;
        }
        Ok(Ended::done())
    }

    /// A step of the setup program. Not cancelled in its middle: it is short, and what it does on
    /// the box would go on all the same.
    async fn apply(&mut self, id: StepId) -> Step {
        let limits = self.tools.limits;
        let missing = || Problem::SetupUnreadable { reason: "the job lacks what this step needs".to_owned() };
        let input = match id {
            StepId::Binary => {
                let binary = self.binary.as_ref().ok_or_else(missing)?;
                StepInput::Binary { sha256: binary.sha256.clone(), version: binary.version.clone() }
            }
            StepId::User => StepInput::User {},
            StepId::Config => StepInput::Config {
                config: self
                    .job
                    .inputs
                    .config
                    .clone()
                    .map(|text| ConfigText::new(text.expose().to_owned()))
                    .ok_or_else(missing)?,
                replace_other_server: self.job.inputs.replace_other_server,
            },
            StepId::Unit => StepInput::Unit {},
            _ => StepInput::Start { wait_seconds: seconds(limits.start, 5, 300) },
        };
        self.touch(id);
        let limit = if id == StepId::Start { limits.command + limits.start } else { limits.command };
        let reply = self.ask(id, &SetupAction::Apply { input }, limit, &CancellationToken::new()).await?;
        if let Some(problem) = failure(&reply) {
            return Err(problem.into());
        }
        if let Some(SetupData::Step(step)) = &reply.data {
            for thing in &step.things {
                self.line(id, &format!("{}: {}", thing.name, format!("{:?}", thing.done).to_lowercase())).await?;
            }
        }
        Ok(if reply.outcome == StepOutcome::Unchanged { Ended::unchanged() } else { Ended::done() })
    }

    async fn await_heartbeat(&mut self) -> Step {
        let limit = self.tools.limits.heartbeat;
        let cancel = self.job.cancel.clone();
        let seen = tokio::select! {
            () = cancel.cancelled() => return Err(Problem::Cancelled.into()),
            seen = timeout(limit, self.journal.heartbeat()) => seen,
        };
        let never = CancellationToken::new();
        if let Ok(seen) = seen {
            seen?;
        } else {
            self.show_journal(&never).await?;
            return Err(Problem::NoHeartbeat { seconds: limit.as_secs() }.into());
        }
        self.line(StepId::Heartbeat, "The dashboard has the heartbeat.").await?;
        if self.job.kind == JobKind::Install {
            let at = (self.tools.clock)();
            let reply =
                self.ask(StepId::Heartbeat, &SetupAction::Commit { at }, self.tools.limits.command, &never).await?;
            if let Some(problem) = failure(&reply) {
                return Err(problem.into());
            }
            if let Some(SetupData::Receipt(receipt)) = reply.data {
                self.found.receipt = Some(receipt);
            }
            self.touched.clear();
            // Others may install here from now on; what keeps us from saying so passes with time.
            let limit = self.tools.limits.command;
            match self.remote(StepId::Heartbeat, &never)?.undo_upload(limit).await {
                Ok(()) | Err(Stop::Problem(_)) => {}
                Err(Stop::Fenced(fenced)) => return Err(fenced.into()),
            }
        }
        // Only to be shown: a box that falls silent now is online all the same.
        let limit = self.tools.limits.command;
        match self.ask(StepId::Heartbeat, &SetupAction::Status {}, limit, &never).await {
            Ok(SetupReply { data: Some(SetupData::Status(status)), .. }) => self.found.status = Some(*status),
            Ok(_) | Err(Stop::Problem(_)) => {}
            Err(Stop::Fenced(fenced)) => return Err(fenced.into()),
        }
        Ok(Ended::done())
    }

    /// Puts the last lines of the gateway's own journal into the log, when the box still answers.
    async fn show_journal(&mut self, cancel: &CancellationToken) -> Result<(), Fenced> {
        let limit = self.tools.limits.command;
        let reply = match self.ask(StepId::Heartbeat, &SetupAction::Status {}, limit, cancel).await {
            Ok(reply) => reply,
            Err(Stop::Problem(_)) => return Ok(()),
            Err(Stop::Fenced(fenced)) => return Err(fenced),
        };
        if let Some(SetupData::Status(status)) = reply.data {
            let unit = format!("The service is {} ({}).", status.unit.active, status.unit.sub);
            self.line(StepId::Heartbeat, &unit).await?;
            for line in &status.journal {
                self.line(StepId::Heartbeat, line).await?;
            }
        }
        Ok(())
    }

    /// The box does the update by itself, so a lost connection is only waited out.
    async fn swap(&mut self) -> Step {
        let wait = self.tools.limits.heartbeat;
        let binary =
            self.binary.as_ref().ok_or(Problem::BinaryUnreadable { reason: "it was not opened".to_owned() })?;
        let action = SetupAction::Update {
            sha256: binary.sha256.clone(),
            version: binary.version.clone(),
            at: (self.tools.clock)(),
            wait_seconds: seconds(wait, 5, 600),
        };
        self.touch(StepId::Swap);
        let never = CancellationToken::new();
        let deadline = Instant::now() + wait + UPDATE_MARGIN;
        let reply = loop {
            match self.ask(StepId::Swap, &action, wait + UPDATE_MARGIN, &never).await {
                Err(Stop::Problem(problem)) if problem.ends_connection() && Instant::now() < deadline => {
                    self.hang_up().await;
                    self.line(StepId::Swap, "The connection was lost; the server goes on by itself. Connecting again.")
                        .await?;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                other => break other?,
            }
        };
        if let Some(SetupData::Update(report)) = &reply.data {
            self.found.update = Some(report.clone());
        }
        failure(&reply).map_or(Ok(Ended::done()), |problem| Err(problem.into()))
    }

    async fn restart(&mut self) -> Step {
        let limits = self.tools.limits;
        let limit = limits.command + limits.start;
        let reply = self.ask(StepId::Restart, &SetupAction::Restart {}, limit, &CancellationToken::new()).await?;
        if let Some(SetupData::Status(status)) = &reply.data {
            self.found.status = Some((**status).clone());
        }
        failure(&reply).map_or(Ok(Ended::done()), |problem| Err(problem.into()))
    }

    async fn remove(&mut self) -> Step {
        let limits = self.tools.limits;
        let never = CancellationToken::new();
        let limit = limits.command * 2;
        let mut reply = self.ask(StepId::Remove, &SetupAction::Uninstall {}, limit, &never).await?;
        if is_not_installed(&reply) {
            // Half an installation may be there without its program: ours removes it.
            let facts = self.read_facts(StepId::Remove).await?;
            let mut binary = self.tools.binaries.open(&facts.architecture).await?;
            self.remote(StepId::Remove, &never)?.upload(&mut binary, limits.upload).await?;
            reply = self.ask(StepId::Remove, &SetupAction::Uninstall {}, limit, &never).await?;
        }
        if let Some(problem) = failure(&reply) {
            return Err(problem.into());
        }
        if let Some(SetupData::Uninstalled(report)) = reply.data {
            for line in &report.removed {
                self.line(StepId::Remove, &format!("Removed: {line}")).await?;
            }
            for line in &report.left {
                self.line(StepId::Remove, &format!("Left: {line}")).await?;
            }
            self.found.uninstalled = Some(report);
        }
        self.forget_access(&never).await?;
        Ok(if reply.outcome == StepOutcome::Unchanged { Ended::unchanged() } else { Ended::done() })
    }
}

pub(crate) fn is_ours(listener: &PortListener) -> bool {
    listener.unit.as_deref() == Some(place::UNIT)
}

pub(crate) fn by(listener: &PortListener) -> String {
    match (&listener.process, &listener.unit) {
        (Some(process), Some(unit)) => format!("{process} ({unit})"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => "another program".to_owned(),
    }
}

fn seconds(limit: Duration, min: u32, max: u32) -> u32 {
    u32::try_from(limit.as_secs()).unwrap_or(max).clamp(min, max)
}
