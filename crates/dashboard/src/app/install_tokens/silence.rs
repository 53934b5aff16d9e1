//! The end of jobs whose box says nothing any more, or comes to no end.

use super::{LONGEST, SILENCE};
use crate::app::{App, AppResult};
use crate::jobs::runner::{End, finish};
use proxima_db::install_tokens::{self, Silent};
use proxima_db::jobs;
use proxima_db::jobs::running::{self, Hold, StepNews, Taken};
use proxima_installer::{Outcome, ProblemReport, StepId, Succeeded};
use proxima_types::StepState;
use serde_json::json;

/// Ends the jobs of boxes that have been silent for too long, or are at it for too long. One whose gateway was heard has
/// done what it was for.
///
/// # Errors
/// When the database is not to be had; the next sweep goes on.
pub async fn give_up_silent(app: &App) -> AppResult<()> {
    for silent in install_tokens::give_up(&app.db).await? {
        let job = silent.taken.hold().job;
        tracing::warn!(%job, proven = silent.proven, "the command on a server stopped reporting, or came to no end");
        // One that cannot be ended holds up no other; the next sweep is given it again.
        if let Err(error) = give_up(app, silent).await {
            tracing::error!(%job, error = ?anyhow::Error::from(error), "a job could not be given up");
        }
    }
    Ok(())
}

async fn give_up(app: &App, Silent { taken, proven }: Silent) -> AppResult<()> {
    let hold = taken.hold();
    let end = if proven {
        note(app, hold, StepState::Done, None, Some(unconfirmed())).await?;
        Outcome::Succeeded(Box::new(Succeeded { warnings: vec![unconfirmed()], ..Succeeded::default() }))
    } else {
        let problem = why(&taken);
        let step = note(app, hold, StepState::Failed, Some(problem.clone()), None).await?;
        Outcome::Failed { step, problem, remains: vec![remains()] }
    };
    finish(app, &taken, hold, &End::of(end)).await
}

fn why(taken: &Taken) -> ProblemReport {
    if taken.now - taken.started_at >= LONGEST {
        return ProblemReport {
            code: "COMMAND_TOO_LONG".to_owned(),
            sentence: format!("The command on the server came to no end within {} minutes.", LONGEST.num_minutes()),
            remedy: "Look at its terminal, end it there with Ctrl-C, then make another command and run that."
                .to_owned(),
        };
    }
    ProblemReport {
        code: "COMMAND_SILENT".to_owned(),
        sentence: format!("The command on the server stopped reporting {} minutes ago.", SILENCE.num_minutes()),
        remedy: "Look at its terminal. If it was ended there, make another command and run that: it goes on from whatever is there."
            .to_owned(),
    }
}

fn remains() -> String {
    "What the command has done so far may still be on the server. If it is still at work there, it undoes that as soon as it \
     reaches the dashboard; if it was killed, the next install goes on from there."
        .to_owned()
}

fn unconfirmed() -> ProblemReport {
    ProblemReport {
        code: "END_NOT_REPORTED".to_owned(),
        sentence: "The gateway runs and is licensed, but the command on the server did not report its own end."
            .to_owned(),
        remedy: "Nothing to do. The copies of what was there before are removed with the next install.".to_owned(),
    }
}

/// Says so at the step that was not finished; which one it is.
async fn note(
    app: &App,
    hold: Hold,
    state: StepState,
    problem: Option<ProblemReport>,
    warning: Option<ProblemReport>,
) -> AppResult<StepId> {
    let steps = jobs::steps(&app.db, hold.job).await?;
    let running = steps.iter().find(|step| step.state == "RUNNING");
    let Some(step) = running.or_else(|| steps.iter().find(|step| step.state == "PENDING")) else {
        return Ok(StepId::Heartbeat);
    };
    let (problem, warnings) = (problem.map(|problem| json!(problem)), json!(Vec::from_iter(warning)));
    let news = StepNews { state, problem: problem.as_ref(), warnings: &warnings };
    running::set_step(&app.db, hold, step.position, news).await?;
    Ok(serde_json::from_value(json!(step.name)).unwrap_or(StepId::Facts))
}
