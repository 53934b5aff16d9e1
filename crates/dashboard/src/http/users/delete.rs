use crate::app::{AppError, users};
use crate::http::AppState;
use crate::http::extract::{Id, Params, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use proxima_types::UserId;
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteUserQuery {
    /// The username, typed.
    pub confirm_username: Option<String>,
}

/// Delete a user
///
/// The server goes too and its key is retired: the gateway stops at its next heartbeat.
#[utoipa::path(delete, path = "/api/v1/users/{userId}", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path), DeleteUserQuery),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn users_delete(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<UserId>,
    Params(query): Params<DeleteUserQuery>,
) -> Result<StatusCode, AppError> {
    users::delete(&app, &admin, id, query.confirm_username.as_deref().unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}
