//! A host that showed another key than the confirmed one, when that was met in the middle of something.

use super::{remember_host_key, stored_target, target};
use crate::app::{Actor, App, AppResult, audit, commit};
use proxima_db::PgConnection;
use proxima_db::connections::{self, ConnectionRow, Found};
use proxima_types::ServerId;
use serde_json::json;

/// The installer's code for it.
pub(crate) const CODE: &str = "HOST_KEY_CHANGED";

/// Stops everything until a person has confirmed a key, and asks the host once more, so that the person sees which one it
/// shows now.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn remember(app: &App, id: ServerId, row: &ConnectionRow) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let found = super::lock(&mut tx, &Actor::system(), id).await?;
    mark(&mut tx, id, &found, row).await?;
    commit(tx).await?;
    look_again(app, id, row).await
}

/// Stops everything until a person has confirmed a key. The server is locked.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn mark(tx: &mut PgConnection, id: ServerId, found: &Found, row: &ConnectionRow) -> AppResult<()> {
    if connections::set_changed(&mut *tx, id, row.pinned_fingerprint.as_deref()).await? {
        let metadata = json!({ "host": row.host, "port": row.port, "confirmed": row.pinned_fingerprint });
        let action = "server.connection.host_key.changed";
        audit::failed(tx, &Actor::system(), action, target(id, found), metadata).await?;
    }
    Ok(())
}

/// Asks the host which key it shows now.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn look_again(app: &App, id: ServerId, row: &ConnectionRow) -> AppResult<()> {
    let outbound = super::outbound(app).await?;
    // That it does not answer now changes nothing: the person can ask again.
    if let Ok(key) = proxima_installer::probe_host_key(&stored_target(row)?, &outbound).await {
        remember_host_key(app, id, row, &key).await?;
    }
    Ok(())
}
