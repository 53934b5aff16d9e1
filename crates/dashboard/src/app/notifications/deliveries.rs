//! The log of deliveries, and what a person asks of it.

use super::tell::tell_platform;
use super::{EventKind, endpoint_disabled, target};
use crate::app::{AdminActor, App, AppError, AppResult, audit, commit};
use proxima_db::notifications::log::{self, AttemptRow, Cursor, DeliveryRow};
use proxima_db::notifications::queue;
use proxima_db::page::Page;
use serde_json::json;
use uuid::Uuid;

/// An endpoint's deliveries, newest first.
///
/// # Errors
/// [`AppError::NotFound`] when there is no such endpoint.
pub async fn list(
    app: &App,
    admin: &AdminActor,
    endpoint: Uuid,
    state: Option<&str>,
    before: Option<Cursor>,
    limit: u32,
) -> AppResult<Page<DeliveryRow, Cursor>> {
    super::get(app, admin, endpoint).await?;
    Ok(log::list(&app.db, endpoint, state, before, limit).await?)
}

/// A delivery and its attempts, newest first.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn detail(app: &App, _admin: &AdminActor, id: Uuid) -> AppResult<(DeliveryRow, Vec<AttemptRow>)> {
    let row = log::find(&app.db, id).await?.ok_or(AppError::NotFound)?;
    Ok((row, log::attempts(&app.db, id).await?))
}

/// Sends an event to this endpoint alone, whatever it subscribes to.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] when it is disabled.
pub async fn test(app: &App, admin: &AdminActor, endpoint: Uuid) -> AppResult<DeliveryRow> {
    let mut tx = app.begin().await?;
    let found = super::endpoints::find(&mut tx, endpoint).await?;
    let sentence = format!("A test that {} asked for", admin.username);
    let made = tell_platform(&mut tx, EventKind::Test, &sentence, Some(endpoint)).await?;
    // Only an enabled one is queued for.
    let id = *made.first().ok_or_else(endpoint_disabled)?;
    let row = log::find(&mut *tx, id).await?.ok_or(AppError::NotFound)?;
    audit::succeeded(&mut tx, admin, "notification.endpoint.test", target(endpoint, &found.description), json!({}))
        .await?;
    commit(tx).await?;
    app.notifier.queued.notify_one();
    Ok(row)
}

/// Sends a delivery again, now: the same event with the same id.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] when its endpoint is disabled.
pub async fn redeliver(app: &App, admin: &AdminActor, id: Uuid) -> AppResult<DeliveryRow> {
    let mut tx = app.begin().await?;
    let before = log::find(&mut *tx, id).await?.ok_or(AppError::NotFound)?;
    if !before.endpoint_enabled {
        return Err(endpoint_disabled());
    }
    queue::send_again(&mut tx, id).await?;
    let after = log::find(&mut *tx, id).await?.ok_or(AppError::NotFound)?;
    let metadata = json!({ "delivery": id, "event": super::message_id(after.event_id), "was": before.state });
    let target = target(after.endpoint_id, &after.endpoint_description);
    audit::succeeded(&mut tx, admin, "notification.delivery.redeliver", target, metadata).await?;
    commit(tx).await?;
    app.notifier.queued.notify_one();
    Ok(after)
}
