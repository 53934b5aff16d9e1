use super::{AuditEntry, AuditQuery};
use crate::app::AppError;
use crate::http::AppState;
use crate::http::extract::{Admin, Params, paging};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The audit log, newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", security(("session" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn audit_list(
    State(app): State<AppState>,
    Admin(_admin): Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, AppError> {
    let before: Option<i64> = paging::decode(query.cursor.as_deref())?;
    let page = proxima_db::audit::list(&app.db, &query.filter(), before, paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|id| paging::encode(&id));
    Ok(Json(AuditPage { items: page.items.into_iter().map(AuditEntry::from).collect(), next_cursor }))
}
