use crate::app::{AppError, install_tokens};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_types::ServerId;
use serde::Serialize;

/// Whether a server has an install token that is good now. Never the token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallTokenState {
    /// `null` when there is none: never made, used, withdrawn or expired.
    #[schema(required)]
    pub open: Option<OpenInstallToken>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenInstallToken {
    /// The username of who made it.
    pub made_by: String,
    pub made_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Whether an install command is open
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/install-token", tag = "install", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = InstallTokenState), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn install_token_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<InstallTokenState>, AppError> {
    let (open, now) = install_tokens::get(&app, &actor, id).await?;
    let open = open.map(|token| OpenInstallToken {
        made_by: token.made_by,
        made_at: token.made_at,
        expires_at: token.expires_at,
    });
    Ok(Json(InstallTokenState { open, now }))
}
