use super::{Ceremony, passkey, signed_in};
use crate::app::factors::{self, SecondFactor};
use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Body, Held, origin};
use crate::http::me::Me;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "method", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum SecondFactorRequest {
    Totp {
        #[schema(value_type = String)]
        code: Zeroizing<String>,
    },
    RecoveryCode {
        #[schema(value_type = String)]
        code: Zeroizing<String>,
    },
    Passkey {
        #[serde(rename = "ceremonyId")]
        ceremony_id: Uuid,
        /// `AuthenticationResponseJSON` of WebAuthn level 3.
        #[schema(value_type = HashMap<String, Value>)]
        credential: Value,
    },
}

/// Sign in: the second step
///
/// With the cookie of the first step.
#[utoipa::path(post, path = "/api/v1/auth/second-factor", tag = "auth", security(("halfLogin" = [])),
    request_body = SecondFactorRequest,
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
pub(super) async fn auth_second_factor(
    State(app): State<AppState>,
    jar: CookieJar,
    parts: Parts,
    Body(input): Body<SecondFactorRequest>,
) -> Result<(CookieJar, Json<Me>), AppError> {
    let half = Held::HalfLogin.read(&app, &parts.headers).ok_or(AppError::LoginExpired)?;
    let given = match input {
        SecondFactorRequest::Totp { code } => SecondFactor::Totp(code),
        SecondFactorRequest::RecoveryCode { code } => SecondFactor::RecoveryCode(code),
        SecondFactorRequest::Passkey { ceremony_id, credential } => passkey(ceremony_id, credential)?,
    };
    let new = sessions::second_factor(&app, &half, given, &origin(&app, &parts)).await?;
    Ok(signed_in(&app, jar, new))
}

/// A passkey's challenge for the second step
#[utoipa::path(post, path = "/api/v1/auth/second-factor/passkey", tag = "auth", security(("halfLogin" = [])),
    responses((status = 200, body = Ceremony), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn auth_second_factor_passkey(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<Ceremony>, AppError> {
    let half = Held::HalfLogin.read(&app, &headers).ok_or(AppError::LoginExpired)?;
    Ok(Json(factors::second_factor_options(&app, &half).await?.into()))
}
