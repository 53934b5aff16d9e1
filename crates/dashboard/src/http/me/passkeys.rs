use crate::app::AppError;
use crate::app::factors::{self, NewPasskey};
use crate::http::AppState;
use crate::http::auth::{Ceremony, credential};
use crate::http::extract::{Body, Enrolling, Id, SignedIn, SteppedUp, SteppedUpEnrolling, with_session};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use proxima_db::passkeys::PasskeyRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Passkey {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// Kept by a platform that copies it to its owner's devices.
    pub synced: bool,
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        let PasskeyRow { id, name, created_at, last_used_at, synced, .. } = row;
        Self { id, name, created_at, last_used_at, synced }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddPasskeyRequest {
    pub ceremony_id: Uuid,
    /// 1 to 64 characters.
    pub name: String,
    /// `RegistrationResponseJSON` of WebAuthn level 3.
    #[schema(value_type = HashMap<String, Value>)]
    pub credential: Value,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyAdded {
    pub passkey: Passkey,
    /// With the first second factor: shown this once.
    #[schema(required, value_type = Option<Vec<String>>)]
    pub recovery_codes: Option<Vec<Zeroizing<String>>>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskeyRequest {
    /// 1 to 64 characters.
    pub name: String,
}

/// A challenge for a new passkey
#[utoipa::path(post, path = "/api/v1/me/passkeys/options", tag = "me", security(("session" = [])),
    responses((status = 200, body = Ceremony), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn me_passkeys_options(
    State(app): State<AppState>,
    SteppedUpEnrolling(actor): SteppedUpEnrolling,
) -> Result<Json<Ceremony>, AppError> {
    Ok(Json(factors::passkey_options(&app, &actor).await?.into()))
}

/// Add a passkey
///
/// Ends one's other sessions, and sets a new session cookie.
#[utoipa::path(post, path = "/api/v1/me/passkeys", tag = "me", security(("session" = [])),
    request_body = AddPasskeyRequest,
    responses((status = 201, body = PasskeyAdded), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn me_passkeys_add(
    State(app): State<AppState>,
    Enrolling(actor): Enrolling,
    Body(input): Body<AddPasskeyRequest>,
) -> Result<(StatusCode, CookieJar, Json<PasskeyAdded>), AppError> {
    let made = credential(input.credential)?;
    let new = NewPasskey { ceremony: input.ceremony_id, name: &input.name, credential: &made };
    let (row, added) = factors::add_passkey(&app, &actor, new).await?;
    let answer = PasskeyAdded { passkey: row.into(), recovery_codes: added.recovery_codes };
    Ok((StatusCode::CREATED, with_session(&app, &added.token), Json(answer)))
}

/// Rename a passkey
#[utoipa::path(patch, path = "/api/v1/me/passkeys/{passkeyId}", tag = "me", security(("session" = [])),
    params(("passkeyId" = Uuid, Path)), request_body = RenamePasskeyRequest,
    responses((status = 200, body = Passkey), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn me_passkeys_rename(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<Uuid>,
    Body(input): Body<RenamePasskeyRequest>,
) -> Result<Json<Passkey>, AppError> {
    Ok(Json(factors::rename_passkey(&app, &actor, id, &input.name).await?.into()))
}

/// Remove a passkey
///
/// Ends one's other sessions, and sets a new session cookie.
#[utoipa::path(delete, path = "/api/v1/me/passkeys/{passkeyId}", tag = "me", security(("session" = [])),
    params(("passkeyId" = Uuid, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn me_passkeys_remove(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
    Id(id): Id<Uuid>,
) -> Result<(CookieJar, StatusCode), AppError> {
    let token = factors::remove_passkey(&app, &actor, id).await?;
    Ok((with_session(&app, &token), StatusCode::NO_CONTENT))
}
