//! A host that showed another key than the confirmed one, when that was met in the middle of something.

use super::{remember_host_key, stored_target, target};
use crate::app::{Actor, App, AppResult, audit, commit};
use proxima_db::connections::{self, ConnectionRow};
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
    let system = Actor::system();
    let mut tx = app.begin().await?;
    let found = super::lock(&mut tx, &system, id).await?;
    if connections::set_changed(&mut tx, id).await? {
        let metadata = json!({ "host": row.host, "port": row.port, "confirmed": row.pinned_fingerprint });
        audit::failed(&mut tx, &system, "server.connection.host_key.changed", target(id, &found), metadata).await?;
    }
    commit(tx).await?;
    let outbound = super::outbound(app).await?;
    // That it does not answer now changes nothing: the person can ask again.
    if let Ok(key) = proxima_installer::probe_host_key(&stored_target(row)?, &outbound).await {
        remember_host_key(app, id, row, &key).await?;
    }
    Ok(())
}
