use super::{BoxProblem, Connection};
use crate::app::connections::Tested;
use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_installer::Facts;
use proxima_types::{ServerId, StepState};
use serde::Serialize;

/// What a test found.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTest {
    /// Afterwards: a host key that changed shows there.
    pub connection: Connection,
    /// What was tried, in order.
    pub steps: Vec<ConnectionTestStep>,
    /// What the box is, as far as it was reached.
    #[schema(required)]
    pub facts: Option<BoxFacts>,
    /// What stands in the way of an install; `null` when nothing does.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
    pub warnings: Vec<BoxProblem>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTestStep {
    pub title: String,
    pub state: StepState,
}

/// What a box is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxFacts {
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub os_name: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: String,
    pub systemd_running: bool,
    #[schema(required)]
    pub systemd_version: Option<u32>,
    pub disks: Vec<BoxDisk>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxDisk {
    pub path: String,
    pub free_kib: u64,
}

impl From<Facts> for BoxFacts {
    fn from(facts: Facts) -> Self {
        let disks = facts.disks.into_iter().map(|disk| BoxDisk { path: disk.path, free_kib: disk.free_kib }).collect();
        Self {
            os_name: facts.os_name,
            architecture: facts.architecture,
            systemd_running: facts.systemd_running,
            systemd_version: facts.systemd_version,
            disks,
        }
    }
}

impl From<Tested> for ConnectionTest {
    fn from(tested: Tested) -> Self {
        let steps = tested.steps.into_iter();
        Self {
            connection: Some(tested.connection).into(),
            steps: steps.map(|(title, state)| ConnectionTestStep { title, state }).collect(),
            facts: tested.facts.map(BoxFacts::from),
            problem: tested.problem.map(BoxProblem::from),
            warnings: tested.warnings.into_iter().map(BoxProblem::from).collect(),
        }
    }
}

/// Test a connection
///
/// Logs in with what is stored and looks whether the gateway can be installed; changes nothing. Refused until the host key
/// is confirmed.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/connection/test", tag = "connection", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = ConnectionTest), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn connection_test(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<ConnectionTest>, AppError> {
    Ok(Json(connections::test(&app, &actor, id).await?.into()))
}
