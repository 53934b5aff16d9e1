use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{AnySession, Held};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;

/// Sign out
///
/// Ends this session.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", security(("session" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
pub(super) async fn auth_logout(
    State(app): State<AppState>,
    jar: CookieJar,
    AnySession(actor): AnySession,
) -> Result<(CookieJar, StatusCode), AppError> {
    sessions::logout(&app, &actor).await?;
    Ok((jar.add(Held::Session.removal(&app)), StatusCode::NO_CONTENT))
}
