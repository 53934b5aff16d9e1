//! Update with automatic rollback.
//!
//! The request is written to a file; a transient systemd unit of its own runs this program's verb
//! `setup-update`, which swaps the binary, writes
//! the unit that the new one brings, restarts the service, waits for an authentic answer of
//! the dashboard, and puts the binary before back when there is none. So a lost connection changes
//! nothing. After a reboot in the middle, the same request asked again resumes.

use crate::files::{self, at};
use crate::host::Host;
use crate::problem::{Result, problem};
use crate::status::not_installed;
use crate::systemd::{self, Until};
use crate::{commands, lock, receipt, serve, steps};
use chrono::{DateTime, Utc};
use proxima_types::setup::{
    BoxStep, SetupProblem, SetupProblemCode as Code, StepInput, UpdateReport, UpdateState, place,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use uuid::Uuid;

const FILE: &str = "/var/lib/proxima-gateway-setup/update.json";
const MAX_BYTES: u64 = 64 * 1024;
/// Beyond the wait for an answer: two restarts, each with its drain.
const MARGIN: Duration = Duration::from_secs(240);
/// From a rollback to a gateway that has read its configuration.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    pub job: Uuid,
    pub sha256: String,
    pub version: String,
    pub at: DateTime<Utc>,
    pub wait_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    #[serde(flatten)]
    wanted: Wanted,
    state: UpdateState,
    problem: Option<SetupProblem>,
}

impl Update {
    fn report(&self) -> UpdateReport {
        UpdateReport {
            job: self.wanted.job,
            sha256: self.wanted.sha256.clone(),
            version: self.wanted.version.clone(),
            state: self.state,
            problem: self.problem.clone(),
        }
    }

    fn save(&mut self, host: &Host<'_>, state: UpdateState, problem: Option<SetupProblem>) -> Result<()> {
        (self.state, self.problem) = (state, problem);
        files::folder(&host.at(place::SETUP), host.owner(), 0o700).map_err(at(host, place::SETUP))?;
        let json = serde_json::to_vec(self).unwrap_or_default();
        files::write(&host.at(FILE), &json, host.owner(), 0o600).map_err(at(host, FILE))
    }
}

fn load(host: &Host<'_>) -> Option<Update> {
    serde_json::from_str(&files::read(host, FILE, MAX_BYTES).ok()??).ok()
}

/// The last update that was asked for.
pub(crate) fn read(host: &Host<'_>) -> Option<UpdateReport> {
    load(host).map(|update| update.report())
}

/// Begins the update, or joins it, and waits for its end.
pub(crate) fn request(host: &Host<'_>, wanted: &Wanted) -> Result<(UpdateReport, Option<SetupProblem>)> {
    systemd::require(host)?;
    if !host.at(place::UNIT_FILE).exists() || !host.at(place::BINARY).exists() {
        return Err(not_installed());
    }
    let known = load(host).filter(|update| update.wanted.job == wanted.job);
    if known.is_none() {
        if is_active(host) {
            return Err(problem(
                Code::Busy,
                "Another update is at work on this server.",
                "Wait until it has ended, then start again.",
            ));
        }
        let mut update = Update { wanted: wanted.clone(), state: UpdateState::Requested, problem: None };
        update.save(host, UpdateState::Requested, None)?;
    }
    if !known.is_some_and(|update| update.state.is_final()) && !is_active(host) {
        systemd::run(host, commands::RUN_UPDATE)?;
    }
    let seconds = u64::from(wanted.wait_seconds.clamp(5, 600));
    let update = follow(host, wanted.job, Duration::from_secs(seconds) + MARGIN)?;
    let problem = (update.state != UpdateState::Confirmed).then(|| update.problem.clone().unwrap_or_else(interrupted));
    Ok((update.report(), problem))
}

fn is_active(host: &Host<'_>) -> bool {
    systemd::run(host, commands::UPDATE_IS_ACTIVE).is_ok()
}

fn interrupted() -> SetupProblem {
    problem(
        Code::UpdateFailed,
        "The update was interrupted on the server before its end.",
        "Ask for it again: it goes on where it was.",
    )
}

fn follow(host: &Host<'_>, job: Uuid, limit: Duration) -> Result<Update> {
    let deadline = Instant::now() + limit;
    let mut shown = None;
    loop {
        // Before the file is read: a unit that ended has written its last word.
        let active = is_active(host);
        let update = load(host).filter(|update| update.wanted.job == job).ok_or_else(interrupted)?;
        if shown != Some(update.state) {
            shown = Some(update.state);
            host.say(match update.state {
                UpdateState::Requested => "The update begins.",
                UpdateState::Swapped => "The new program is put in place; waiting for the dashboard's answer to it.",
                UpdateState::Confirmed => "The new program has the dashboard's answer.",
                UpdateState::RolledBack => "The program before is in use again.",
                UpdateState::Failed => "The update failed.",
            });
        }
        if update.state.is_final() || !active || Instant::now() >= deadline {
            return Ok(update);
        }
        std::thread::sleep(POLL);
    }
}

/// The hidden verb `setup-update`: what the transient unit runs.
///
/// # Errors
/// One sentence, for the journal: why the update did not succeed.
pub fn finish(host: &Host<'_>) -> std::result::Result<(), String> {
    let attempt = || -> Result<()> {
        serve::require_root(host)?;
        let _lock = lock::take(host)?;
        let Some(mut update) = load(host).filter(|update| !update.state.is_final()) else { return Ok(()) };
        match try_new(host, &mut update) {
            Ok(()) => update.save(host, UpdateState::Confirmed, None),
            Err(why) => roll_back(host, &mut update, why),
        }
    };
    attempt().map_err(|problem| problem.sentence)
}

fn try_new(host: &Host<'_>, update: &mut Update) -> Result<()> {
    let Wanted { job, sha256, version, at: time, wait_seconds } = update.wanted.clone();
    update.save(host, UpdateState::Swapped, None)?;
    steps::apply(host, job, &StepInput::Binary { sha256, version })?;
    steps::apply_unit_of_program(host, job)?;
    let boot = systemd::restart(host)?;
    let seconds = u64::from(wait_seconds.clamp(5, 600));
    systemd::wait(host, boot, Until::Answered, Duration::from_secs(seconds))?;
    receipt::commit(host, job, time).map(|_| ())
}

fn roll_back(host: &Host<'_>, update: &mut Update, why: SetupProblem) -> Result<()> {
    let swapped = crate::journal::find(host, update.wanted.job, BoxStep::Binary)?.is_some();
    let back = || -> Result<()> {
        steps::revert(host, update.wanted.job, BoxStep::Unit)?;
        steps::revert(host, update.wanted.job, BoxStep::Binary)?;
        if swapped {
            let boot = systemd::restart(host)?;
            systemd::wait(host, boot, Until::Runs, ROLLBACK_LIMIT)?;
        }
        Ok(())
    };
    match back() {
        Ok(()) if why.code == Code::StartFailed => {
            let problem = SetupProblem {
                code: Code::RolledBack,
                sentence: format!("The new program did not prove itself; the one before runs again. {}", why.sentence),
                remedy: "Nothing is lost. Tell the operator what the journal says, or try again.".to_owned(),
            };
            update.save(host, UpdateState::RolledBack, Some(problem))
        }
        Ok(()) => update.save(host, UpdateState::RolledBack, Some(why)),
        Err(after) => {
            let problem = problem(
                Code::UpdateFailed,
                format!("{} And the program before did not come back: {}", why.sentence, after.sentence),
                after.remedy,
            );
            update.save(host, UpdateState::Failed, Some(problem))
        }
    }
}
