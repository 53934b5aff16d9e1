use super::BoxProblem;
use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUp};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use serde::Serialize;

/// What became of our key on the box.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgottenConnection {
    /// Whether it was taken off the box; `null` when there was none.
    #[schema(required)]
    pub key_removed: Option<bool>,
    /// Why it was not.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
}

/// Forget a server's access
///
/// Its address, host key and stored login, and our key on the box as far as it can be reached. The gateway there goes on.
#[utoipa::path(delete, path = "/api/v1/servers/{serverId}/connection", tag = "connection", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = ForgottenConnection), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn connection_forget(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
    Id(id): Id<ServerId>,
) -> Result<Json<ForgottenConnection>, AppError> {
    let forgotten = connections::forget(&app, &actor, id).await?;
    let problem = forgotten.problem.map(BoxProblem::from);
    Ok(Json(ForgottenConnection { key_removed: forgotten.key_removed, problem }))
}
