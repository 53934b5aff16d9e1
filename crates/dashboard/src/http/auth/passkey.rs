use super::{Ceremony, credential, signed_in};
use crate::app::{AppError, factors};
use crate::http::AppState;
use crate::http::extract::{Body, origin};
use crate::http::me::Me;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasskeyLoginRequest {
    pub ceremony_id: Uuid,
    /// `AuthenticationResponseJSON` of WebAuthn level 3.
    #[schema(value_type = HashMap<String, Value>)]
    pub credential: Value,
    /// On a personal login page: then only that person.
    pub slug: Option<String>,
}

/// A challenge for signing in with a passkey alone
#[utoipa::path(post, path = "/api/v1/auth/passkey/options", tag = "auth",
    responses((status = 200, body = Ceremony), (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn auth_passkey_options(
    State(app): State<AppState>,
    parts: Parts,
) -> Result<Json<Ceremony>, AppError> {
    Ok(Json(factors::sign_in_options(&app, &origin(&app, &parts)).await?.into()))
}

/// Sign in with a passkey
///
/// It verifies its owner, so it counts as both factors. Sets the session cookie.
#[utoipa::path(post, path = "/api/v1/auth/passkey", tag = "auth", request_body = PasskeyLoginRequest,
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn auth_passkey(
    State(app): State<AppState>,
    jar: CookieJar,
    parts: Parts,
    Body(input): Body<PasskeyLoginRequest>,
) -> Result<(CookieJar, Json<Me>), AppError> {
    let slug = input.slug.as_deref().filter(|text| !text.is_empty());
    let answer = credential(input.credential)?;
    let new = factors::sign_in(&app, input.ceremony_id, &answer, slug, &origin(&app, &parts)).await?;
    Ok(signed_in(&app, jar, new))
}
