use super::User;
use crate::app::{AppError, users};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::UserId;

/// One user
#[utoipa::path(get, path = "/api/v1/users/{userId}", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path)),
    responses((status = 200, body = User), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn users_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<UserId>,
) -> Result<Json<User>, AppError> {
    Ok(Json(users::get(&app, &admin, id).await?.into()))
}
