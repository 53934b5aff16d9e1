use crate::app::{AppError, licenses};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::{LicenseKey, ServerId};
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevealedKey {
    #[schema(value_type = String)]
    pub api_key: LicenseKey,
}

/// Reveal the license key
///
/// Audited as `server.license.reveal`.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/reveal", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = RevealedKey), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn license_reveal(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<ServerId>,
) -> Result<Json<RevealedKey>, AppError> {
    Ok(Json(RevealedKey { api_key: licenses::reveal(&app, &admin, id).await? }))
}
