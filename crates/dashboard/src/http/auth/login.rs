use super::signed_in;
use crate::app::AppError;
use crate::app::sessions::{self, Login};
use crate::http::AppState;
use crate::http::extract::{Body, Held, origin};
use crate::http::me::Me;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use proxima_types::{FieldError, FieldErrors, ProofMethod};
use serde::{Deserialize, Serialize};
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

/// The password was right, and a second factor is to follow.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactorNeeded {
    /// What this person has.
    pub methods: Vec<ProofMethod>,
    pub expires_at: DateTime<Utc>,
}

/// Sign in
///
/// Sets the session cookie; for somebody with a second factor, a cookie that opens nothing but the second step. The answer and
/// its time are the same for an unknown name and a wrong password.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = Me), (status = 202, body = SecondFactorNeeded), (status = 401, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn auth_login(
    State(app): State<AppState>,
    jar: CookieJar,
    parts: Parts,
    Body(input): Body<LoginRequest>,
) -> Result<Response, AppError> {
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
    Ok(match sessions::login(&app, username, slug, input.password, &origin(&app, &parts)).await? {
        Login::SignedIn(new) => signed_in(&app, jar, *new).into_response(),
        Login::SecondFactor(half) => {
            let needed = SecondFactorNeeded { methods: half.methods, expires_at: half.expires_at };
            (StatusCode::ACCEPTED, jar.add(Held::HalfLogin.cookie(&app, &half.token)), Json(needed)).into_response()
        }
    })
}
