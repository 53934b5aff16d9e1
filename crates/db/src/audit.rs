//! The audit log: appended in the transaction of what it speaks of, hash-chained in SQL.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use serde_json::Value;
use std::net::IpAddr;
use uuid::Uuid;

/// A row to append.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    pub action: &'a str,
    pub succeeded: bool,
    /// Id, kind (`user`, `server`, `session`, `settings`) and name of what was acted upon.
    pub target: Option<Target<'a>>,
    pub user_id: Option<Uuid>,
    /// `system` when nobody acted.
    pub username: &'a str,
    pub metadata: Value,
    pub ip: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub id: Option<Uuid>,
    pub kind: &'a str,
    pub name: &'a str,
}

/// A row as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Entry {
    pub id: i64,
    pub time: DateTime<Utc>,
    pub action: String,
    pub outcome: String,
    pub target: Option<Uuid>,
    pub target_type: Option<String>,
    pub target_name: Option<String>,
    pub user_id: Option<Uuid>,
    pub username: String,
    pub metadata: Value,
    /// As PostgreSQL writes it, and so as it was hashed.
    pub metadata_text: String,
    pub ip: Option<IpNetwork>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Which rows to list; `None` is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub action: Option<String>,
    /// `true`: what succeeded, `false`: what failed.
    pub succeeded: Option<bool>,
    /// The username of who acted, exact.
    pub actor: Option<String>,
    pub target: Option<TargetFilter>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub enum TargetFilter {
    Id(Uuid),
    /// A part of the name.
    Name(String),
}

/// Appends one row. Call it last: the chain's head stays locked until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn append(connection: &mut PgConnection, entry: NewEntry<'_>) -> DbResult<i64> {
    let outcome = if entry.succeeded { "SUCCESS" } else { "FAILURE" };
    let id = sqlx::query_scalar!(
        r#"SELECT append_audit($1, $2, $3, $4, $5, $6, $7, $8, $9) AS "id!""#,
        entry.action,
        outcome,
        entry.target.and_then(|target| target.id),
        entry.target.map(|target| target.kind),
        entry.target.map(|target| target.name),
        entry.user_id,
        entry.username,
        entry.metadata,
        entry.ip.map(IpNetwork::from),
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}
