//! The host key: looked at without any credential, confirmed by a person, and watched from then on.

use super::{connected, find, lock, target};
use crate::app::audit::{self, server_target};
use crate::app::{Actor, App, AppError, AppResult, commit};
use proxima_db::connections::{self, ConnectionRow, HostKey};
use proxima_installer::{ProblemReport, Target};
use proxima_types::{FieldErrors, ServerId};
use serde_json::json;

/// What a look at a host found.
pub struct Probed {
    /// The connection, with the key as it was shown.
    pub connection: ConnectionRow,
    /// Why no key was seen.
    pub problem: Option<ProblemReport>,
}

/// The checked address of a stored connection.
pub(crate) fn stored_target(row: &ConnectionRow) -> AppResult<Target> {
    let port = u16::try_from(row.port).unwrap_or(0);
    Target::new(&row.host, port, &row.username)
        .map_err(|errors: FieldErrors| AppError::Internal(anyhow::anyhow!("a stored address is not valid: {errors}")))
}

/// Asks a box for its host key. Neither the user's name nor anything secret is sent.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] when no address is saved; too many or too much at once as
/// [`super::Attempts::begin`]. That the box does not answer is a [`Probed::problem`].
pub async fn probe_host_key(app: &App, actor: &Actor, id: ServerId) -> AppResult<Probed> {
    let found = find(&mut *app.db.acquire().await.map_err(proxima_db::DbError::from)?, actor, id).await?;
    let row = connected(&found)?;
    let _attempt = app.attempts.begin(id)?;
    let address = stored_target(row)?;
    let outbound = super::outbound(app).await?;
    let problem = match proxima_installer::probe_host_key(&address, &outbound).await {
        Ok(key) => {
            remember_host_key(app, id, row, &key).await?;
            None
        }
        Err(problem) => Some(ProblemReport::from(&problem)),
    };
    let connection = connections::row(&app.db, id).await?.ok_or(AppError::NotFound)?;
    Ok(Probed { connection, problem })
}

/// Stores the key that the host of `row` showed. Another one than the pinned one is on record at once, as the system's
/// finding, and stops everything until a person has confirmed it.
///
/// # Errors
/// When the database is not to be had.
pub async fn remember_host_key(
    app: &App,
    id: ServerId,
    row: &ConnectionRow,
    key: &proxima_installer::HostKey,
) -> AppResult<()> {
    let key =
        HostKey { algorithm: key.algorithm.clone(), fingerprint: key.fingerprint.clone(), line: key.openssh.clone() };
    let mut tx = app.begin().await?;
    let system = Actor::system();
    let found = lock(&mut tx, &system, id).await?;
    if connections::set_offered(&mut tx, id, &row.host, row.port, &key).await? {
        let metadata = json!({
            "host": row.host, "port": row.port, "confirmed": row.pinned_fingerprint, "presented": key.fingerprint,
        });
        audit::failed(&mut tx, &system, "server.connection.host_key.changed", target(id, &found), metadata).await?;
    }
    commit(tx).await
}

/// Pins the host key with this fingerprint: exactly the one that the host showed last.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] when the host showed another one, or none yet.
pub async fn confirm_host_key(app: &App, actor: &Actor, id: ServerId, fingerprint: &str) -> AppResult<ConnectionRow> {
    const ACTION: &str = "server.connection.host_key.confirm";
    let mut tx = app.begin().await?;
    let found = lock(&mut tx, actor, id).await?;
    let row = connected(&found)?;
    let target = Some(server_target(id, &found.server_name));
    // Base64 without its padding, as OpenSSH prints it; people paste it with either.
    let given = fingerprint.trim().trim_end_matches('=');
    if row.offered_fingerprint.as_deref() != Some(given) {
        let shown: String = given.chars().filter(|c| !c.is_control()).take(100).collect();
        let metadata = json!({ "given": shown, "presented": row.offered_fingerprint });
        audit::failed(&mut tx, actor, ACTION, target, metadata).await?;
        commit(tx).await?;
        return Err(AppError::not_now(
            "host_key_other",
            "Another host key",
            "This is not the fingerprint of the host key that the server showed last: look at it again",
        ));
    }
    let metadata = json!({
        "host": row.host,
        "port": row.port,
        "algorithm": row.offered_algorithm,
        "fingerprint": { "from": row.pinned_fingerprint, "to": given },
        "afterChange": row.changed_at.is_some(),
    });
    if !connections::pin_offered(&mut tx, id, given, &actor.username).await? {
        return Err(AppError::Internal(anyhow::anyhow!("a locked connection changed")));
    }
    let after = connections::row(&mut *tx, id).await?.ok_or(AppError::NotFound)?;
    audit::succeeded(&mut tx, actor, ACTION, target, metadata).await?;
    commit(tx).await?;
    Ok(after)
}
