use crate::app::{AppError, install_tokens};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUp};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use proxima_types::ServerId;
use serde::Serialize;

/// A new install token, shown once.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewInstallToken {
    /// `pt_` and 43 characters. Good for one install of this server.
    pub token: String,
    /// One line for the server's shell, as root or as a user who may use sudo. Holds the token.
    pub command: String,
    pub made_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Make an install command
///
/// For a server that the dashboard cannot reach by SSH: the server runs it itself. The command made before is good for
/// nothing from then on. A 409 says what is missing, or that a job of the server is not finished.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/install-token", tag = "install", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 201, body = NewInstallToken), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn install_token_create(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
    Id(id): Id<ServerId>,
) -> Result<(StatusCode, Json<NewInstallToken>), AppError> {
    let made = install_tokens::make(&app, &actor, id).await?;
    let token = NewInstallToken {
        token: made.token.expose().to_owned(),
        command: made.command.to_string(),
        made_at: made.open.made_at,
        expires_at: made.open.expires_at,
        now: made.now,
    };
    Ok((StatusCode::CREATED, Json(token)))
}
