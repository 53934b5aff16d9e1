//! The steps, one after the other; and everything back when one fails.

use super::dashboard::{Dashboard, Lost};
use super::terminal::{Terminal, title};
use super::{Ended, code_of};
use crate::host::Host;
use crate::problem::Result;
use crate::{journal, receipt, status, steps, systemd};
use chrono::DateTime;
use proxima_types::StepState;
use proxima_types::enroll::{
    ClaimAnswer, EnrollProblem, EnrollStep, LINE_CHARS_MAX, NEWS_MAX, News, ReportAnswer, ReportEnd,
};
use proxima_types::setup::{BoxStep, Facts, Receipt, SetupProblem, StepInput, StepOutcome};
use std::cell::RefCell;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two questions whether the heartbeat has come.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// An install that the dashboard has granted.
pub(super) struct Job<'a> {
    pub answer: ClaimAnswer,
    pub facts: Facts,
    /// Whether the program is where its step looks for it.
    pub stage: Result<()>,
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Why an install does not go on.
enum Stop {
    Problem(EnrollProblem),
    /// A person cancelled it in the dashboard.
    Cancelled,
    Interrupted,
    /// The dashboard has given it up.
    GivenUp(EnrollProblem),
}

impl From<SetupProblem> for Stop {
    fn from(problem: SetupProblem) -> Self {
        Self::Problem(shown(&problem))
    }
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Interrupted => Self::Interrupted,
            Lost::Ended(problem) => Self::GivenUp(shown(&problem)),
            Lost::Problem(problem) => Self::Problem(shown(&problem)),
        }
    }
}

fn shown(problem: &SetupProblem) -> EnrollProblem {
    EnrollProblem { code: code_of(problem), sentence: problem.sentence.clone(), remedy: problem.remedy.clone() }
}

/// An install under way.
struct Run<'a, 'd, 't> {
    dashboard: &'a mut Dashboard<'d>,
    terminal: &'a Terminal<'t>,
    interrupted: &'a dyn Fn() -> bool,
    job: Uuid,
    /// The box is this install's: what others have left is taken over.
    staged: bool,
    /// What the steps have said, and nobody has reported yet.
    said: &'a RefCell<Vec<String>>,
}

pub(super) fn run(host: &Host<'_>, dashboard: &mut Dashboard<'_>, terminal: &Terminal<'_>, job: Job<'_>) -> Ended {
    let said = RefCell::new(Vec::new());
    let log = |line: &str| {
        terminal.line(line);
        said.borrow_mut().push(line.to_owned());
    };
    let host =
        Host { root: host.root.clone(), commands: host.commands, now_ms: host.now_ms, http: host.http, log: &log };
    let mut run = Run {
        dashboard,
        terminal,
        interrupted: job.interrupted,
        job: job.answer.job.0,
        staged: job.stage.is_ok(),
        said: &said,
    };
    let mut at = EnrollStep::Facts;
    match run.install(&host, &job, &mut at) {
        Ok(()) => Ended::Installed,
        Err(stop) => run.undo(&host, at, stop),
    }
}

impl Run<'_, '_, '_> {
    fn install(&mut self, host: &Host<'_>, job: &Job<'_>, at: &mut EnrollStep) -> std::result::Result<(), Stop> {
        self.begin(EnrollStep::Facts)?;
        (host.log)(&format!("{}, {}.", job.facts.os_name, job.facts.architecture));
        for warning in &job.answer.warnings {
            self.terminal.warning(warning);
        }
        if let Some(obstacle) = &job.answer.obstacle {
            return Err(Stop::Problem(obstacle.clone()));
        }
        job.stage.clone()?;
        self.done(EnrollStep::Facts, StepState::Done, job.answer.warnings.clone())?;
        for input in inputs(&job.answer) {
            *at = step_of(input.step());
            self.begin(*at)?;
            let (outcome, step) = steps::apply(host, self.job, &input)?;
            for thing in &step.things {
                self.said.borrow_mut().push(format!("{}: {}", thing.name, format!("{:?}", thing.done).to_lowercase()));
            }
            let state = if outcome == StepOutcome::Unchanged { StepState::Unchanged } else { StepState::Done };
            self.done(*at, state, vec![])?;
        }
        *at = EnrollStep::Heartbeat;
        self.begin(*at)?;
        self.await_heartbeat(host, Duration::from_secs(u64::from(job.answer.heartbeat_seconds)))?;
        // From here on the install stands, whatever becomes of this process or of the dashboard.
        let now = DateTime::from_timestamp_millis((host.now_ms)()).unwrap_or_default();
        match receipt::commit(host, self.job, now) {
            Ok((_, receipt)) => self.end_well(host, job, receipt),
            Err(problem) => {
                self.terminal.line(&format!("{} {}", problem.sentence, problem.remedy));
                self.terminal
                    .say("\nInstalled: the gateway runs. The copies of what was there before could not be removed.");
            }
        }
        Ok(())
    }

    /// Says that a step begins; hears whether it shall.
    fn begin(&mut self, step: EnrollStep) -> std::result::Result<(), Stop> {
        self.terminal.step(step);
        let state = News::Step { step, state: StepState::Running, problem: None, warnings: vec![] };
        self.tell(vec![state]).map(|_| ())
    }

    fn done(
        &mut self,
        step: EnrollStep,
        state: StepState,
        warnings: Vec<EnrollProblem>,
    ) -> std::result::Result<(), Stop> {
        let mut news = self.lines(step);
        news.push(News::Step { step, state, problem: None, warnings });
        self.tell(news).map(|_| ())
    }

    fn lines(&self, step: EnrollStep) -> Vec<News> {
        let said = self.said.take();
        let lines = said.iter().flat_map(|text| text.lines()).take(NEWS_MAX - 10);
        lines.map(|line| News::Line { step, line: line.chars().take(LINE_CHARS_MAX).collect() }).collect()
    }

    fn tell(&mut self, news: Vec<News>) -> std::result::Result<ReportAnswer, Stop> {
        if (self.interrupted)() {
            return Err(Stop::Interrupted);
        }
        match self.dashboard.report(news, None)? {
            answer if answer.cancelled => Err(Stop::Cancelled),
            answer => Ok(answer),
        }
    }

    fn await_heartbeat(&mut self, host: &Host<'_>, limit: Duration) -> std::result::Result<(), Stop> {
        let deadline = Instant::now() + limit;
        while !self.tell(vec![])?.proven {
            if Instant::now() >= deadline {
                let unit = systemd::state(host)?;
                (host.log)(&format!("The service is {} ({}).", unit.active, unit.sub));
                systemd::journal(host).iter().for_each(|line| (host.log)(line));
                return Err(Stop::Problem(EnrollProblem {
                    code: "NO_HEARTBEAT".to_owned(),
                    sentence: format!(
                        "The gateway runs, but the dashboard got no heartbeat from it within {} seconds.",
                        limit.as_secs()
                    ),
                    remedy: "The lines above show what the gateway says. Check that the server may reach the dashboard over HTTPS."
                        .to_owned(),
                }));
            }
            self.dashboard.pause(ASK_EVERY)?;
        }
        (host.log)("The dashboard has the heartbeat.");
        Ok(())
    }

    fn end_well(&mut self, host: &Host<'_>, job: &Job<'_>, receipt: Receipt) {
        let mut news = self.lines(EnrollStep::Heartbeat);
        news.push(News::Step { step: EnrollStep::Heartbeat, state: StepState::Done, problem: None, warnings: vec![] });
        let end = ReportEnd::Succeeded {
            facts: Box::new(Facts { listeners: vec![], existing: None, ..job.facts.clone() }),
            receipt: Box::new(receipt),
            // Only to be shown: a box that says nothing of itself is online all the same.
            status: status::gather(host).ok().map(Box::new),
        };
        if let Err(Lost::Problem(problem)) = self.dashboard.report(news, Some(end)) {
            self.terminal.line(&format!("The dashboard could not be told of the end. {}", problem.sentence));
        }
        self.terminal.say("\nInstalled: the gateway runs and is licensed. The dashboard shows it as Online.");
    }

    /// Everything back, in reverse order.
    fn undo(&mut self, host: &Host<'_>, at: EnrollStep, stop: Stop) -> Ended {
        let problem = match &stop {
            Stop::Problem(problem) | Stop::GivenUp(problem) => problem.clone(),
            Stop::Cancelled => cancelled("It was cancelled in the dashboard."),
            Stop::Interrupted => cancelled("It was interrupted."),
        };
        self.terminal.problem(&problem);
        self.terminal.say("Putting back what was changed …");
        self.dashboard.hurry();
        let failed =
            News::Step { step: at, state: StepState::Failed, problem: Some(problem.clone()), warnings: vec![] };
        let mut news = self.lines(at);
        news.push(failed);
        // Whether the dashboard hears it or not.
        let _ = self.dashboard.report(news, None);
        let mut remains = Vec::new();
        for job in self.to_undo(host) {
            for step in BoxStep::ALL.into_iter().rev() {
                remains.extend(self.undo_step(host, job, step));
            }
        }
        let end = match stop {
            Stop::Problem(_) | Stop::GivenUp(_) => ReportEnd::Failed { step: at, problem, remains: remains.clone() },
            Stop::Cancelled | Stop::Interrupted => ReportEnd::Cancelled { step: at, remains: remains.clone() },
        };
        let _ = self.dashboard.report(vec![], Some(end));
        if remains.is_empty() {
            self.terminal.say("The server is as it was before.");
        } else {
            self.terminal.say("Some of it remains:");
            remains.iter().for_each(|sentence| self.terminal.line(sentence));
        }
        if matches!(stop, Stop::Interrupted) { Ended::Interrupted } else { Ended::Failed }
    }

    /// This job, and what commands that were killed before have left; nothing on a box that is another install's.
    fn to_undo(&self, host: &Host<'_>) -> Vec<Uuid> {
        if !self.staged {
            return vec![];
        }
        let left = journal::unfinished_jobs_newest_first(host, receipt::read(host).map(|receipt| receipt.job));
        std::iter::once(self.job).chain(left.into_iter().filter(|job| *job != self.job)).collect()
    }

    /// A sentence when something remains.
    fn undo_step(&mut self, host: &Host<'_>, job: Uuid, step: BoxStep) -> Option<String> {
        let touched = journal::find(host, job, step).is_ok_and(|entry| entry.is_some());
        let result = steps::revert(host, job, step);
        let (step, ours) = (step_of(step), job == self.job);
        let (state, problem) = match &result {
            Ok(_) if touched && ours => (StepState::Undone, None),
            Ok(_) => return None,
            Err(problem) => (StepState::Remains, Some(shown(problem))),
        };
        let mut news = self.lines(step);
        news.push(News::Step { step, state, problem: problem.clone(), warnings: vec![] });
        let _ = self.dashboard.report(news, None);
        problem.map(|problem| format!("Not undone: “{}”. {} {}", title(step), problem.sentence, problem.remedy))
    }
}

fn cancelled(sentence: &str) -> EnrollProblem {
    EnrollProblem {
        code: "CANCELLED".to_owned(),
        sentence: sentence.to_owned(),
        remedy: "Make another install command whenever you like.".to_owned(),
    }
}

fn inputs(answer: &ClaimAnswer) -> [StepInput; 5] {
    [
        StepInput::Binary { sha256: answer.sha256.clone(), version: answer.version.clone() },
        StepInput::User {},
        StepInput::Config { config: answer.config.clone(), replace_other_server: false },
        StepInput::Unit {},
        StepInput::Start { wait_seconds: answer.start_seconds },
    ]
}

fn step_of(step: BoxStep) -> EnrollStep {
    match step {
        BoxStep::Binary => EnrollStep::Binary,
        BoxStep::User => EnrollStep::User,
        BoxStep::Config => EnrollStep::Config,
        BoxStep::Unit => EnrollStep::Unit,
        BoxStep::Start => EnrollStep::Start,
    }
}
