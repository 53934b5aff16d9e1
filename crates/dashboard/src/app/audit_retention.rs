//! How long the audit log is kept. What is older leaves as the log's beginning, up to a checkpoint: the signed hash that
//! the next row stands on, so that the rest stays verifiable.

use super::anchor::{self, CheckpointWords};
use super::audit;
use super::signed::{self, Signed};
use super::{Actor, AdminActor, App, AppResult, Proven, commit};
use proxima_db::anchor as facts;
use proxima_db::audit::Target;
use proxima_db::audit_retention::{self as log, Checkpoint, Policy};
use proxima_types::FieldError;
use serde_json::json;

/// The shortest and the longest time that can be chosen, in days.
pub const DAYS_MIN: u32 = 90;
pub const DAYS_MAX: u32 = 3650;
/// How many rows leave in one transaction.
const ROWS_AT_ONCE: i64 = 20_000;

/// # Errors
/// When the database is not to be had.
pub async fn get(app: &App, _admin: &AdminActor) -> AppResult<(Policy, Option<Checkpoint>)> {
    Ok((log::policy(&app.db).await?, log::checkpoint(&app.db).await?))
}

/// Keeps rows for so many days from now on; `None` for ever. Nothing is removed by this itself.
///
/// # Errors
/// [`super::AppError::Invalid`] for days out of range.
pub async fn set(app: &App, admin: &Proven<AdminActor>, days: Option<u32>) -> AppResult<(Policy, Option<Checkpoint>)> {
    let days = match days {
        None => None,
        Some(days @ DAYS_MIN..=DAYS_MAX) => i32::try_from(days).ok(),
        Some(_) => {
            let message = format!("Choose from {DAYS_MIN} to {DAYS_MAX} days, or keep everything.");
            return Err(FieldError::new("days", "out_of_range", message).into());
        }
    };
    let mut tx = app.begin().await?;
    let before = log::policy(&mut *tx).await?.days;
    log::set_days(&mut tx, days).await?;
    let target = Target { id: None, kind: "settings", name: "audit retention" };
    audit::succeeded(&mut tx, admin, "audit.retention.update", Some(target), json!({ "from": before, "to": days }))
        .await?;
    commit(tx).await?;
    get(app, admin).await
}

/// Removes what is too old, in steps. Returns how many rows went. A database behind its anchor loses nothing.
///
/// # Errors
/// When the database is not to be had, or without a signing key.
pub async fn prune(app: &App) -> AppResult<i64> {
    let mut removed = 0;
    while anchor::look(app).await?.is_ok() {
        let rows = prune_once(app).await?;
        removed += rows;
        if rows < ROWS_AT_ONCE {
            break;
        }
    }
    if removed > 0 {
        let mut tx = app.begin().await?;
        log::forget_names(&mut tx).await?;
        commit(tx).await?;
    }
    Ok(removed)
}

async fn prune_once(app: &App) -> AppResult<i64> {
    let mut tx = app.begin().await?;
    // Of two dashboards one removes, and nobody appends meanwhile.
    let seen = facts::lock_head(&mut tx, 0).await?;
    let Some(due) = log::due(&mut tx, ROWS_AT_ONCE).await? else { return Ok(0) };
    let words = CheckpointWords { installation_id: seen.installation_id, id: due.id, hash: due.hash.clone() };
    let document =
        serde_json::to_string(&Signed::make(&app.keyring, signed::CHECKPOINT, &words)?).map_err(anyhow::Error::from)?;
    log::remove(&mut tx, &due, &document).await?;
    let metadata = json!({
        "rows": due.rows, "through": { "id": due.id, "hash": hex::encode(&due.hash), "time": due.time },
    });
    let target = Target { id: None, kind: "audit log", name: "audit log" };
    audit::succeeded(&mut tx, &Actor::system(), "audit.prune", Some(target), metadata).await?;
    commit(tx).await?;
    tracing::info!(rows = due.rows, through = due.id, "old audit rows were removed");
    Ok(due.rows)
}
