use super::User;
use crate::app::AppError;
use crate::app::users::{self, CreateUser};
use crate::http::AppState;
use crate::http::extract::{Admin, Body};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use proxima_types::Role;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUserRequest {
    /// Lower-cased; `^[a-z0-9][a-z0-9._-]{1,31}$`.
    pub username: String,
    /// 8 characters to 72 bytes.
    #[schema(value_type = String)]
    pub password: Zeroizing<String>,
    /// Good for 7 days, and for nothing but choosing another one; by default it is good until it is changed.
    #[serde(default)]
    pub temporary_password: bool,
    pub display_name: Option<String>,
    /// `^[a-z0-9][a-z0-9-]{1,31}$`.
    pub login_slug: Option<String>,
    pub role: Role,
    /// By default `<username>'s Server`; ignored for an admin.
    pub server_name: Option<String>,
}

/// Create a user
///
/// For a customer the account, its server, license key and API secret come to be in one transaction.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", security(("session" = [])),
    request_body = CreateUserRequest,
    responses((status = 201, body = User), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn users_create(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Body(input): Body<CreateUserRequest>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<User>), AppError> {
    let created = users::create(
        &app,
        &admin,
        CreateUser {
            username: &input.username,
            password: &input.password,
            temporary_password: input.temporary_password,
            display_name: input.display_name.as_deref(),
            login_slug: input.login_slug.as_deref(),
            role: input.role,
            server_name: input.server_name.as_deref(),
        },
    )
    .await?;
    let location = format!("/api/v1/users/{}", created.user.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created.into())))
}
