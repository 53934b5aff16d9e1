//! Signing in and out, and step-up.

mod login;
mod logout;
mod options;
mod passkey;
mod second_factor;
mod step_up;

use super::AppState;
use crate::app::AppError;
use crate::app::factors::{Ceremony as Begun, SecondFactor};
use crate::app::sessions::SignedIn;
use crate::http::extract::Held;
use crate::http::me::Me;
use axum::Json;
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use proxima_types::FieldError;
use serde::Serialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(options::auth_options))
        .routes(routes!(login::auth_login))
        .routes(routes!(second_factor::auth_second_factor))
        .routes(routes!(second_factor::auth_second_factor_passkey))
        .routes(routes!(passkey::auth_passkey_options))
        .routes(routes!(passkey::auth_passkey))
        .routes(routes!(step_up::auth_step_up))
        .routes(routes!(step_up::auth_step_up_passkey))
        .routes(routes!(logout::auth_logout))
}

/// A challenge for `navigator.credentials`, good once.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ceremony {
    pub ceremony_id: Uuid,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON` of WebAuthn level 3.
    #[schema(value_type = HashMap<String, Value>)]
    pub public_key: Value,
    pub expires_at: DateTime<Utc>,
}

impl From<Begun> for Ceremony {
    fn from(begun: Begun) -> Self {
        Self { ceremony_id: begun.id, public_key: begun.options, expires_at: begun.expires_at }
    }
}

/// What a browser made of a challenge.
pub(super) fn credential<T: serde::de::DeserializeOwned>(json: Value) -> Result<T, AppError> {
    serde_json::from_value(json).map_err(|_| {
        FieldError::new("credential", "invalid", "Send what the browser's PublicKeyCredential says.").into()
    })
}

fn passkey(ceremony: Uuid, json: Value) -> Result<SecondFactor, AppError> {
    Ok(SecondFactor::Passkey { ceremony, credential: Box::new(credential(json)?) })
}

/// Gives the browser its session.
fn signed_in(app: &AppState, jar: CookieJar, new: SignedIn) -> (CookieJar, Json<Me>) {
    let jar = jar.add(Held::HalfLogin.removal(app)).add(Held::Device.cookie(app, &new.device));
    (jar.add(Held::Session.cookie(app, &new.token)), Json(new.profile.into()))
}
