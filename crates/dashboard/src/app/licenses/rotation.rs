//! Rotate without downtime: a running gateway is handed its next license key, and the old one ends
//! when the new one was used or the limit has passed (docs/heartbeat.md, "Rotation").

use super::{LicenseView, lock, owner, seal_key, target, view};
use crate::app::anchor;
use crate::app::audit::{self, server_target};
use crate::app::{Actor, AdminActor, App, AppError, AppResult, Proven, commit};
use crate::entropy::EntropyExt as _;
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use proxima_db::PgPool;
use proxima_db::rotations::{self, OpenRotation};
use proxima_types::{FieldError, KeyDigest, ServerId};
use serde_json::json;

/// How long a gateway has to take its new key when nothing else is chosen.
pub const DEFAULT_LIMIT: Duration = Duration::hours(24);
/// Long enough for a few heartbeats.
const MIN_LIMIT: Duration = Duration::minutes(5);
const MAX_LIMIT: Duration = Duration::days(30);

/// Opens a rotation that ends after `limit` at the latest.
///
/// # Errors
/// [`AppError::NotNow`] `rotation_open` while one is open, [`AppError::Invalid`] for a limit out of range,
/// [`AppError::NotFound`].
pub async fn rotate(
    app: &App,
    admin: &Proven<AdminActor>,
    id: ServerId,
    limit: Option<Duration>,
) -> AppResult<LicenseView> {
    const ACTION: &str = "server.license.rotate";
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if limit < MIN_LIMIT || limit > MAX_LIMIT {
        let (least, most) = (MIN_LIMIT.num_minutes(), MAX_LIMIT.num_days());
        let message = format!("Choose from {least} minutes to {most} days.");
        return Err(FieldError::new("limitSeconds", "out_of_range", message).into());
    }
    anchor::ensure(app).await?;
    finish(&app.db, &[]).await?;
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    if let Some(open) = &locked.rotation {
        let (since, until) = (spoken(open.started_at), spoken(open.limit_at));
        let sentence = format!("A rotation is open already: begun by {} at {since}, until {until}", open.started_by);
        return Err(AppError::not_now("rotation_open", "A rotation is open", sentence));
    }
    let key = app.entropy.license_key();
    let rotation = OpenRotation {
        last4: key.last4().to_owned(),
        started_at: locked.now,
        started_by: admin.username.clone(),
        limit_at: locked.now + limit,
    };
    rotations::begin(&mut tx, id, key.digest(), &seal_key(app, id, &key)?, &rotation).await?;
    let after = view(app, admin, &mut tx, id).await?;
    let metadata = json!({
        "newKeyEndsIn": rotation.last4, "limitSeconds": limit.num_seconds(), "limitAt": rotation.limit_at,
    });
    audit::succeeded(&mut tx, admin, ACTION, target(&locked), owner(&locked, metadata)).await?;
    commit(tx).await?;
    app.nudges.request(id);
    Ok(after)
}

/// Takes the next key back; a gateway that holds it already falls back to the present one.
///
/// # Errors
/// [`AppError::NotNow`] `no_rotation` when none is open, [`AppError::NotFound`].
pub async fn cancel(app: &App, admin: &AdminActor, id: ServerId) -> AppResult<LicenseView> {
    const ACTION: &str = "server.license.rotate.cancel";
    anchor::ensure(app).await?;
    finish(&app.db, &[]).await?;
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    let Some(open) = &locked.rotation else {
        let sentence = "No rotation is open: it has ended, or somebody cancelled it";
        return Err(AppError::not_now("no_rotation", "No rotation is open", sentence));
    };
    rotations::cancel(&mut tx, id).await?;
    let after = view(app, admin, &mut tx, id).await?;
    let metadata = owner(&locked, json!({ "newKeyEndsIn": open.last4, "startedBy": open.started_by }));
    audit::succeeded(&mut tx, admin, ACTION, target(&locked), metadata).await?;
    commit(tx).await?;
    app.nudges.request(id);
    Ok(after)
}

fn spoken(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Ends the rotations whose new key is among `used` (heartbeats with it were accepted), and all that are past their
/// limit; audited as the system's. Returns how many. Waits for no lock on a server.
///
/// # Errors
/// When the database is not to be had.
pub async fn finish(db: &PgPool, used: &[KeyDigest]) -> AppResult<usize> {
    let mut tx = db.begin().await.map_err(proxima_db::DbError::from)?;
    let finished = rotations::finish(&mut tx, used).await?;
    if !used.is_empty() {
        rotations::note_late_adoptions(&mut tx, used).await?;
    }
    for rotation in &finished {
        let target = server_target(ServerId(rotation.server_id), &rotation.server_name);
        let metadata = json!({
            "ended": if rotation.limit_passed { "LIMIT_PASSED" } else { "ADOPTED" },
            "newKeyEndsIn": rotation.last4,
            "startedAt": rotation.started_at,
            "startedBy": rotation.started_by,
            "limitAt": rotation.limit_at,
        });
        audit::succeeded(&mut tx, &Actor::system(), "server.license.rotate.end", Some(target), metadata).await?;
    }
    commit(tx).await?;
    Ok(finished.len())
}
