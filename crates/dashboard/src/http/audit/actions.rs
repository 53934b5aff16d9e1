use crate::app::{AppError, audit};
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditActions {
    #[schema(value_type = Vec<String>)]
    pub items: &'static [&'static str],
}

/// Every action that the audit log can hold
#[utoipa::path(get, path = "/api/v1/audit/actions", tag = "audit", security(("session" = [])),
    responses((status = 200, body = AuditActions), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn audit_actions(Admin(_admin): Admin) -> Result<Json<AuditActions>, AppError> {
    Ok(Json(AuditActions { items: audit::ACTIONS }))
}
