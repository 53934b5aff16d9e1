//! Undoing what a failed or cancelled job did, in the opposite order.

use super::driver::Run;
use super::remote::{failure, is_not_installed};
use super::{Fenced, Outcome, StepEnd, StepState};
use crate::plan::StepId;
use crate::problem::{Problem, ProblemReport};
use crate::ssh::Stop;
use proxima_types::setup::SetupAction;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first pause between attempts to come back to a box; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);

impl Run<'_> {
    /// Undoes what is recorded as touched; `step` and `problem` are why.
    pub(super) async fn undo(&mut self, step: StepId, problem: ProblemReport) -> Result<Outcome, Fenced> {
        let touched = std::mem::take(&mut self.touched);
        let mut remains = Vec::new();
        if !touched.is_empty() {
            self.journal.undoing(step, &problem).await?;
            let mut unreachable = self.come_back().await?;
            for id in touched.into_iter().rev() {
                let result = match &unreachable {
                    Some(problem) => Err(problem.clone()),
                    None => match self.undo_step(id).await {
                        Ok(()) => Ok(()),
                        Err(Stop::Fenced(fenced)) => return Err(fenced),
                        Err(Stop::Problem(problem)) => Err(problem),
                    },
                };
                if let Err(problem) = &result
                    && problem.ends_connection()
                    && unreachable.is_none()
                {
                    self.hang_up().await;
                    unreachable = self.come_back().await?;
                }
                remains.extend(self.tell(id, result.err()).await?);
            }
        }
        self.hang_up().await;
        Ok(if problem.code == Problem::Cancelled.report().code {
            Outcome::Cancelled { step, remains }
        } else {
            Outcome::Failed { step, problem, remains }
        })
    }

    /// Records how undoing a step ended; a sentence when something remains.
    async fn tell(&mut self, id: StepId, problem: Option<Problem>) -> Result<Option<String>, Fenced> {
        let report = problem.as_ref().map(Problem::report);
        let state = if report.is_some() { StepState::Remains } else { StepState::Undone };
        let sentence = report.as_ref().map(|report| {
            let planned = self.plan.steps.iter().find(|step| step.id == id);
            let (title, undo) =
                planned.map_or(("", ""), |step| (&step.title, step.undo.as_deref().unwrap_or_default()));
            format!("Not undone: “{title}”. {} What is left to do by hand: {undo}", report.sentence)
        });
        self.journal.step_ended(id, &StepEnd { state, problem: report, warnings: vec![] }).await?;
        Ok(sentence)
    }

    /// Connects again if need be, several times; the problem when the box stays away.
    async fn come_back(&mut self) -> Result<Option<Problem>, Fenced> {
        let never = CancellationToken::new();
        let deadline = Instant::now() + self.tools.limits.back;
        let mut pause = PAUSE;
        loop {
            let problem = match self.ensure_session(&never).await {
                Ok(()) => return Ok(None),
                Err(Stop::Fenced(fenced)) => return Err(fenced),
                Err(Stop::Problem(problem)) => problem,
            };
            // A refused login or another host key does not pass with time.
            let passing = matches!(
                problem,
                Problem::Outbound(_)
                    | Problem::ConnectionLost { .. }
                    | Problem::HandshakeFailed { .. }
                    | Problem::LoginCutOff { .. }
                    | Problem::StepTimedOut { .. }
            );
            if !passing || Instant::now() + pause > deadline {
                return Ok(Some(problem));
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    async fn undo_step(&mut self, id: StepId) -> Result<(), Stop> {
        let never = CancellationToken::new();
        let limit = self.tools.limits.command;
        match (id.box_step(), id) {
            (Some(step), _) => {
                let limit = limit + self.tools.limits.start;
                let reply = self.ask(id, &SetupAction::Revert { step }, limit, &never).await?;
                match failure(&reply) {
                    // Without our program on the box nothing of it was applied there.
                    Some(_) if is_not_installed(&reply) => Ok(()),
                    Some(problem) => Err(problem.into()),
                    None => Ok(()),
                }
            }
            (None, StepId::Upload) => {
                self.ensure_session(&never).await?;
                self.remote(id, &never)?.undo_upload(limit).await
            }
            // The box undoes an update by itself; restarts and removals are not undone.
            _ => Ok(()),
        }
    }
}
