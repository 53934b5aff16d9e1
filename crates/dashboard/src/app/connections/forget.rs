//! Forgetting a server's access: here, and on the box as far as it can be reached.

use super::save::shown;
use super::test::{login, tools};
use super::{connected, find, lock, pinned, refuse_while_a_job_runs, stored_target, target};
use crate::app::audit;
use crate::app::{Actor, App, AppResult, Proven, commit};
use proxima_db::connections::{self, ConnectionRow, Found};
use proxima_installer::{HostKey, ProblemReport, forget_access};
use proxima_types::{CredentialKind, ServerId};
use serde_json::json;
use std::time::Duration;

/// How long the box may take; what it still has of our key then opens nothing without the half that is erased here.
const LIMIT: Duration = Duration::from_secs(30);

/// What became of the key of the server's own.
pub struct Forgotten {
    /// Whether it was taken off the box; `None` when there was none.
    pub key_removed: Option<bool>,
    /// Why it was not.
    pub problem: Option<ProblemReport>,
}

/// Takes our key off the box if there is one, and forgets address, host key and login here in any case.
///
/// # Errors
/// [`crate::app::AppError::NotFound`], [`crate::app::AppError::NotNow`] while a job or a test runs.
pub async fn forget(app: &App, actor: &Proven<Actor>, id: ServerId) -> AppResult<Forgotten> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let found = find(&mut connection, actor, id).await?;
    refuse_while_a_job_runs(&mut connection, id).await?;
    drop(connection);
    let forgotten = match key_of(&found) {
        Some(row) => take_off(app, id, row).await?,
        None => Forgotten { key_removed: None, problem: None },
    };
    let mut tx = app.begin().await?;
    let found = lock(&mut tx, actor, id).await?;
    refuse_while_a_job_runs(&mut tx, id).await?;
    if connections::delete(&mut tx, id).await? {
        let metadata = json!({
            "address": found.connection.as_ref().map(shown),
            "credential": found.connection.as_ref().and_then(ConnectionRow::credential_kind),
            "keyRemoved": forgotten.key_removed,
            "problem": forgotten.problem.as_ref().map(|problem| &problem.code),
        });
        audit::succeeded(&mut tx, actor, "server.connection.forget", target(id, &found), metadata).await?;
    }
    commit(tx).await?;
    Ok(forgotten)
}

/// A connection that a key of ours opens.
fn key_of(found: &Found) -> Option<&ConnectionRow> {
    connected(found).ok().filter(|row| row.credential_kind() == Some(CredentialKind::AccessKey))
}

async fn take_off(app: &App, id: ServerId, row: &ConnectionRow) -> AppResult<Forgotten> {
    let _attempt = app.attempts.begin(id)?;
    let left = |problem| Forgotten { key_removed: Some(false), problem: Some(problem) };
    let report = |code: &str, sentence: &str| ProblemReport {
        code: code.to_owned(),
        sentence: sentence.to_owned(),
        remedy: "Delete the line that ends in proxima-gateway: and the server's id from authorized_keys yourself. \
                 Nobody can log in with it any more: the other half of the key is erased."
            .to_owned(),
    };
    let (Ok(key), Ok(login)) = (pinned(row), login(app, id, row)) else {
        return Ok(left(report("NOT_ASKED", "The key was left on the server: it was not safe to log in there.")));
    };
    let (address, tools) = (stored_target(row)?, tools(app).await?);
    let key = HostKey { algorithm: key.algorithm, fingerprint: key.fingerprint, openssh: key.line };
    match tokio::time::timeout(LIMIT, forget_access(&address, &key, &login, id.0, &tools)).await {
        Ok(Ok(())) => Ok(Forgotten { key_removed: Some(true), problem: None }),
        Ok(Err(problem)) => {
            let ProblemReport { code, sentence, .. } = ProblemReport::from(&problem);
            Ok(left(report(&code, &format!("The key was left on the server. {sentence}"))))
        }
        Err(_) => Ok(left(report("TOO_SLOW", "The key was left on the server: it did not answer in time."))),
    }
}
