use crate::app::AppError;
use crate::app::certificates::{self, CertificateState, Report};
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The certificate that the dashboard which answers serves.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    pub state: CertificateState,
    #[schema(required)]
    pub host: Option<String>,
    /// URL of the directory of the authority that issues and renews it; `null` for certificate files.
    #[schema(required)]
    pub authority: Option<String>,
    /// Who signed it.
    #[schema(required)]
    pub issuer: Option<String>,
    #[schema(required)]
    pub not_after: Option<DateTime<Utc>>,
    /// When the authority is asked for the next one.
    #[schema(required)]
    pub renew_at: Option<DateTime<Utc>>,
    /// What is wrong, in sentences; the authority's own words among them.
    pub problems: Vec<String>,
    /// When the last attempt was made, if it failed.
    #[schema(required)]
    pub failed_at: Option<DateTime<Utc>>,
    /// When the next one is, after one that failed.
    #[schema(required)]
    pub next_attempt_at: Option<DateTime<Utc>>,
}

impl From<Report> for Certificate {
    fn from(report: Report) -> Self {
        Self {
            state: report.state,
            host: report.host,
            authority: report.authority,
            issuer: report.issuer,
            not_after: report.not_after,
            renew_at: report.renew_at,
            problems: report.problems,
            failed_at: report.failed_at,
            next_attempt_at: report.next_attempt_at,
        }
    }
}

/// The dashboard's certificate
///
/// Of the dashboard that answers. It is set up in its configuration, never here.
#[utoipa::path(get, path = "/api/v1/settings/certificate", tag = "settings", security(("session" = [])),
    responses((status = 200, body = Certificate), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn settings_certificate(
    State(app): State<AppState>,
    Admin(admin): Admin,
) -> Result<Json<Certificate>, AppError> {
    Ok(Json(certificates::report(&app, &admin).await?.into()))
}
