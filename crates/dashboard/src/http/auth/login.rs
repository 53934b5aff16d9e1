use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Body, origin, session_cookie};
use crate::http::me::Me;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use proxima_types::{FieldError, FieldErrors};
use serde::Deserialize;
use zeroize::Zeroizing;

/// By username, or on a personal login page by its slug (then only that person).
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginRequest {
    pub username: Option<String>,
    pub slug: Option<String>,
    #[schema(value_type = String)]
    pub password: Zeroizing<String>,
}

/// Sign in
///
/// Sets the session cookie. The answer and its time are the same for an unknown name and a wrong password.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn auth_login(
    State(app): State<AppState>,
    jar: CookieJar,
    parts: Parts,
    Body(input): Body<LoginRequest>,
) -> Result<(CookieJar, Json<Me>), AppError> {
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    let mut errors = FieldErrors::new();
    if !filled(&input.username) && !filled(&input.slug) {
        errors.push(FieldError::new("username", "required", "Enter your username."));
    }
    if input.password.is_empty() {
        errors.push(FieldError::new("password", "required", "Enter your password."));
    }
    errors.into_result()?;
    let username = input.username.as_deref().filter(|text| !text.trim().is_empty());
    let slug = input.slug.as_deref().filter(|text| !text.is_empty());
    let (user, token) = sessions::login(&app, username, slug, input.password, &origin(&parts)).await?;
    Ok((jar.add(session_cookie(&app, token.expose().to_owned())), Json(Me::from(user))))
}
