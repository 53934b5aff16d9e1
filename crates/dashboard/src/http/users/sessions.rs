use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUpAdmin};
use crate::http::me::SessionsEnded;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::UserId;

/// Sign a user out everywhere
///
/// Ends all of another user's sessions, and sign-ins that are under way. Whoever knows the password can sign in again.
#[utoipa::path(delete, path = "/api/v1/users/{userId}/sessions", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path)),
    responses((status = 200, body = SessionsEnded), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn users_sessions_end(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<UserId>,
) -> Result<Json<SessionsEnded>, AppError> {
    Ok(Json(SessionsEnded { ended: sessions::sign_out(&app, &admin, id).await? }))
}
