//! The audit log as CSV (RFC 4180) or JSON Lines, streamed page by page, with a signed manifest as its last line.

use super::AuditQuery;
use crate::app::AppError;
use crate::app::audit_export::{self, Export, Format};
use crate::http::AppState;
use crate::http::extract::{Admin, Params, paging};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

/// Export the audit log
///
/// CSV or JSON Lines. The last line is a manifest signed with the dashboard's key, over the SHA-256 of everything before
/// it: `proxima-dashboard audit verify --export FILE` checks it. An export without it was cut off.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", security(("session" = [])), params(AuditQuery),
    responses((status = 200, content_type = "text/csv", body = String), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn audit_export(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Response, AppError> {
    paging::limit(query.limit)?;
    let format = query.format.unwrap_or_default();
    let export = audit_export::begin(&app, &admin, query.filter(), format).await?;
    let chunks = stream::try_unfold(export, move |mut export: Export| {
        let app = app.clone();
        async move { Ok::<_, anyhow::Error>(export.next(&app).await?.map(|piece| (piece, export))) }
    });
    let (kind, disposition) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit-log.csv\""),
        Format::Jsonl => ("application/jsonl; charset=utf-8", "attachment; filename=\"audit-log.jsonl\""),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(chunks)).into_response())
}
