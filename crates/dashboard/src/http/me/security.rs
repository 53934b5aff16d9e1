use super::passkeys::Passkey;
use crate::app::{AppError, factors};
use crate::http::AppState;
use crate::http::extract::Enrolling;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// An authenticator app.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totp {
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodesLeft {
    pub left: i64,
    pub made_at: DateTime<Utc>,
}

/// How one's own account is guarded.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    pub second_factor_required: bool,
    /// `null` when the next privileged request needs a step-up first.
    #[schema(required)]
    pub stepped_up_until: Option<DateTime<Utc>>,
    #[schema(required)]
    pub totp: Option<Totp>,
    pub passkeys_available: bool,
    #[schema(required)]
    pub passkeys_reason: Option<String>,
    #[schema(required)]
    pub rp_id: Option<String>,
    /// Where people open this dashboard; `null` without a public URL.
    #[schema(required)]
    pub public_origin: Option<String>,
    pub passkeys: Vec<Passkey>,
    #[schema(required)]
    pub recovery_codes: Option<RecoveryCodesLeft>,
}

/// How one's own account is guarded
#[utoipa::path(get, path = "/api/v1/me/security", tag = "me", security(("session" = [])),
    responses((status = 200, body = Security), (status = 401, body = Problem)))]
pub(super) async fn me_security(
    State(app): State<AppState>,
    Enrolling(actor): Enrolling,
) -> Result<Json<Security>, AppError> {
    let own = factors::security(&app, &actor).await?;
    Ok(Json(Security {
        second_factor_required: own.second_factor_required,
        stepped_up_until: own.stepped_up_until,
        totp: own.factors.totp_since.map(|created_at| Totp { created_at, last_used_at: own.factors.totp_used_at }),
        passkeys_available: app.passkeys.is_ok(),
        passkeys_reason: app.passkeys.as_ref().err().cloned(),
        rp_id: app.passkeys.as_ref().ok().map(|party| party.rp_id().to_owned()),
        public_origin: app.config.public_origin.clone(),
        passkeys: own.passkeys.into_iter().map(Passkey::from).collect(),
        recovery_codes: own
            .factors
            .recovery_codes_made_at
            .map(|made_at| RecoveryCodesLeft { left: own.factors.recovery_codes_left, made_at }),
    }))
}
