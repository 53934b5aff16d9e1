//! What systemd and the gateway say of the service.

use crate::commands::{self, CommandLine, Ended};
use crate::files;
use crate::host::Host;
use crate::problem::{self, Result, problem};
use proxima_types::setup::{SetupProblem, SetupProblemCode, UnitState, place};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// No `status.json` is longer, in bytes.
const MAX_STATUS_BYTES: u64 = 256 * 1024;
const POLL: Duration = Duration::from_millis(100);
/// Of the journal's lines.
const MAX_LINE: usize = 500;
/// Of those, in the sentence that says why a start failed; the job's log has more.
const LINES_IN_SENTENCE: usize = 5;

pub(crate) fn run(host: &Host<'_>, line: CommandLine) -> Result<Ended> {
    problem::command(line, host.commands.run(line))
}

/// Whether systemd is what runs this box (sd_booted(3)).
pub(crate) fn is_running(host: &Host<'_>) -> bool {
    host.at("/run/systemd/system").is_dir()
}

pub(crate) fn require(host: &Host<'_>) -> Result<()> {
    if is_running(host) { Ok(()) } else { Err(problem::no_systemd()) }
}

/// The unit as the program in use prints it.
pub(crate) fn printed_unit(host: &Host<'_>) -> Result<String> {
    let ended = run(host, commands::PRINT_UNIT).map_err(|error| start_failed(host, &error.sentence))?;
    if ended.stdout.contains("[Service]") {
        Ok(ended.stdout)
    } else {
        Err(start_failed(host, "The program does not print its systemd unit."))
    }
}

pub(crate) fn state(host: &Host<'_>) -> Result<UnitState> {
    run(host, commands::SHOW).map(|ended| parse_show(&ended.stdout))
}

fn parse_show(text: &str) -> UnitState {
    let mut state = UnitState::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = value.trim();
        match name {
            "LoadState" => value.clone_into(&mut state.load),
            "ActiveState" => value.clone_into(&mut state.active),
            "SubState" => value.clone_into(&mut state.sub),
            "UnitFileState" => value.clone_into(&mut state.enabled),
            "MainPID" => state.main_pid = value.parse().ok().filter(|&pid| pid != 0),
            "NRestarts" => state.restarts = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    state
}

/// Active, or about to be by itself.
pub(crate) fn is_up(state: &UnitState) -> bool {
    matches!(state.active.as_str(), "active" | "activating" | "reloading")
}

/// The last lines of the unit's journal, as they may be shown.
pub(crate) fn journal(host: &Host<'_>) -> Vec<String> {
    let Ok(ended) = host.commands.run(commands::JOURNAL) else { return Vec::new() };
    ended.stdout.lines().map(|line| problem::quote(line).chars().take(MAX_LINE).collect()).collect()
}

/// The gateway's own `status.json` as it is.
pub(crate) fn gateway_status(host: &Host<'_>) -> Option<Value> {
    let text = files::read(host, &format!("{}/status.json", place::STATE), MAX_STATUS_BYTES).ok()??;
    serde_json::from_str(&text).ok()
}

/// What of it is needed here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GatewayStatus {
    pub version: Option<String>,
    /// Another at each start of the gateway.
    pub boot_id: Option<uuid::Uuid>,
    process: Option<Process>,
    /// When this process heard the last authentic answer.
    answered_at: Option<Value>,
    /// Why it heard none.
    pub silence: Option<String>,
    /// Of the last authentic answer.
    license: Option<String>,
    /// Why it ended.
    stopped: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Process {
    pid: u32,
}

impl GatewayStatus {
    pub(crate) fn read(host: &Host<'_>) -> Self {
        gateway_status(host).and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }

    pub(crate) fn is_of(&self, unit: &UnitState) -> bool {
        self.stopped.is_none()
            && unit.main_pid.is_some()
            && self.process.as_ref().map(|process| process.pid) == unit.main_pid
    }

    /// It came up: it read its configuration, took its state directory and runs, or ended by itself.
    fn has_run(&self, unit: &UnitState) -> bool {
        self.stopped.is_some() || self.is_of(unit)
    }

    /// EXPIRED is an answer too, though it ends the process that heard it.
    fn is_answered(&self, unit: &UnitState) -> bool {
        let expired = self.stopped.is_some() && self.license.as_deref() == Some("EXPIRED");
        self.answered_at.is_some() && (expired || self.is_of(unit))
    }
}

/// What a start is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Runs,
    /// It heard an authentic answer of the dashboard.
    Answered,
}

/// Restarts the service; the id of the boot that this ended, for [`wait`].
pub(crate) fn restart(host: &Host<'_>) -> Result<Option<uuid::Uuid>> {
    let before = GatewayStatus::read(host).boot_id;
    run(host, commands::RESTART).map(|_| before).map_err(|error| start_failed(host, &error.sentence))
}

/// Waits until a gateway that is not the boot `before` is as asked.
pub(crate) fn wait(host: &Host<'_>, before: Option<uuid::Uuid>, until: Until, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let (unit, status) = (state(host)?, GatewayStatus::read(host));
        let fulfilled = match until {
            Until::Runs => status.has_run(&unit),
            Until::Answered => status.is_answered(&unit),
        };
        if fulfilled && status.boot_id != before {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let seconds = limit.as_secs();
            let why = match until {
                Until::Runs => format!("It did not come up within {seconds} s (systemd says: {}).", unit.sub),
                Until::Answered => {
                    let silence = status.silence.map(|why| format!(" It says: {}", problem::quote(&why)));
                    format!("It got no answer of the dashboard within {seconds} s.{}", silence.unwrap_or_default())
                }
            };
            return Err(start_failed(host, &why));
        }
        std::thread::sleep(POLL);
    }
}

/// What a line of the gateway's journal says; ours are JSON, systemd's are text.
fn message(line: &str) -> String {
    let json: Option<Value> = serde_json::from_str(line).ok();
    let field = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    match (field("message"), field("error")) {
        (Some(message), Some(error)) => format!("{message}: {error}"),
        (Some(message), None) => message,
        _ => line.to_owned(),
    }
}

fn start_failed(host: &Host<'_>, why: &str) -> SetupProblem {
    let mut sentence = format!("The gateway did not start. {why}");
    let journal = journal(host);
    journal.iter().for_each(|line| host.say(line));
    let last: Vec<_> = journal.iter().rev().take(LINES_IN_SENTENCE).rev().map(|line| message(line)).collect();
    if !last.is_empty() {
        sentence.push_str(&format!(" Its journal ends with: {}", last.join(" / ")));
    }
    problem(
        SetupProblemCode::StartFailed,
        sentence,
        "The journal says why; on the server it is shown by: journalctl -u proxima-gateway. Mend that, then start again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_read() {
        let state = parse_show(
            "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=enabled\nMainPID=0\nNRestarts=7\nNew=x\n",
        );
        assert_eq!((state.main_pid, state.restarts, is_up(&state)), (None, 7, true));
        assert!(!is_up(&parse_show("ActiveState=failed")));
        assert_eq!(parse_show("MainPID=41").main_pid, Some(41));
    }

    #[test]
    fn lines_of_the_journal_are_told_in_words() {
        let line = r#"{"timestamp":"x","level":"WARN","message":"no answer","error":"refused","target":"t"}"#;
        assert_eq!(message(line), "no answer: refused");
        assert_eq!(message(r#"{"message":"drained"}"#), "drained");
        for line in ["Started proxima-gateway.service.", "{\"a\":1}", "{\"message\""] {
            assert_eq!(message(line), line);
        }
    }

    #[test]
    fn only_the_running_process_counts_as_answered() {
        let unit = UnitState { main_pid: Some(7), ..UnitState::default() };
        let status = |json: serde_json::Value| serde_json::from_value::<GatewayStatus>(json).expect("reads");
        let answered = serde_json::json!({ "process": { "pid": 7 }, "answeredAt": "2026-11-21T12:00:00Z" });
        assert!(status(answered.clone()).is_answered(&unit));
        assert!(!status(answered).is_answered(&UnitState { main_pid: Some(8), ..unit.clone() }));
        let silent = status(serde_json::json!({ "process": { "pid": 7 }, "answeredAt": null }));
        assert!(!silent.is_answered(&unit) && silent.has_run(&unit));
        let expired =
            serde_json::json!({ "process": { "pid": 7 }, "answeredAt": "x", "license": "EXPIRED", "stopped": "why" });
        assert!(status(expired).is_answered(&UnitState::default()), "the license ended it: it was answered");
        let ended = status(serde_json::json!({ "process": { "pid": 7 }, "answeredAt": "x", "stopped": "why" }));
        assert!(!ended.is_answered(&unit) && ended.has_run(&unit));
    }
}
