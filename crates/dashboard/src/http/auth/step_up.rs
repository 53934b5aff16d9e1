use super::{Ceremony, passkey};
use crate::app::AppError;
use crate::app::factors::{self, SecondFactor};
use crate::app::sessions::{self, StepUp};
use crate::http::AppState;
use crate::http::extract::{Body, Enrolling, with_session};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "method", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum StepUpRequest {
    Password {
        #[schema(value_type = String)]
        password: Zeroizing<String>,
    },
    Totp {
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

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SteppedUp {
    /// Until then privileged requests are taken.
    pub stepped_up_until: DateTime<Utc>,
}

/// Show that it is you
///
/// Needed within five minutes before whatever answers `step_up_required`; signing in counts. Sets a new session cookie.
#[utoipa::path(post, path = "/api/v1/auth/step-up", tag = "auth", security(("session" = [])), request_body = StepUpRequest,
    responses((status = 200, body = SteppedUp), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
pub(super) async fn auth_step_up(
    State(app): State<AppState>,
    Enrolling(actor): Enrolling,
    Body(input): Body<StepUpRequest>,
) -> Result<(CookieJar, Json<SteppedUp>), AppError> {
    let given = match input {
        StepUpRequest::Password { password } => StepUp::Password(password),
        StepUpRequest::Totp { code } => StepUp::Factor(SecondFactor::Totp(code)),
        StepUpRequest::Passkey { ceremony_id, credential } => StepUp::Factor(passkey(ceremony_id, credential)?),
    };
    let done = sessions::step_up(&app, &actor, given).await?;
    Ok((with_session(&app, &done.token), Json(SteppedUp { stepped_up_until: done.until })))
}

/// A passkey's challenge for it
#[utoipa::path(post, path = "/api/v1/auth/step-up/passkey", tag = "auth", security(("session" = [])),
    responses((status = 200, body = Ceremony), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn auth_step_up_passkey(
    State(app): State<AppState>,
    Enrolling(actor): Enrolling,
) -> Result<Json<Ceremony>, AppError> {
    Ok(Json(factors::step_up_options(&app, &actor).await?.into()))
}
