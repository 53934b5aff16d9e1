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

/// How many servers are in which state, and what needs attention, most urgent kind first, at most `limit`; all as of one
/// moment.
///
/// Nearly all servers of a fleet are online or have no gateway: those are counted, and only the others looked at.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn at_a_glance(
    pool: &PgPool,
    heartbeat_interval: PgInterval,
    limit: i64,
) -> DbResult<(Counts, Vec<AttentionRow>)> {
    let rows = sqlx::query!(
        r#"WITH installing AS MATERIALIZED (
               SELECT server_id AS id FROM jobs WHERE kind = 'INSTALL' AND state IN ('QUEUED', 'RUNNING')),
           -- All that are neither plainly online nor plainly without a gateway, and some that are.
           special AS MATERIALIZED (
               SELECT server_id AS id FROM gateway_installs
               WHERE phase <> 'serving' OR last_heartbeat_at < statement_timestamp() - 3 * $1::interval
                  OR rejected_number IS NOT NULL
               UNION SELECT id FROM servers WHERE license_status <> 'ACTIVE'
               UNION SELECT id FROM servers WHERE key_cut_at IS NOT NULL
               UNION SELECT id FROM servers WHERE key_shared_since IS NOT NULL
               UNION SELECT id FROM installing),
           facts AS (
               SELECT s.id, s.name, s.owner_id, s.key_shared_since, s.grace_expires_at, s.config_generation,
                      s.config_updated_at, i.last_heartbeat_at, i.phase, i.rejected_incarnation, i.rejected_number,
                      i.rejected_reason,
                      license_status_at(s.license_status, s.grace_expires_at, statement_timestamp()) AS license,
                      s.id IN (SELECT id FROM installing) AS installing,
                      COALESCE(s.key_cut_at >= i.last_heartbeat_at, false) AS reinstall_needed
               -- Looked up one by one, whatever the planner guesses of how many there are.
               FROM special CROSS JOIN LATERAL (SELECT * FROM servers WHERE id = special.id LIMIT 1) s
               LEFT JOIN LATERAL (SELECT * FROM gateway_installs g WHERE g.server_id = s.id
                                  ORDER BY g.last_heartbeat_at DESC LIMIT 1) i ON true),
           o AS MATERIALIZED (
               SELECT *, server_status_at(license, last_heartbeat_at, phase, installing, reinstall_needed, $1,
                                          statement_timestamp()) AS status
               FROM facts),
           whole AS (
               SELECT (SELECT count(*) FROM servers) AS total, (SELECT count(*) FROM servers_without_install) AS bare),
           seen AS (
               SELECT count(*) AS seen, count(*) FILTER (WHERE last_heartbeat_at IS NULL) AS bare,
                      count(*) FILTER (WHERE status = 'ONLINE') AS online,
                      count(*) FILTER (WHERE status = 'OFFLINE') AS offline,
                      count(*) FILTER (WHERE status = 'STOPPED_BY_LICENSE') AS stopped,
                      count(*) FILTER (WHERE status = 'KEY_RETIRED') AS key_retired,
                      count(*) FILTER (WHERE status = 'NOT_INSTALLED') AS not_installed,
                      count(*) FILTER (WHERE status = 'INSTALLING') AS installing,
                      count(*) FILTER (WHERE license = 'GRACE') AS grace,
                      count(*) FILTER (WHERE license = 'EXPIRED') AS expired
               FROM o),
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
               SELECT o.*, 5, 'STOPPED_BY_LICENSE', o.grace_expires_at, '' FROM o WHERE status = 'STOPPED_BY_LICENSE'),
           urgent AS (SELECT * FROM found ORDER BY urgency, since NULLS LAST, id LIMIT $2)
           SELECT whole.total AS "total!", whole.bare AS "bare!", seen.seen AS "seen!", seen.bare AS "seen_bare!",
                  seen.online AS "online!", seen.offline AS "offline!", seen.stopped AS "stopped!",
                  seen.key_retired AS "key_retired!", seen.not_installed AS "not_installed!",
                  seen.installing AS "installing!", seen.grace AS "grace!", seen.expired AS "expired!",
                  a.id AS "server_id?", a.name AS "server_name?", a.owner_id AS "user_id?", u.username AS "username?",
                  a.kind AS "kind?", a.since AS "since?", a.detail AS "detail?"
           FROM whole CROSS JOIN seen LEFT JOIN (urgent a JOIN users u ON u.id = a.owner_id) ON true
           ORDER BY a.urgency, a.since NULLS LAST, a.id"#,
        heartbeat_interval,
        limit
    )
    .fetch_all(pool)
    .await?;
    let counts = rows.first().map_or_else(Counts::default, |row| {
        let plainly_bare = row.bare - row.seen_bare;
        Counts {
            total: row.total,
            online: row.online + (row.total - row.seen - plainly_bare),
            offline: row.offline,
            stopped: row.stopped,
            key_retired: row.key_retired,
            not_installed: row.not_installed + plainly_bare,
            installing: row.installing,
            grace: row.grace,
            expired: row.expired,
        }
    });
    let attention = rows.into_iter().filter_map(|row| {
        Some(AttentionRow {
            server_id: row.server_id?,
            server_name: row.server_name?,
            user_id: row.user_id?,
            username: row.username?,
            kind: row.kind?,
            since: row.since,
            detail: row.detail.unwrap_or_default(),
        })
    });
    Ok((counts, attention.collect()))
}
