use crate::app::{AppError, audit_retention};
use crate::http::AppState;
use crate::http::extract::{Admin, Body, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_db::audit_retention::{Checkpoint, Policy};
use serde::{Deserialize, Serialize};

/// How long the audit log is kept.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRetention {
    /// `null`: for ever.
    #[schema(required)]
    pub days: Option<i32>,
    pub min_days: u32,
    pub max_days: u32,
    /// Of the oldest row that is there.
    #[schema(required)]
    pub oldest: Option<DateTime<Utc>>,
    #[schema(required)]
    pub pruned: Option<AuditPruned>,
}

/// What was removed: all rows up to this one.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPruned {
    pub through_id: i64,
    /// Of that row, in hex: the first one that is kept stands on it.
    pub hash: String,
    pub at: DateTime<Utc>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditRetentionUpdate {
    /// `null`: for ever.
    // A body without it must not come to mean "for ever".
    #[schema(required)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub days: Option<u32>,
}

fn shown((policy, checkpoint): (Policy, Option<Checkpoint>)) -> Json<AuditRetention> {
    Json(AuditRetention {
        days: policy.days,
        min_days: audit_retention::DAYS_MIN,
        max_days: audit_retention::DAYS_MAX,
        oldest: policy.oldest,
        pruned: checkpoint.map(|checkpoint| AuditPruned {
            through_id: checkpoint.id,
            hash: hex::encode(&checkpoint.hash),
            at: checkpoint.pruned_at,
        }),
    })
}

/// How long the audit log is kept
#[utoipa::path(get, path = "/api/v1/audit/retention", tag = "audit", security(("session" = [])),
    responses((status = 200, body = AuditRetention), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn audit_retention_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
) -> Result<Json<AuditRetention>, AppError> {
    Ok(shown(audit_retention::get(&app, &admin).await?))
}

/// Keep the audit log for so many days
#[utoipa::path(put, path = "/api/v1/audit/retention", tag = "audit", security(("session" = [])),
    request_body = AuditRetentionUpdate,
    responses((status = 200, body = AuditRetention), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn audit_retention_update(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Body(input): Body<AuditRetentionUpdate>,
) -> Result<Json<AuditRetention>, AppError> {
    Ok(shown(audit_retention::set(&app, &admin, input.days).await?))
}
