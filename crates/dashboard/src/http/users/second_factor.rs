use crate::app::{AppError, factors};
use crate::http::AppState;
use crate::http::extract::{Admin, Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use proxima_types::UserId;
use serde::Serialize;

/// Somebody's second factors, as an admin may know them.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSecondFactor {
    pub enrolled: bool,
    pub required: bool,
    pub totp: bool,
    pub passkeys: i64,
    pub recovery_codes_left: i64,
}

/// A user's second factors
#[utoipa::path(get, path = "/api/v1/users/{userId}/second-factor", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path)),
    responses((status = 200, body = UserSecondFactor), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn users_second_factor_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<UserId>,
) -> Result<Json<UserSecondFactor>, AppError> {
    let (has, required) = factors::of_user(&app, &admin, id).await?;
    Ok(Json(UserSecondFactor {
        enrolled: has.any(),
        required,
        totp: has.totp_since.is_some(),
        passkeys: has.passkeys,
        recovery_codes_left: has.recovery_codes_left,
    }))
}

/// Take a user's second factors away
///
/// For somebody who lost theirs: they sign in by password alone then. Ends their sessions.
#[utoipa::path(delete, path = "/api/v1/users/{userId}/second-factor", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn users_second_factor_reset(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<UserId>,
) -> Result<StatusCode, AppError> {
    factors::reset(&app, &admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
