//! The audit log: appended in the transaction of what it speaks of, hash-chained in SQL.

use crate::page::{Page, contains_pattern, fetch_count};
use crate::{DbResult, PgConnection, PgPool};
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
    pub ip: Option<IpNetwork>,
    pub hash: Vec<u8>,
}

/// Which rows to list; `None` is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub action: Option<String>,
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

/// Newest first, before the row `before`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(pool: &PgPool, filter: &Filter, before: Option<i64>, limit: u32) -> DbResult<Page<Entry, i64>> {
    let (target_id, target_name) = match &filter.target {
        Some(TargetFilter::Id(id)) => (Some(*id), None),
        Some(TargetFilter::Name(name)) => (None, Some(contains_pattern(name))),
        None => (None, None),
    };
    let rows = sqlx::query_as!(
        Entry,
        r#"SELECT id, time, action, outcome, target, target_type, target_name, user_id, username, metadata, ip, hash
           FROM audit_log
           WHERE ($1::bigint IS NULL OR id < $1)
             AND ($2::text IS NULL OR action = $2)
             AND ($3::text IS NULL OR username = $3)
             AND ($4::uuid IS NULL OR target = $4)
             AND ($5::text IS NULL OR target_name ILIKE $5)
             AND ($6::timestamptz IS NULL OR time >= $6)
             AND ($7::timestamptz IS NULL OR time < $7)
           ORDER BY id DESC LIMIT $8"#,
        before,
        filter.action,
        filter.actor,
        target_id,
        target_name,
        filter.from,
        filter.to,
        fetch_count(limit),
    )
    .fetch_all(pool)
    .await?;
    Ok(Page::from_rows(rows, limit, |entry| entry.id))
}

/// The first row that does not follow from its predecessor, or `None` when the chain holds up to
/// its head. Reads the whole log.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn first_broken(pool: &PgPool) -> DbResult<Option<i64>> {
    let broken = sqlx::query_scalar!(
        r#"SELECT min(id) FROM (
               SELECT a.id FROM audit_log a
               LEFT JOIN audit_log p ON p.id = a.id - 1
               WHERE a.hash <> audit_row_hash(a.prev_hash, a)
                  OR a.prev_hash <> COALESCE(p.hash, '\x0000000000000000000000000000000000000000000000000000000000000000')
                  OR (p.id IS NULL AND a.id <> 1)
                  OR a.id > (SELECT id FROM audit_head)
               UNION ALL
               SELECT h.id FROM audit_head h LEFT JOIN audit_log a ON a.id = h.id
               WHERE h.id > 0 AND a.hash IS DISTINCT FROM h.hash
           ) broken"#
    )
    .fetch_one(pool)
    .await?;
    Ok(broken)
}
