//! `setup enroll`: the box installs itself, because a person ran the dashboard's install command on it. The steps, their
//! journal, their reverts and the receipt are those of an install over SSH; what the dashboard would ask for there is asked
//! of the dashboard here ([`dashboard`]), and a person looks on ([`terminal`]).

mod claim;
mod dashboard;
mod run;
mod terminal;

use crate::files;
use crate::host::Host;
use crate::problem::{Result, problem};
use crate::serve::require_root;
use crate::{facts, lock, systemd};
use dashboard::{Dashboard, Lost};
use proxima_types::enroll::{ClaimRequest, ENROLL_PROTOCOL, LISTENERS_MAX};
use proxima_types::identity::DashboardUrl;
use proxima_types::secrets::KEY_BYTES;
use proxima_types::setup::{Facts, SetupProblem, SetupProblemCode as Code, place};
use proxima_types::{InstallToken, ReportToken};
use rustix::fs::Mode;
use std::io::{BufRead, Read as _, Write};
use std::path::PathBuf;
use terminal::Terminal;
use zeroize::Zeroizing;

/// What an install command brings.
pub struct Enrollment<'a> {
    pub dashboard: DashboardUrl,
    /// One line with the install token.
    pub input: &'a mut dyn BufRead,
    /// The program that runs: it becomes the gateway.
    pub program: PathBuf,
    /// Fills a buffer from the operating system's CSPRNG.
    pub random: &'a dyn Fn(&mut [u8]),
    /// Whether a person or the system wants this process to end.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Installed,
    /// The box is as it was, or it was said what remains.
    Failed,
    /// As `Failed`, by a signal.
    Interrupted,
}

/// Installs this box. What happens is said on `out`, for a person.
pub fn enroll(host: &Host<'_>, wanted: &mut Enrollment<'_>, out: &mut dyn Write) -> Ended {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let terminal = Terminal::new(out);
    match begin(host, wanted, &terminal) {
        Ok(ended) => ended,
        Err(problem) => {
            terminal.refused(&problem);
            Ended::Failed
        }
    }
}

fn begin(host: &Host<'_>, wanted: &mut Enrollment<'_>, terminal: &Terminal<'_>) -> Result<Ended> {
    require_root(host)?;
    systemd::require(host)?;
    let token = read_token(&mut *wanted.input)?;
    let _lock = lock::take(host)?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    (wanted.random)(&mut *bytes);
    let report_token = ReportToken::from_random_bytes(*bytes);
    let facts = look(host)?;
    let request = ClaimRequest { protocol: ENROLL_PROTOCOL, report_token: report_token.clone(), facts: facts.clone() };
    let mut dashboard = Dashboard::new(host, &wanted.dashboard, wanted.interrupted)?;
    let answer = match dashboard.claim(&token, &request) {
        Ok(answer) => answer,
        Err(Lost::Interrupted) => return Ok(Ended::Interrupted),
        Err(Lost::Problem(problem) | Lost::Ended(problem)) => return Err(problem),
    };
    dashboard.reports_go_to(answer.job, report_token);
    terminal.begins(&answer.server_name, &wanted.dashboard);
    // The binary's step looks there; this process runs on from its file.
    let staged = host.at(place::STAGED);
    let stage = claim::is_free(host, &answer)
        .and_then(|()| files::link(&wanted.program, &staged).map_err(files::at(host, place::STAGED)));
    Ok(run::run(host, &mut dashboard, terminal, run::Job { answer, facts, stage, interrupted: wanted.interrupted }))
}

fn read_token(input: &mut dyn BufRead) -> Result<InstallToken> {
    let mut line = Zeroizing::new(String::new());
    let _ = input.take(256).read_line(&mut line);
    InstallToken::parse(line.trim()).map_err(|_| {
        problem(
            Code::BadRequest,
            "There is no install token on standard input.",
            "Run the whole command as the dashboard shows it.",
        )
    })
}

/// With the listeners of every port: which ones matter the dashboard knows.
fn look(host: &Host<'_>) -> Result<Facts> {
    let mut facts = facts::gather(host, &[])?;
    facts.listeners.sort();
    facts.listeners.truncate(LISTENERS_MAX);
    Ok(facts)
}

/// A problem's stable word.
pub(crate) fn code_of(problem: &SetupProblem) -> String {
    let code = serde_json::to_value(problem.code).ok();
    code.as_ref().and_then(|code| code.as_str()).unwrap_or("SETUP_FAILED").to_owned()
}
