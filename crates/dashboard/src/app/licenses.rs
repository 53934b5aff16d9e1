//! Gating service by license: reveal, regenerate, rotate, revoke, reinstate (product.md section 3).

pub mod rotation;

use super::anchor;
use super::audit::{self, server_target};
use super::{Actor, AdminActor, App, AppError, AppResult, Proven, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use chrono::Duration;
use proxima_db::licenses::{self, LockedLicense};
use proxima_db::rotations::{self, KeyState};
use proxima_db::servers::{self, ServerRow};
use proxima_db::{PgConnection, Tx};
use proxima_types::license::{DEFAULT_GRACE, MAX_GRACE};
use proxima_types::{FieldError, License, LicenseKey, ServerId};
use serde_json::{Value, json};

async fn lock(app: &App, tx: &mut PgConnection, id: ServerId) -> AppResult<LockedLicense> {
    anchor::guard(app, tx).await?;
    licenses::lock(tx, id).await?.ok_or(AppError::NotFound)
}

/// A server with its license keys.
pub struct LicenseView {
    pub server: ServerRow,
    pub keys: KeyState,
}

async fn view(app: &App, admin: &AdminActor, tx: &mut PgConnection, id: ServerId) -> AppResult<LicenseView> {
    let server = servers::find(tx, admin.scope(), id, app.heartbeat_interval()).await?.ok_or(AppError::NotFound)?;
    let keys = rotations::state(tx, id).await?.ok_or(AppError::NotFound)?;
    Ok(LicenseView { server, keys })
}

/// # Errors
/// [`AppError::NotFound`].
pub async fn get(app: &App, admin: &AdminActor, id: ServerId) -> AppResult<LicenseView> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    view(app, admin, &mut connection, id).await
}

fn key_place(id: ServerId) -> Place<'static> {
    Place { table: "servers", row: id.0, column: "api_key" }
}

pub(crate) fn seal_key(app: &App, id: ServerId, key: &LicenseKey) -> AppResult<Vec<u8>> {
    app.keyring.seal(key_place(id), key.expose(), app.entropy.as_ref()).map_err(AppError::Internal)
}

/// Opens a sealed license key: a present one, or the next of a rotation.
///
/// # Errors
/// [`AppError::Internal`] when the key file cannot open it.
pub(crate) fn open_key(app: &App, id: ServerId, sealed: &[u8]) -> AppResult<LicenseKey> {
    let plaintext = app.keyring.open_sealed(key_place(id), sealed).map_err(|error| AppError::Internal(error.into()))?;
    LicenseKey::parse(&plaintext).map_err(|error| AppError::Internal(error.into()))
}

/// The plaintext of the present key; while a rotation is open the next one stays unseen. Audited before it leaves.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::Internal`] when the key file cannot open it.
pub async fn reveal(app: &App, admin: &Proven<AdminActor>, id: ServerId) -> AppResult<LicenseKey> {
    anchor::ensure(app).await?;
    rotation::finish(&app.db, &[]).await?;
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    let key = open_key(app, id, &locked.api_key_ciphertext)?;
    audit::succeeded(&mut tx, admin, "server.license.reveal", target(&locked), owner(&locked, json!({}))).await?;
    commit(tx).await?;
    Ok(key)
}

/// A fresh key at once; the old one, and the next one of a rotation, are retired in the same transaction.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn regenerate(app: &App, admin: &Proven<AdminActor>, id: ServerId) -> AppResult<LicenseView> {
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    let key = app.entropy.license_key();
    licenses::set_key(&mut tx, id, key.digest(), &seal_key(app, id, &key)?, key.last4()).await?;
    let after = view(app, admin, &mut tx, id).await?;
    let rotation = locked.rotation.as_ref().map(|open| &open.last4);
    let metadata = owner(&locked, json!({ "newKeyEndsIn": key.last4(), "rotationToKeyEndingIn": rotation }));
    audit::succeeded(&mut tx, admin, "server.license.regenerate", target(&locked), metadata).await?;
    commit(tx).await?;
    app.nudges.request(id);
    Ok(after)
}

/// ACTIVE → GRACE, for `grace` (by default 5 days).
///
/// # Errors
/// [`AppError::LicenseState`] from any other state, [`AppError::Invalid`] for a grace out of range,
/// [`AppError::NotFound`].
pub async fn revoke(
    app: &App,
    admin: &Proven<AdminActor>,
    id: ServerId,
    grace: Option<Duration>,
) -> AppResult<LicenseView> {
    const ACTION: &str = "server.license.revoke";
    let grace = grace.unwrap_or(DEFAULT_GRACE);
    if grace < Duration::zero() || grace > MAX_GRACE {
        let days = MAX_GRACE.num_days();
        return Err(
            FieldError::new("graceSeconds", "out_of_range", format!("Choose from 0 seconds to {days} days.")).into()
        );
    }
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    let license = match locked.license.revoke(locked.now, grace) {
        Ok(license) => license,
        Err(wrong) => return Err(wrong.into()),
    };
    let seconds = grace.num_seconds();
    #[allow(clippy::cast_precision_loss)] // at most 366 days
    let days = seconds as f64 / 86_400.0;
    let metadata = json!({ "graceDays": days, "graceSeconds": seconds, "graceExpiresAt": license.grace_expires_at });
    change(app, tx, admin, ACTION, &locked, license, metadata).await
}

/// GRACE or EXPIRED → ACTIVE.
///
/// # Errors
/// [`AppError::LicenseState`] from ACTIVE, [`AppError::NotFound`].
pub async fn reinstate(app: &App, admin: &AdminActor, id: ServerId) -> AppResult<LicenseView> {
    const ACTION: &str = "server.license.reinstate";
    anchor::ensure(app).await?;
    // An expiry that nobody has seen yet is on record before it is undone.
    observe_expiries(&app.db).await?;
    let mut tx = app.begin().await?;
    let locked = lock(app, &mut tx, id).await?;
    let before = locked.license.status_at(locked.now);
    match locked.license.reinstate(locked.now) {
        Ok(license) => change(app, tx, admin, ACTION, &locked, license, json!({ "from": before })).await,
        Err(wrong) => Err(wrong.into()),
    }
}

async fn change(
    app: &App,
    mut tx: Tx,
    admin: &AdminActor,
    action: &str,
    locked: &LockedLicense,
    license: License,
    metadata: Value,
) -> AppResult<LicenseView> {
    licenses::set(&mut tx, locked.server_id, license).await?;
    let after = view(app, admin, &mut tx, locked.server_id).await?;
    audit::succeeded(&mut tx, admin, action, target(locked), owner(locked, metadata)).await?;
    commit(tx).await?;
    app.nudges.request(locked.server_id);
    Ok(after)
}

fn target(locked: &LockedLicense) -> Option<proxima_db::audit::Target<'_>> {
    Some(server_target(locked.server_id, &locked.server_name))
}

fn owner(locked: &LockedLicense, mut metadata: Value) -> Value {
    metadata["ownerUsername"] = json!(locked.owner_username);
    metadata
}

/// Audits, as the system's, every license whose passing into EXPIRED is seen for the first time.
/// Returns whose.
///
/// # Errors
/// When the database is not to be had.
pub async fn observe_expiries(db: &proxima_db::PgPool) -> AppResult<Vec<ServerId>> {
    let mut tx = db.begin().await.map_err(proxima_db::DbError::from)?;
    let observed = licenses::observe_expiries(&mut tx).await?;
    for expiry in &observed {
        let target = server_target(ServerId(expiry.server_id), &expiry.server_name);
        let metadata = json!({ "graceExpiresAt": expiry.grace_expires_at });
        audit::succeeded(&mut tx, &Actor::system(), "server.license.expire", Some(target), metadata).await?;
    }
    commit(tx).await?;
    Ok(observed.into_iter().map(|expiry| ServerId(expiry.server_id)).collect())
}
