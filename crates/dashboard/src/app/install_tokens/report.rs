//! What a box that installs itself reports, and how its job ends by that.

use super::{LONGEST, silence};
use crate::app::{App, AppError, AppResult, commit};
use crate::jobs::runner::{End, config_text, finish, open_api_secret};
use proxima_db::install_tokens::{self, Reported};
use proxima_db::jobs::running::{self, Hold, StepNews, Taken, Wanted};
use proxima_db::servers::interval;
use proxima_db::{PgConnection, settings};
use proxima_installer::command::{facts_of, scrub, step_id};
use proxima_installer::{Outcome, ProblemReport, Succeeded};
use proxima_types::enroll::{EnrollProblem, EnrollStep, NEWS_MAX, News, ReportAnswer, ReportEnd, ReportRequest};
use proxima_types::identity::GatewayIdentity;
use proxima_types::setup::BoxStatus;
use proxima_types::{FieldError, InstallId, JobId, KeyDigest, ServerId};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Whether this token is that job's: one look-up.
///
/// # Errors
/// [`AppError::BadInstallToken`].
pub async fn known_reporter(app: &App, job: JobId, token: &str) -> AppResult<()> {
    let known = install_tokens::is_reporter(&app.db, job, KeyDigest::of_presented(token)).await?;
    if known { Ok(()) } else { Err(AppError::BadInstallToken) }
}

/// Takes a report of the box that runs `job`. One that was taken already is only answered.
///
/// # Errors
/// [`AppError::BadInstallToken`] for a token that is not this job's; [`AppError::NotNow`] when the job has ended, or ends
/// well although no heartbeat has proven it; [`AppError::Invalid`].
pub async fn report(app: &App, job: JobId, token: &str, request: ReportRequest) -> AppResult<ReportAnswer> {
    let mut tx = app.begin().await?;
    let digest = KeyDigest::of_presented(token);
    let reported = install_tokens::lock_reported(&mut tx, job, digest).await?.ok_or(AppError::BadInstallToken)?;
    if !reported.live {
        return Err(AppError::not_now("job_ended", "The job has ended", "This install has ended in the dashboard"));
    }
    let Reported { taken, sequence, proven, .. } = reported;
    let hold = taken.hold();
    let number = next(&request, sequence)?;
    if matches!(request.end, Some(ReportEnd::Succeeded { .. })) && !proven {
        let sentence = "The dashboard has not heard the gateway of this install";
        return Err(AppError::not_now("not_proven", "No heartbeat yet", sentence));
    }
    let request = if request.news.is_empty() && request.end.is_none() {
        request
    } else {
        let secrets = secrets(app, &mut tx, &taken, token).await?;
        let refused =
            || FieldError::new("news", "invalid", "What is left of it without control characters has no form.");
        scrub(&request, &secrets).ok_or_else(refused)?
    };
    if number > sequence {
        apply(&mut tx, hold, &request.news).await?;
    }
    let proven = proven || !taken.cancel_requested && heard(&mut tx, &taken).await?;
    install_tokens::note_report(&mut tx, hold, number, proven, (silence(), interval(LONGEST))).await?;
    commit(tx).await?;
    if let Some(end) = request.end {
        finish(app, &taken, hold, &End::of(outcome(end))).await?;
    }
    Ok(ReportAnswer { cancelled: taken.cancel_requested && !proven, proven })
}

/// The report's number: the one after the last that was taken, or an older one.
fn next(request: &ReportRequest, last: i64) -> AppResult<i64> {
    if request.news.len() > NEWS_MAX {
        return Err(FieldError::new("news", "too_many", format!("Send {NEWS_MAX} at most.")).into());
    }
    match i64::try_from(request.sequence) {
        Ok(number) if number <= last => Ok(last),
        Ok(number) if number == last + 1 => Ok(number),
        _ => Err(FieldError::new("sequence", "out_of_order", format!("The next report is {}.", last + 1)).into()),
    }
}

/// What no text of the box may show.
async fn secrets(app: &App, connection: &mut PgConnection, taken: &Taken, token: &str) -> AppResult<Vec<SecretString>> {
    let mut secrets = vec![SecretString::from(token)];
    let server = ServerId(taken.server_id);
    if let (Some(install), Some(sealed)) = (taken.install_id, &taken.api_secret_ciphertext) {
        let secret = open_api_secret(app, taken, sealed)?;
        let settings = settings::get(&mut *connection).await?;
        let config = config_text(app, connection, server, &settings, InstallId(install), secret).await?;
        if let Ok(identity) = GatewayIdentity::parse(config.expose()) {
            secrets.extend([identity.api_key.expose(), identity.api_secret.expose()].map(SecretString::from));
        }
    }
    Ok(secrets)
}

async fn apply(connection: &mut PgConnection, hold: Hold, news: &[News]) -> AppResult<()> {
    for news in news {
        match news {
            News::Step { step, state, problem, warnings } => {
                let problem = problem.as_ref().map(|problem| json!(problem));
                let warnings: Value = json!(warnings);
                let news = StepNews { state: *state, problem: problem.as_ref(), warnings: &warnings };
                running::set_step(&mut *connection, hold, position(*step), news).await?;
            }
            News::Line { step, line } => {
                running::append_log(&mut *connection, hold, position(*step), std::slice::from_ref(line)).await?;
            }
        }
    }
    Ok(())
}

/// Of the step in the plan, counted from 0.
pub(super) fn position(step: EnrollStep) -> i32 {
    let place = EnrollStep::ALL.iter().position(|known| *known == step).unwrap_or_default();
    i32::try_from(place).unwrap_or_default()
}

async fn heard(connection: &mut PgConnection, taken: &Taken) -> AppResult<bool> {
    let wanted = Wanted {
        server: ServerId(taken.server_id),
        install: taken.install_id.map(InstallId),
        started_after: taken.started_at,
    };
    Ok(running::heard(connection, wanted).await?)
}

fn outcome(end: ReportEnd) -> Outcome {
    match end {
        ReportEnd::Succeeded { facts, receipt, status } => Outcome::Succeeded(Box::new(Succeeded {
            facts: Some(facts_of(&facts)),
            receipt: Some(*receipt),
            status: status.map(|status| BoxStatus { journal: Vec::new(), ..*status }),
            ..Succeeded::default()
        })),
        ReportEnd::Failed { step, problem, remains } => {
            Outcome::Failed { step: step_id(step), problem: stored(problem), remains }
        }
        ReportEnd::Cancelled { step, remains } => Outcome::Cancelled { step: step_id(step), remains },
    }
}

fn stored(EnrollProblem { code, sentence, remedy }: EnrollProblem) -> ProblemReport {
    ProblemReport { code, sentence, remedy }
}
