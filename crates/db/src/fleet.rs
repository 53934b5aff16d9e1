//! The fleet at a glance: counts, and what needs attention.

use crate::{DbResult, PgPool};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// How many servers are in which state now. `grace` and `expired` speak of licenses, the others of
/// servers, so the numbers overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    pub stopped: i64,
    pub key_retired: i64,
    pub not_installed: i64,
    pub installing: i64,
    pub grace: i64,
    pub expired: i64,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn counts(pool: &PgPool, heartbeat_interval: PgInterval) -> DbResult<Counts> {
    Ok(sqlx::query_as!(
        Counts,
        r#"SELECT count(*) AS "total!",
                  count(*) FILTER (WHERE status = 'ONLINE') AS "online!",
                  count(*) FILTER (WHERE status = 'OFFLINE') AS "offline!",
                  count(*) FILTER (WHERE status = 'STOPPED_BY_LICENSE') AS "stopped!",
                  count(*) FILTER (WHERE status = 'KEY_RETIRED') AS "key_retired!",
                  count(*) FILTER (WHERE status = 'NOT_INSTALLED') AS "not_installed!",
                  count(*) FILTER (WHERE status = 'INSTALLING') AS "installing!",
                  count(*) FILTER (WHERE license = 'GRACE') AS "grace!",
                  count(*) FILTER (WHERE license = 'EXPIRED') AS "expired!"
           FROM (SELECT license, server_status_at(license, last_heartbeat_at, phase, installing, reinstall_needed, $1,
                                                  statement_timestamp()) AS status
                 FROM (SELECT license_status_at(license_status, grace_expires_at, statement_timestamp()) AS license,
                              last_heartbeat_at, phase, installing, reinstall_needed
                       FROM server_overview) licensed) derived"#,
        heartbeat_interval
    )
    .fetch_one(pool)
    .await?)
}

/// One thing that needs attention.
#[derive(Debug, Clone)]
pub struct AttentionRow {
    pub server_id: Uuid,
    pub server_name: String,
    pub user_id: Uuid,
    pub username: String,
    pub kind: String,
    pub since: Option<DateTime<Utc>>,
    pub detail: String,
}

/// What needs attention, most urgent kind first, at most `limit`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn attention(pool: &PgPool, heartbeat_interval: PgInterval, limit: i64) -> DbResult<Vec<AttentionRow>> {
    Ok(sqlx::query_as!(
        AttentionRow,
        r#"WITH o AS (
               SELECT licensed.*, server_status_at(license, last_heartbeat_at, phase, installing, reinstall_needed, $1,
                                                   statement_timestamp()) AS status
               FROM (SELECT *, license_status_at(license_status, grace_expires_at, statement_timestamp()) AS license
                     FROM server_overview) licensed),
           found AS (
               SELECT o.*, 1 AS urgency, 'OFFLINE' AS kind, o.last_heartbeat_at AS since, '' AS detail FROM o
               WHERE status = 'OFFLINE'
               UNION ALL
               SELECT o.*, 1, 'KEY_RETIRED', o.last_heartbeat_at, '' FROM o WHERE status = 'KEY_RETIRED'
               UNION ALL
               SELECT o.*, 2, 'KEY_IN_USE_ON_SEVERAL_HOSTS', o.key_shared_since, '' FROM o
               WHERE o.key_shared_since IS NOT NULL
               UNION ALL
               SELECT o.*, 3, 'CONFIG_REJECTED', o.config_updated_at, o.rejected_reason FROM o
               WHERE o.rejected_number = o.config_generation
                 AND o.rejected_incarnation = (SELECT incarnation FROM settings)
               UNION ALL
               SELECT o.*, 4, 'GRACE_ENDING', o.grace_expires_at, '' FROM o WHERE license = 'GRACE'
               UNION ALL
               SELECT o.*, 5, 'STOPPED_BY_LICENSE', o.grace_expires_at, '' FROM o WHERE status = 'STOPPED_BY_LICENSE')
           SELECT id AS "server_id!", name AS "server_name!", owner_id AS "user_id!", owner_username AS "username!",
                  kind AS "kind!", since, COALESCE(detail, '') AS "detail!"
           FROM found ORDER BY urgency, since NULLS LAST, id LIMIT $2"#,
        heartbeat_interval,
        limit
    )
    .fetch_all(pool)
    .await?)
}
