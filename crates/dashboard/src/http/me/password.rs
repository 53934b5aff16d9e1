use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Body, ChoosingPassword, with_session};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePasswordRequest {
    #[schema(value_type = String)]
    pub current_password: Zeroizing<String>,
    /// 8 characters to 72 bytes.
    #[schema(value_type = String)]
    pub new_password: Zeroizing<String>,
}

/// Change one's own password
///
/// Ends one's other sessions, and sets a new session cookie. After a temporary password, whatever answered
/// `password_change_required` is open then.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "me", security(("session" = [])),
    request_body = ChangePasswordRequest,
    responses((status = 204), (status = 401, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn me_change_password(
    State(app): State<AppState>,
    ChoosingPassword(actor): ChoosingPassword,
    Body(input): Body<ChangePasswordRequest>,
) -> Result<(CookieJar, StatusCode), AppError> {
    let token = sessions::change_password(&app, &actor, input.current_password, &input.new_password).await?;
    Ok((with_session(&app, &token), StatusCode::NO_CONTENT))
}
