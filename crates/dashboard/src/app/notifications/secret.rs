//! Webhooks' secrets: made by us, sealed, shown to a person who asks, replaced with a time of both.

use super::target;
use crate::app::{AdminActor, App, AppError, AppResult, Proven, audit, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use proxima_db::notifications::endpoints;
use proxima_db::servers::interval;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long the secret before a rotation signs too.
const BOTH: Duration = Duration::hours(24);
/// As Standard Webhooks writes them.
pub(super) const PREFIX: &str = "whsec_";
const BYTES: usize = 32;

/// What a person is shown.
pub struct Shown {
    pub secret: Zeroizing<String>,
    pub previous: Option<Zeroizing<String>>,
    pub previous_until: Option<DateTime<Utc>>,
}

pub(super) fn make(app: &App) -> Zeroizing<String> {
    let bytes = Zeroizing::new(app.entropy.bytes::<BYTES>());
    Zeroizing::new(format!("{PREFIX}{}", *Zeroizing::new(STANDARD.encode(*bytes))))
}

fn place(id: Uuid, column: &'static str) -> Place<'static> {
    Place { table: "notification_endpoints", row: id, column }
}

pub(super) fn seal(app: &App, id: Uuid, secret: &str) -> AppResult<Vec<u8>> {
    Ok(app.keyring.seal(place(id, "secret"), secret, app.entropy.as_ref())?)
}

pub(super) fn open(app: &App, id: Uuid, sealed: &[u8]) -> AppResult<Zeroizing<String>> {
    app.keyring.open_sealed(place(id, "secret"), sealed).map_err(|error| AppError::Internal(error.into()))
}

pub(super) fn open_previous(app: &App, id: Uuid, sealed: &[u8]) -> AppResult<Zeroizing<String>> {
    app.keyring.open_sealed(place(id, "previous_secret"), sealed).map_err(|error| AppError::Internal(error.into()))
}

/// The secrets in force, audited before they leave.
///
/// # Errors
/// [`AppError::NotFound`], for an e-mail endpoint too.
pub async fn reveal(app: &App, admin: &Proven<AdminActor>, id: Uuid) -> AppResult<Shown> {
    let mut tx = app.begin().await?;
    let description = super::endpoints::find(&mut tx, id).await?.description;
    let stored = endpoints::secrets(&mut tx, id, false).await?.ok_or(AppError::NotFound)?;
    let shown = Shown {
        secret: open(app, id, &stored.secret)?,
        previous: stored.previous.map(|sealed| open_previous(app, id, &sealed)).transpose()?,
        previous_until: stored.previous_until,
    };
    audit::succeeded(&mut tx, admin, "notification.endpoint.secret.reveal", target(id, &description), json!({}))
        .await?;
    commit(tx).await?;
    Ok(shown)
}

/// A fresh secret at once; the present one signs too for 24 hours, one before it no longer.
///
/// # Errors
/// [`AppError::NotFound`], for an e-mail endpoint too.
pub async fn rotate(app: &App, admin: &Proven<AdminActor>, id: Uuid) -> AppResult<Shown> {
    let mut tx = app.begin().await?;
    let stored = endpoints::secrets(&mut tx, id, true).await?.ok_or(AppError::NotFound)?;
    let previous = open(app, id, &stored.secret)?;
    let sealed = app.keyring.seal(place(id, "previous_secret"), &previous, app.entropy.as_ref())?;
    let secret = make(app);
    endpoints::rotate_secret(&mut tx, id, &seal(app, id, &secret)?, &sealed, interval(BOTH)).await?;
    let after = super::endpoints::find(&mut tx, id).await?;
    let metadata = json!({ "previousUntil": after.previous_secret_until });
    let target = target(id, &after.description);
    audit::succeeded(&mut tx, admin, "notification.endpoint.secret.rotate", target, metadata).await?;
    commit(tx).await?;
    Ok(Shown { secret, previous: Some(previous), previous_until: after.previous_secret_until })
}
