use super::{AuditEntry, AuditQuery};
use crate::app::AppError;
use crate::http::AppState;
use crate::http::extract::{Admin, Params, paging};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_db::audit_log::Position;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// The page is short because enough rows were looked at: down to this time. The next page goes on there.
    #[schema(required)]
    pub searched_to: Option<chrono::DateTime<chrono::Utc>>,
}

/// The audit log, newest first
///
/// Every page looks at a bounded number of rows: it can hold fewer than asked, even none, and have a `nextCursor`.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", security(("session" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn audit_list(
    State(app): State<AppState>,
    Admin(_admin): Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, AppError> {
    let before: Option<Position> = paging::decode(query.cursor.as_deref())?;
    let page = proxima_db::audit_log::list(&app.db, &query.filter(), before, paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|position| paging::encode(&position));
    let searched_to = page.next.filter(|_| page.stopped_short).map(|position| position.time);
    Ok(Json(AuditPage { items: page.items.into_iter().map(AuditEntry::from).collect(), next_cursor, searched_to }))
}
