use super::Job;
use crate::app::{AppError, jobs};
use crate::http::AppState;
use crate::http::extract::{Id, Params, SignedIn, paging};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobsQuery {
    pub cursor: Option<String>,
    /// 1 to 200, by default 50.
    pub limit: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    pub items: Vec<Job>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The jobs of a server, newest first
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/jobs", tag = "jobs", security(("session" = [])),
    params(("serverId" = ServerId, Path), JobsQuery),
    responses((status = 200, body = JobPage), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn jobs_list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
    Params(query): Params<JobsQuery>,
) -> Result<Json<JobPage>, AppError> {
    let after = paging::decode(query.cursor.as_deref())?;
    let page = jobs::list(&app, &actor, id, after.as_ref(), paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|key| paging::encode(&key));
    Ok(Json(JobPage { items: page.items.into_iter().map(Job::from).collect(), next_cursor }))
}
