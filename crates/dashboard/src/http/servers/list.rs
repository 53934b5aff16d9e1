use super::Server;
use crate::app::{AppError, servers};
use crate::http::AppState;
use crate::http::extract::{Params, SignedIn, paging};
use crate::http::problem::Problem;
use crate::http::users::list::searchable;
use axum::Json;
use axum::extract::State;
use proxima_db::servers::Filter;
use proxima_types::{LicenseStatus, ServerStatus};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServersQuery {
    /// A part of the server's or the owner's name.
    pub search: Option<String>,
    pub status: Option<ServerStatus>,
    pub license_status: Option<LicenseStatus>,
    pub cursor: Option<String>,
    /// 1 to 200, by default 50.
    pub limit: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerPage {
    pub items: Vec<Server>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// List servers
///
/// An admin sees all, a customer their own.
#[utoipa::path(get, path = "/api/v1/servers", tag = "servers", security(("session" = [])), params(ServersQuery),
    responses((status = 200, body = ServerPage), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn servers_list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Params(query): Params<ServersQuery>,
) -> Result<Json<ServerPage>, AppError> {
    let filter =
        Filter { search: searchable(query.search), license_status: query.license_status, server_status: query.status };
    let after: Option<String> = paging::decode(query.cursor.as_deref())?;
    let page = servers::list(&app, &actor, &filter, after.as_deref(), paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|key| paging::encode(&key));
    Ok(Json(ServerPage { items: page.items.into_iter().map(Server::from).collect(), next_cursor }))
}
