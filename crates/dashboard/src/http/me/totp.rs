use crate::app::{AppError, factors};
use crate::http::AppState;
use crate::http::extract::{Body, Enrolling, SteppedUp, SteppedUpEnrolling, with_session};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An authenticator app that is to be confirmed by a code.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotpEnrollment {
    /// Base32, for typing.
    #[schema(value_type = String)]
    pub secret: Zeroizing<String>,
    /// `otpauth://…`
    #[schema(value_type = String)]
    pub uri: Zeroizing<String>,
    #[schema(value_type = String)]
    pub qr_svg: Zeroizing<String>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTotpRequest {
    #[schema(value_type = String)]
    pub code: Zeroizing<String>,
}

/// What adding a second factor gives.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactorAdded {
    /// With the first second factor: shown this once.
    #[schema(required, value_type = Option<Vec<String>>)]
    pub recovery_codes: Option<Vec<Zeroizing<String>>>,
}

/// Begin to add an authenticator app
///
/// A present one stays good until the new one is confirmed.
#[utoipa::path(post, path = "/api/v1/me/totp", tag = "me", security(("session" = [])),
    responses((status = 201, body = TotpEnrollment), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn me_totp_begin(
    State(app): State<AppState>,
    SteppedUpEnrolling(actor): SteppedUpEnrolling,
) -> Result<(StatusCode, Json<TotpEnrollment>), AppError> {
    let factors::TotpEnrollment { secret, uri, qr_svg, expires_at } = factors::begin_totp(&app, &actor).await?;
    Ok((StatusCode::CREATED, Json(TotpEnrollment { secret, uri, qr_svg, expires_at })))
}

/// Confirm it by its first code
///
/// Ends one's other sessions, and sets a new session cookie.
#[utoipa::path(post, path = "/api/v1/me/totp/confirm", tag = "me", security(("session" = [])),
    request_body = ConfirmTotpRequest,
    responses((status = 200, body = FactorAdded), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn me_totp_confirm(
    State(app): State<AppState>,
    Enrolling(actor): Enrolling,
    Body(input): Body<ConfirmTotpRequest>,
) -> Result<(CookieJar, Json<FactorAdded>), AppError> {
    let added = factors::confirm_totp(&app, &actor, &input.code).await?;
    Ok((with_session(&app, &added.token), Json(FactorAdded { recovery_codes: added.recovery_codes })))
}

/// Remove the authenticator app
///
/// Ends one's other sessions, and sets a new session cookie.
#[utoipa::path(delete, path = "/api/v1/me/totp", tag = "me", security(("session" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn me_totp_remove(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
) -> Result<(CookieJar, StatusCode), AppError> {
    let token = factors::remove_totp(&app, &actor).await?;
    Ok((with_session(&app, &token), StatusCode::NO_CONTENT))
}
