use super::ManagementPort;
use crate::app::AppError;
use crate::app::management::{self, Checked};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use proxima_types::manage::GatewayStatus;
use serde::Serialize;

/// What a check of a management port found.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementCheck {
    /// `null` when the server was connected elsewhere or uninstalled meanwhile.
    #[schema(required)]
    pub management: Option<ManagementPort>,
    /// What the gateway says of itself; `null` when it does not answer.
    #[schema(required)]
    pub status: Option<GatewayStatus>,
}

impl From<Checked> for ManagementCheck {
    fn from(checked: Checked) -> Self {
        let management = checked.server.management_check.map(|check| ManagementPort::from(check.0));
        Self { management, status: checked.status }
    }
}

/// Check a management port
///
/// Asks the gateway for its status on port 6060; changes nothing. That it does not answer is no error: the answer says why.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/management/check", tag = "management", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = ManagementCheck), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn management_check(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<ManagementCheck>, AppError> {
    Ok(Json(management::check(&app, &actor, id).await?.into()))
}
