//! A gateway's management port, as the dashboard found it.

mod check;

use super::AppState;
use super::connections::BoxProblem;
use chrono::{DateTime, Utc};
use proxima_db::management::CheckRow;
use proxima_installer::ProblemReport;
use serde::{Deserialize as _, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(check::management_check))
}

/// Whether the dashboard reaches the gateway's port 6060, when it last tried: after every change, and when asked to.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementPort {
    pub checked_at: DateTime<Utc>,
    /// Whether it answered then. Changes arrive without it too, with the next heartbeat.
    pub reachable: bool,
    /// When it last answered; `null`: never.
    #[schema(required)]
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it did not answer.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
}

impl From<CheckRow> for ManagementPort {
    fn from(row: CheckRow) -> Self {
        let problem = row.problem.as_ref().and_then(|problem| ProblemReport::deserialize(problem).ok());
        Self {
            checked_at: row.tried_at,
            reachable: row.problem.is_none(),
            answered_at: row.answered_at,
            problem: problem.map(BoxProblem::from),
        }
    }
}
