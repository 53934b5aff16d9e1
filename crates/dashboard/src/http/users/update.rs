use super::User;
use crate::app::AppError;
use crate::app::users::{self, UpdateUser};
use crate::http::AppState;
use crate::http::extract::{Admin, Body, Id, present};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::{Role, UserId};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Only what is present is changed; `null` clears an optional field.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateUserRequest {
    pub username: Option<String>,
    /// 8 characters to 72 bytes; ends this user's other sessions.
    #[schema(value_type = Option<String>)]
    pub password: Option<Zeroizing<String>>,
    /// The new password is good for 7 days, and for nothing but choosing another one. Not for oneself.
    #[serde(default)]
    pub temporary_password: bool,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub login_slug: Option<Option<String>>,
    pub role: Option<Role>,
    /// Name of the server that ADMIN → CUSTOMER provisions.
    pub server_name: Option<String>,
    /// The username, to confirm that CUSTOMER → ADMIN deletes the server.
    pub confirm_server_deletion: Option<String>,
}

/// Change a user
#[utoipa::path(patch, path = "/api/v1/users/{userId}", tag = "users", security(("session" = [])),
    params(("userId" = UserId, Path)), request_body = UpdateUserRequest,
    responses((status = 200, body = User), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn users_update(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<UserId>,
    Body(input): Body<UpdateUserRequest>,
) -> Result<Json<User>, AppError> {
    let change = UpdateUser {
        username: input.username.as_deref(),
        password: input.password.as_ref().map(|password| password.as_str()),
        temporary_password: input.temporary_password,
        display_name: input.display_name.as_ref().map(Option::as_deref),
        login_slug: input.login_slug.as_ref().map(Option::as_deref),
        role: input.role,
        server_name: input.server_name.as_deref(),
        confirm_server_deletion: input.confirm_server_deletion.as_deref(),
    };
    Ok(Json(users::update(&app, &admin, id, change).await?.into()))
}
