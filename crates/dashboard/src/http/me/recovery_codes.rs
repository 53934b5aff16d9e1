use crate::app::{AppError, factors};
use crate::http::AppState;
use crate::http::extract::SteppedUp;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeRecoveryCodes {
    /// Shown this once; each is good once.
    #[schema(value_type = Vec<String>)]
    pub recovery_codes: Vec<Zeroizing<String>>,
}

/// Make new recovery codes
///
/// The old ones end.
#[utoipa::path(post, path = "/api/v1/me/recovery-codes", tag = "me", security(("session" = [])),
    responses((status = 200, body = MadeRecoveryCodes), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn me_recovery_codes_make(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
) -> Result<Json<MadeRecoveryCodes>, AppError> {
    Ok(Json(MadeRecoveryCodes { recovery_codes: factors::make_recovery_codes(&app, &actor).await? }))
}
