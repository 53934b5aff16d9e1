//! Admin → Audit Log.

mod actions;
mod export;
mod integrity;
mod list;
mod retention;

use super::AppState;
use crate::app::audit_export::Format;
use chrono::{DateTime, Utc};
use proxima_db::audit::{Entry, Filter, TargetFilter};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::audit_list))
        .routes(routes!(actions::audit_actions))
        .routes(routes!(export::audit_export))
        .routes(routes!(integrity::audit_integrity))
        .routes(routes!(retention::audit_retention_get, retention::audit_retention_update))
}

/// One row of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub id: i64,
    pub time: DateTime<Utc>,
    pub action: String,
    /// The id of what was acted upon.
    #[schema(required)]
    pub target: Option<Uuid>,
    #[schema(required)]
    pub target_type: Option<String>,
    #[schema(required)]
    pub target_name: Option<String>,
    #[schema(required)]
    pub user_id: Option<Uuid>,
    /// `system` when the product itself acted, `console` for its command line.
    pub username: String,
    pub outcome: AuditOutcome,
    #[schema(value_type = HashMap<String, Value>)]
    pub metadata: serde_json::Value,
    #[schema(required)]
    pub ip: Option<String>,
    /// The hash that this row's stands on, in hex.
    pub prev_hash: String,
    /// Of the chain, in hex.
    pub hash: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuditOutcome {
    Success,
    Failure,
}

impl From<Entry> for AuditEntry {
    fn from(row: Entry) -> Self {
        Self {
            id: row.id,
            time: row.time,
            action: row.action,
            target: row.target,
            target_type: row.target_type,
            target_name: row.target_name,
            user_id: row.user_id,
            username: row.username,
            outcome: if row.outcome == "SUCCESS" { AuditOutcome::Success } else { AuditOutcome::Failure },
            metadata: row.metadata,
            ip: row.ip.map(|ip| ip.ip().to_string()),
            prev_hash: hex::encode(&row.prev_hash),
            hash: hex::encode(&row.hash),
        }
    }
}

/// Which rows; shared by the list and the export.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    pub action: Option<String>,
    pub outcome: Option<AuditOutcome>,
    /// The username of who acted.
    pub actor: Option<String>,
    /// An id, or a part of a name.
    pub target: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    pub cursor: Option<String>,
    /// 1 to 200, by default 50. An export has all rows.
    pub limit: Option<u32>,
    /// Of an export: `csv` (by default) or `jsonl`.
    #[param(inline)]
    pub format: Option<Format>,
}

impl AuditQuery {
    fn filter(&self) -> Filter {
        let given = |text: &Option<String>| {
            text.as_ref().map(|text| text.replace('\0', "").trim().to_owned()).filter(|text| !text.is_empty())
        };
        Filter {
            action: given(&self.action),
            actor: given(&self.actor).map(|name| name.to_lowercase()),
            target: given(&self.target).map(|text| match text.parse() {
                Ok(id) => TargetFilter::Id(id),
                Err(_) => TargetFilter::Name(text),
            }),
            succeeded: self.outcome.map(|outcome| outcome == AuditOutcome::Success),
            from: self.from,
            to: self.to,
        }
    }
}
