//! The manual way of installing: install tokens for people, and what the box asks for that got one.

mod claim;
mod program;
mod report;
mod token_create;
mod token_delete;
mod token_get;

use super::AppState;
use crate::app::{AppError, install_tokens};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use proxima_types::enroll::MAX_ENROLL_REQUEST_BYTES;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    let of_boxes = OpenApiRouter::new()
        .routes(routes!(claim::install_claim))
        .routes(routes!(program::install_program))
        .routes(routes!(report::install_report))
        .layer(DefaultBodyLimit::max(MAX_ENROLL_REQUEST_BYTES));
    OpenApiRouter::new()
        .routes(routes!(
            token_create::install_token_create,
            token_get::install_token_get,
            token_delete::install_token_delete
        ))
        .merge(of_boxes)
}

/// What is no part of the API: the script that an install command runs.
pub(super) fn script_route() -> Router<AppState> {
    Router::new().route("/install.sh", get(script))
}

async fn script(State(app): State<AppState>) -> Result<impl IntoResponse, AppError> {
    let script = install_tokens::script(&app).await?;
    Ok(([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], script))
}

/// Whatever was presented as a token (RFC 6750); its absence is a token that nobody has.
fn bearer(headers: &HeaderMap) -> &str {
    super::heartbeat::bearer(headers).unwrap_or_default()
}
