use crate::app::AppError;
use crate::app::anchor::Standing;
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// Whether the database is the one that this dashboard knows.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditIntegrity {
    pub state: Standing,
    /// What it is and what to do, for a person.
    pub sentence: String,
    pub installation_id: Uuid,
    /// Grows when a restored database is accepted.
    pub incarnation: i32,
    pub head: AuditPosition,
    #[schema(required)]
    pub anchored: Option<AnchoredPosition>,
    /// Whether the anchor can be written.
    pub anchor_durable: bool,
    #[schema(required)]
    pub anchor_problem: Option<String>,
    #[schema(required)]
    pub public_key: Option<PublicKey>,
}

/// A row of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditPosition {
    pub id: i64,
    /// In hex.
    pub hash: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct AnchoredPosition {
    pub id: i64,
    /// In hex.
    pub hash: String,
    /// When the anchor was written last.
    #[schema(required)]
    pub time: Option<DateTime<Utc>>,
}

/// What exports are checked with.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    pub key_id: String,
    /// The base64 of 32 bytes (Ed25519).
    pub key: String,
}

/// The audit log's head, the anchor, and whether they fit
#[utoipa::path(get, path = "/api/v1/audit/integrity", tag = "audit", security(("session" = [])),
    responses((status = 200, body = AuditIntegrity), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn audit_integrity(
    State(app): State<AppState>,
    Admin(_admin): Admin,
) -> Result<Json<AuditIntegrity>, AppError> {
    // One that this dashboard has never compared is compared now.
    crate::app::anchor::look(&app).await?.ok();
    let seen = proxima_db::anchor::observe(&app.db, 0).await?;
    let report = app.anchor.report();
    Ok(Json(AuditIntegrity {
        state: report.standing,
        sentence: report.sentence,
        installation_id: seen.installation_id,
        incarnation: seen.incarnation,
        head: AuditPosition { id: seen.head_id, hash: hex::encode(&seen.head_hash) },
        anchored: report.mark.map(|mark| AnchoredPosition {
            id: mark.audit_id,
            hash: hex::encode(&mark.audit_hash),
            time: report.written_at,
        }),
        anchor_durable: report.trouble.is_none(),
        anchor_problem: report.trouble,
        public_key: app
            .keyring
            .public_key()
            .map(|key| PublicKey { key_id: proxima_signing::key_id(key), key: key.to_string() }),
    }))
}
