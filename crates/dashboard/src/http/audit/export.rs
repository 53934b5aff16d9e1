//! The audit log as CSV (RFC 4180), streamed page by page.

use super::{AuditEntry, AuditOutcome, AuditQuery};
use crate::app::AppError;
use crate::http::AppState;
use crate::http::extract::{Admin, Params};
use crate::http::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use proxima_db::audit::{Filter, list};

const COLUMNS: [&str; 12] = [
    "id",
    "time",
    "action",
    "outcome",
    "target",
    "targetType",
    "targetName",
    "userId",
    "username",
    "metadata",
    "ip",
    "hash",
];
const ROWS_AT_ONCE: u32 = 1000;

/// Where the export stands.
enum Progress {
    Header,
    Rows { before: Option<i64> },
    Done,
}

/// Export the audit log as CSV
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", security(("session" = [])), params(AuditQuery),
    responses((status = 200, content_type = "text/csv", body = String), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn audit_export(
    State(app): State<AppState>,
    Admin(_admin): Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Response, AppError> {
    let filter = query.filter();
    let chunks = stream::try_unfold(Progress::Header, move |progress| {
        let (app, filter) = (app.clone(), filter.clone());
        async move { next_chunk(&app, &filter, progress).await }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit-log.csv\""),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

async fn next_chunk(
    app: &AppState,
    filter: &Filter,
    progress: Progress,
) -> Result<Option<(Vec<u8>, Progress)>, anyhow::Error> {
    let before = match progress {
        Progress::Header => {
            return Ok(Some((csv_rows(&[COLUMNS.map(str::to_owned)])?, Progress::Rows { before: None })));
        }
        Progress::Rows { before } => before,
        Progress::Done => return Ok(None),
    };
    let page = list(&app.db, filter, before, ROWS_AT_ONCE).await?;
    let rows: Vec<_> = page.items.into_iter().map(|entry| cells(entry.into())).collect();
    let next = page.next.map_or(Progress::Done, |id| Progress::Rows { before: Some(id) });
    Ok(Some((csv_rows(&rows)?, next)))
}

fn csv_rows(rows: &[[String; 12]]) -> Result<Vec<u8>, anyhow::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner()?)
}

fn cells(entry: AuditEntry) -> [String; 12] {
    let text = |value: Option<String>| value.unwrap_or_default();
    let id = |value: Option<uuid::Uuid>| value.map(|id| id.to_string()).unwrap_or_default();
    let outcome = match entry.outcome {
        AuditOutcome::Success => "SUCCESS",
        AuditOutcome::Failure => "FAILURE",
    };
    [
        entry.id.to_string(),
        entry.time.to_rfc3339(),
        entry.action,
        outcome.to_owned(),
        id(entry.target),
        text(entry.target_type),
        text(entry.target_name),
        id(entry.user_id),
        entry.username,
        entry.metadata.to_string(),
        text(entry.ip),
        entry.hash,
    ]
    .map(inert)
}

/// A cell that a spreadsheet would take for a formula gets a quote before it (OWASP, "CSV Injection").
fn inert(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_inert() {
        assert_eq!(inert("=HYPERLINK(\"x\")".to_owned()), "'=HYPERLINK(\"x\")");
        assert_eq!(inert("alice".to_owned()), "alice");
    }
}
