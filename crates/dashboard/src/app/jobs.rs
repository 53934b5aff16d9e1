//! Jobs on a customer's box, as people ask for them and look at them; `crate::jobs::runner` carries them out.

use super::audit::server_target;
use super::connections::{connected, lock, pinned};
use super::{Actor, App, AppError, AppResult, audit, commit};
use crate::entropy::EntropyExt as _;
use proxima_db::connections::ConnectionRow;
use proxima_db::jobs::{self, Cursor, JobRow, LogRow, StepRow};
use proxima_db::page::Page;
use proxima_types::{JobId, JobKind, JobState, ServerId};
use serde_json::json;

/// Lines of a log that one answer holds, at most.
const LOG_PAGE: u32 = 1000;

/// A job with its steps, and the lines of its log after a cursor.
pub struct Details {
    pub job: JobRow,
    pub steps: Vec<StepRow>,
    pub log: Vec<LogRow>,
}

/// The audit action of each kind.
#[must_use]
pub fn action(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Install => "server.install",
        JobKind::Update => "server.update",
        JobKind::Restart => "server.restart",
        JobKind::Uninstall => "server.uninstall",
    }
}

/// Queues a job, in one transaction with its audit row.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] when nothing is connected, no host key confirmed, no login stored, another
/// job not finished, or when this dashboard has no URL for gateways.
pub async fn queue(
    app: &App,
    actor: &Actor,
    id: ServerId,
    kind: JobKind,
    replace_other_server: bool,
) -> AppResult<Details> {
    let mut tx = app.begin().await?;
    let found = lock(&mut tx, actor, id).await?;
    let row = connected(&found)?;
    pinned(row)?;
    login_stored(row)?;
    if app.config.gateway_url.is_none() {
        return Err(no_gateway_url());
    }
    let job = JobId(app.entropy.uuid());
    jobs::insert(&mut tx, job, id, kind, replace_other_server, &actor.username).await?;
    let queued = jobs::find(&mut *tx, actor.scope(), id, job).await?.ok_or(AppError::NotFound)?;
    let metadata = json!({ "job": job, "host": row.host, "port": row.port,
        "ownerUsername": found.owner_username, "replaceOtherServer": replace_other_server });
    audit::succeeded(&mut tx, actor, action(kind), Some(server_target(id, &found.server_name)), metadata).await?;
    commit(tx).await?;
    app.job_queued.notify_one();
    Ok(Details { job: queued, steps: Vec::new(), log: Vec::new() })
}

pub(crate) fn no_gateway_url() -> AppError {
    AppError::not_now(
        "gateway_url_missing",
        "No address for gateways",
        "This dashboard does not know the https:// address under which gateways reach it, so a gateway could not report. \
         Its operator sets it with --public-url (or --gateway-url)",
    )
}

fn login_stored(row: &ConnectionRow) -> AppResult<()> {
    match row.credential_kind {
        Some(_) => Ok(()),
        None => Err(AppError::not_now(
            "no_credential",
            "No login stored",
            "Enter the server's password or private key again: none is stored",
        )),
    }
}

/// The jobs of a server, newest first.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn list(
    app: &App,
    actor: &Actor,
    id: ServerId,
    after: Option<&Cursor>,
    limit: u32,
) -> AppResult<Page<JobRow, Cursor>> {
    super::servers::get(app, actor, id).await?;
    Ok(jobs::list(&app.db, id, after, limit).await?)
}

/// A job, its steps, and the lines of its log after the line `after` (at most 1000 at once).
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn get(app: &App, actor: &Actor, id: ServerId, job: JobId, after: i64) -> AppResult<Details> {
    let row = jobs::find(&app.db, actor.scope(), id, job).await?.ok_or(AppError::NotFound)?;
    // The log after the steps: a line is never older than what they show.
    let steps = jobs::steps(&app.db, job).await?;
    let log = jobs::log(&app.db, job, after, LOG_PAGE).await?;
    Ok(Details { job: row, steps, log })
}

/// Asks for a job's end: a queued one is CANCELLED at once; a running one stops after what it is doing, puts back what it
/// changed, and is CANCELLED then.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] when it is finished.
pub async fn cancel(app: &App, actor: &Actor, id: ServerId, job: JobId) -> AppResult<Details> {
    let mut tx = app.begin().await?;
    let found = lock(&mut tx, actor, id).await?;
    let row = jobs::find(&mut *tx, actor.scope(), id, job).await?.ok_or(AppError::NotFound)?;
    let Some(state) = jobs::request_cancel(&mut tx, job).await? else {
        return Err(AppError::not_now("job_finished", "The job is finished", "The job has ended already"));
    };
    let metadata = json!({ "job": job, "kind": row.kind(), "state": row.state(), "now": state });
    let target = Some(server_target(id, &found.server_name));
    audit::succeeded(&mut tx, actor, "server.job.cancel", target, metadata).await?;
    if state == JobState::Cancelled {
        let metadata = json!({ "job": job, "kind": row.kind(), "state": state, "requestedBy": row.requested_by });
        audit::failed(&mut tx, &Actor::system(), "server.job.end", target, metadata).await?;
    }
    commit(tx).await?;
    get(app, actor, id, job, 0).await
}
