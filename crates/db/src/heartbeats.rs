//! Heartbeats, in batches: one statement reads the verdicts of all that wait, one writes what
//! they reported. Nothing here is cached: a batch is read after its last heartbeat arrived
//! (product.md section 4).

use crate::anchor::Seen;
use crate::licenses::parse_status;
use crate::{DbError, DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::heartbeat::{HeartbeatRequest, Phase};
use proxima_types::{ConfigGeneration, KeyDigest, License, ServerId};
use serde_json::Value;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// What is asked about one heartbeat.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    pub digest: KeyDigest,
    /// The newest configuration that this gateway knows of: applied or rejected.
    pub known_config: Option<ConfigGeneration>,
}

/// What the database says about a presented key, at its clock.
#[derive(Debug, Clone)]
pub enum Finding {
    Licensed(Box<Licensed>),
    Retired {
        server_id: ServerId,
        reason: String,
        /// The limit of its rotation has passed, and nobody has ended it yet.
        overdue: bool,
    },
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Licensed {
    pub server_id: ServerId,
    pub license: License,
    /// EXPIRED is audited already.
    pub expiry_observed: bool,
    /// The desired configuration, when the gateway does not know it.
    pub config: Option<(ConfigGeneration, Value)>,
    /// A rotation is open, and this is the old key: what to hand over.
    pub next_key: Option<NextKey>,
    /// It is the key of a rotation, and nobody has noted yet that it is in use.
    pub first_use: bool,
}

/// A key to hand over.
#[derive(Debug, Clone)]
pub struct NextKey {
    /// Sealed for the column `api_key`.
    pub ciphertext: Vec<u8>,
    pub rotation_started_at: DateTime<Utc>,
}

/// The answers to a batch, in its order, and the database's clock when they were read.
pub struct Findings {
    pub now: DateTime<Utc>,
    pub offline_limit_days: Option<i32>,
    /// Where the database stood in that statement.
    pub seen: Seen,
    pub findings: Vec<Finding>,
}

/// Reads the verdict on each presented key as committed now, and where the database stands: the audit row `anchored` is
/// the one that the anchor names.
///
/// `LATERAL … LIMIT 1` makes every plan a look-up by index for each key, whatever PostgreSQL guesses of the batch and
/// of tables that it has not analyzed: as plain joins, batches of hundreds were read by whole scans and compiled
/// first (JIT), which took 100 times as long.
///
/// # Errors
/// See [`crate::DbError`]; then there is no verdict for any of them.
pub async fn judge(pool: &PgPool, questions: &[Question], anchored: i64) -> DbResult<Findings> {
    let digests: Vec<Vec<u8>> = questions.iter().map(|question| question.digest.as_bytes().to_vec()).collect();
    let incarnations: Vec<Option<i32>> =
        questions.iter().map(|q| q.known_config.map(|g| signed(g.incarnation))).collect();
    let numbers: Vec<Option<i64>> = questions.iter().map(|q| q.known_config.map(|g| signed64(g.number))).collect();
    let rows = sqlx::query!(
        r#"SELECT clock_timestamp() AS "now!", st.offline_limit_days, st.incarnation,
                  s.id AS "server_id?", s.license_status AS "license_status?", s.grace_expires_at AS "grace_expires_at?",
                  (s.expiry_observed_at IS NOT NULL) AS "expiry_observed!", s.config_generation AS "config_generation?",
                  CASE WHEN s.config_generation > 0
                            AND (st.incarnation, s.config_generation) IS DISTINCT FROM (k.incarnation, k.number)
                       THEN s.config END AS config,
                  s.is_next AS "is_next?", s.next_key_ciphertext AS "next_key_ciphertext?",
                  s.rotation_started_at AS "rotation_started_at?", s.rotation_limit_at AS "rotation_limit_at?",
                  (s.last_rotation_ended_at IS NOT NULL AND s.last_rotation_adopted_at IS NULL) AS "unadopted!",
                  r.server_id AS "retired_server_id?", r.reason AS "retired_reason?",
                  CASE WHEN k.position = 1 THEN st.installation_id END AS installation_id,
                  CASE WHEN k.position = 1 THEN h.id END AS head_id, CASE WHEN k.position = 1 THEN h.hash END AS head_hash,
                  CASE WHEN k.position = 1 THEN h.retirements END AS retirements,
                  CASE WHEN k.position = 1 THEN (SELECT hash FROM audit_log WHERE id = $4) END AS anchored_hash
           FROM (SELECT offline_limit_days, incarnation, installation_id FROM settings LIMIT 1) st
           CROSS JOIN (SELECT id, hash, retirements FROM audit_head LIMIT 1) h
           CROSS JOIN UNNEST($1::bytea[], $2::int[], $3::bigint[])
                      WITH ORDINALITY AS k(digest, incarnation, number, position)
           LEFT JOIN LATERAL (SELECT *, false AS is_next FROM servers WHERE api_key_digest = k.digest
                              UNION ALL
                              SELECT *, true FROM servers WHERE next_key_digest = k.digest
                              LIMIT 1) s ON true
           LEFT JOIN LATERAL (SELECT * FROM retired_keys WHERE digest = k.digest AND s.id IS NULL LIMIT 1) r ON true
           ORDER BY k.position"#,
        &digests,
        &incarnations as &[Option<i32>],
        &numbers as &[Option<i64>],
        anchored,
    )
    .fetch_all(pool)
    .await?;
    // Without a row of settings, or without a head, there is nothing to judge by.
    let first = rows.first().ok_or_else(|| DbError::Internal(sqlx::Error::RowNotFound))?;
    let (now, offline_limit_days) = (first.now, first.offline_limit_days);
    let seen = Seen {
        installation_id: first.installation_id.unwrap_or_default(),
        incarnation: first.incarnation,
        head_id: first.head_id.unwrap_or_default(),
        head_hash: first.head_hash.clone().unwrap_or_default(),
        retirements: first.retirements.unwrap_or_default(),
        anchored_hash: first.anchored_hash.clone(),
    };
    let findings = rows
        .into_iter()
        .map(|row| {
            let Some(id) = row.server_id.map(ServerId) else {
                return match row.retired_server_id.map(ServerId) {
                    Some(server_id) => {
                        let reason = row.retired_reason.unwrap_or_default();
                        Finding::Retired { server_id, reason, overdue: false }
                    }
                    None => Finding::Unknown,
                };
            };
            let is_next = row.is_next == Some(true);
            if !is_next && row.rotation_limit_at.is_some_and(|limit| limit <= now) {
                return Finding::Retired { server_id: id, reason: "ROTATED".to_owned(), overdue: true };
            }
            let next_key = row.next_key_ciphertext.zip(row.rotation_started_at).filter(|_| !is_next);
            Finding::Licensed(Box::new(Licensed {
                server_id: id,
                license: License {
                    stored: parse_status(row.license_status.as_deref().unwrap_or_default()),
                    grace_expires_at: row.grace_expires_at,
                },
                expiry_observed: row.expiry_observed,
                config: row.config.map(|config| {
                    let number = u64::try_from(row.config_generation.unwrap_or_default()).unwrap_or_default();
                    let incarnation = u32::try_from(row.incarnation).unwrap_or_default();
                    (ConfigGeneration { incarnation, number }, config)
                }),
                next_key: next_key.map(|(ciphertext, rotation_started_at)| NextKey { ciphertext, rotation_started_at }),
                // Of an open rotation's old key, what the rotation before left does not matter.
                first_use: is_next || (row.unadopted && row.rotation_limit_at.is_none()),
            }))
        })
        .collect();
    Ok(Findings { now, offline_limit_days, seen, findings })
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn signed64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A heartbeat that was judged as a licensed gateway's.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub server_id: ServerId,
    /// The key that it came with. When it is retired since, the report is of no gateway of this server.
    pub digest: KeyDigest,
    pub heartbeat: &'a HeartbeatRequest,
}

impl Report<'_> {
    fn is_one_of(&self, mut rows: impl Iterator<Item = (Uuid, Uuid)>) -> bool {
        rows.any(|row| row == (self.server_id.0, self.heartbeat.install_id.0))
    }
}

/// Records what gateways reported. Each (server, install) may stand in the batch once; a report
/// that is not newer than the recorded one, or is of a superseded boot, changes nothing, but for
/// one that [`is alive after all`](believe_the_living).
/// Returns the servers on which an install was seen for the first time.
///
/// # Errors
/// [`crate::DbError::Gone`] when a server was deleted in between: ask again.
pub async fn record(pool: &PgPool, reports: &[Report<'_>]) -> DbResult<Vec<ServerId>> {
    let mut recorded = record_newer(pool, reports).await?;
    if recorded.len() < reports.len() {
        let known = |report: &&Report| report.is_one_of(recorded.iter().map(|row| (row.server_id, row.install_id)));
        let refused: Vec<_> = reports.iter().filter(|report| !known(report)).copied().collect();
        let alive = believe_the_living(pool, &refused).await?;
        if !alive.is_empty() {
            recorded.extend(record_newer(pool, &alive).await?);
        }
    }
    Ok(recorded.into_iter().filter(|row| row.inserted).map(|row| ServerId(row.server_id)).collect())
}

struct Recorded {
    server_id: Uuid,
    install_id: Uuid,
    inserted: bool,
}

async fn record_newer(pool: &PgPool, reports: &[Report<'_>]) -> DbResult<Vec<Recorded>> {
    let heartbeats = || reports.iter().map(|report| report.heartbeat);
    let column = |text: fn(&HeartbeatRequest) -> String| -> Vec<String> { heartbeats().map(text).collect() };
    let generation = |pick: fn(&HeartbeatRequest) -> Option<ConfigGeneration>| -> (Vec<Option<i32>>, Vec<Option<i64>>) {
        heartbeats()
            .map(pick)
            .map(|known| (known.map(|g| signed(g.incarnation)), known.map(|g| signed64(g.number))))
            .unzip()
    };
    let (applied_incarnations, applied_numbers) = generation(|report| report.applied_config);
    let (rejected_incarnations, rejected_numbers) = generation(|r| r.rejected_config.as_ref().map(|c| c.generation));
    let rejected_reasons: Vec<Option<String>> =
        heartbeats().map(|report| report.rejected_config.as_ref().map(|c| c.reason.clone())).collect();
    let counters: Vec<Value> =
        heartbeats().map(|report| serde_json::to_value(report.counters).unwrap_or_default()).collect();
    let trusted_keys: Vec<Option<String>> =
        heartbeats().map(|report| report.trusted_keys.as_ref().map(|keys| keys.join(" "))).collect();
    Ok(sqlx::query_as!(
        Recorded,
        r#"INSERT INTO gateway_installs AS g (
               server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os, architecture, hostname,
               applied_incarnation, applied_number, rejected_incarnation, rejected_number, rejected_reason, counters,
               trusted_keys, first_seen_at, last_heartbeat_at)
           SELECT b.server_id, b.install_id, b.boot_id, b.sequence, b.phase, b.version, b.uptime_seconds, b.os,
                  b.architecture, b.hostname, b.applied_incarnation, b.applied_number, b.rejected_incarnation,
                  b.rejected_number, b.rejected_reason, b.counters, b.trusted_keys, clock_timestamp(), clock_timestamp()
           FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                       $8::text[], $9::text[], $10::text[], $11::int[], $12::bigint[], $13::int[], $14::bigint[],
                       $15::text[], $16::jsonb[], $17::text[], $18::bytea[])
                AS b(server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os, architecture,
                     hostname, applied_incarnation, applied_number, rejected_incarnation, rejected_number,
                     rejected_reason, counters, trusted_keys, digest)
           CROSS JOIN LATERAL (SELECT FROM servers s WHERE s.id = b.server_id
                               AND b.digest IN (s.api_key_digest, s.next_key_digest) LIMIT 1) still_its_key
           ORDER BY 1, 2
           ON CONFLICT (server_id, install_id) DO UPDATE SET
               previous_boot_ids = CASE WHEN g.boot_id = EXCLUDED.boot_id THEN g.previous_boot_ids
                                        ELSE (g.boot_id || g.previous_boot_ids)[1:8] END,
               boot_id = EXCLUDED.boot_id, sequence = EXCLUDED.sequence, phase = EXCLUDED.phase,
               version = EXCLUDED.version, uptime_seconds = EXCLUDED.uptime_seconds, os = EXCLUDED.os,
               architecture = EXCLUDED.architecture, hostname = EXCLUDED.hostname,
               applied_incarnation = EXCLUDED.applied_incarnation, applied_number = EXCLUDED.applied_number,
               rejected_incarnation = EXCLUDED.rejected_incarnation, rejected_number = EXCLUDED.rejected_number,
               rejected_reason = EXCLUDED.rejected_reason, counters = EXCLUDED.counters,
               trusted_keys = EXCLUDED.trusted_keys, last_heartbeat_at = EXCLUDED.last_heartbeat_at
           WHERE (g.boot_id = EXCLUDED.boot_id AND EXCLUDED.sequence > g.sequence)
              OR (g.boot_id <> EXCLUDED.boot_id AND NOT EXCLUDED.boot_id = ANY (g.previous_boot_ids))
           RETURNING server_id, install_id, (xmax = 0) AS "inserted!""#,
        &reports.iter().map(|report| report.server_id.0).collect::<Vec<_>>(),
        &heartbeats().map(|report| report.install_id.0).collect::<Vec<_>>(),
        &heartbeats().map(|report| report.boot_id).collect::<Vec<_>>(),
        &heartbeats().map(|report| signed64(report.sequence)).collect::<Vec<_>>(),
        &column(|report| phase_text(report.phase).to_owned()),
        &column(|report| report.version.clone()),
        &heartbeats().map(|report| signed64(report.uptime_seconds)).collect::<Vec<_>>(),
        &column(|report| report.host.os.clone()),
        &column(|report| report.host.architecture.clone()),
        &column(|report| report.host.hostname.clone()),
        &applied_incarnations as &[Option<i32>],
        &applied_numbers as &[Option<i64>],
        &rejected_incarnations as &[Option<i32>],
        &rejected_numbers as &[Option<i64>],
        &rejected_reasons as &[Option<String>],
        &counters,
        &trusted_keys as &[Option<String>],
        &reports.iter().map(|report| report.digest.as_bytes().to_vec()).collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await?)
}

/// No heartbeat is on its way for so long: gateways give up sooner.
const ON_ITS_WAY: chrono::Duration = chrono::Duration::seconds(20);

/// Of reports that were not recorded, those of a process that was superseded by mistake. Nobody can tell the first heartbeat of
/// a new process from a late one of a process that ended unheard before the present one began: it supersedes the living. But
/// the dead do not speak on. A superseded process that is heard twice, with a rising count and [`ON_ITS_WAY`] apart, while the
/// one in its place says nothing, is the living one: it is superseded no longer, and its report can be recorded.
async fn believe_the_living<'a>(pool: &PgPool, refused: &[Report<'a>]) -> DbResult<Vec<Report<'a>>> {
    let alive = sqlx::query!(
        r#"WITH late AS (
               SELECT b.*, n.since,
                      COALESCE(n.boot_id = b.boot_id AND g.last_heartbeat_at < n.since, false) AS speaks_on
               FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) AS b(server_id, install_id, boot_id, sequence)
               CROSS JOIN LATERAL (SELECT * FROM gateway_installs g WHERE g.server_id = b.server_id
                                   AND g.install_id = b.install_id AND b.boot_id = ANY (g.previous_boot_ids) LIMIT 1) g
               LEFT JOIN gateway_returns n ON n.server_id = b.server_id AND n.install_id = b.install_id
               -- A repeated one says nothing new.
               WHERE n.boot_id IS DISTINCT FROM b.boot_id OR b.sequence > n.sequence
               ORDER BY 1, 2),
           noted AS (
               INSERT INTO gateway_returns AS r (server_id, install_id, boot_id, sequence, since)
               SELECT server_id, install_id, boot_id, sequence, CASE WHEN speaks_on THEN since ELSE clock_timestamp() END
               FROM late
               ON CONFLICT (server_id, install_id) DO UPDATE SET
                   boot_id = EXCLUDED.boot_id, sequence = EXCLUDED.sequence, since = EXCLUDED.since)
           UPDATE gateway_installs g SET previous_boot_ids = array_remove(g.previous_boot_ids, late.boot_id)
           FROM late
           WHERE g.server_id = late.server_id AND g.install_id = late.install_id AND late.speaks_on
             AND clock_timestamp() - late.since >= $5
           RETURNING g.server_id, g.install_id"#,
        &refused.iter().map(|report| report.server_id.0).collect::<Vec<_>>(),
        &refused.iter().map(|report| report.heartbeat.install_id.0).collect::<Vec<_>>(),
        &refused.iter().map(|report| report.heartbeat.boot_id).collect::<Vec<_>>(),
        &refused.iter().map(|report| signed64(report.heartbeat.sequence)).collect::<Vec<_>>(),
        crate::servers::interval(ON_ITS_WAY),
    )
    .fetch_all(pool)
    .await?;
    let is_alive = |report: &&Report| report.is_one_of(alive.iter().map(|row| (row.server_id, row.install_id)));
    Ok(refused.iter().filter(is_alive).copied().collect())
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Serving => "serving",
    }
}

/// How many installs of one server are remembered: whoever holds a key can make up install ids
/// (invariant 5).
const INSTALLS_PER_SERVER: i64 = 8;

/// Forgets the longest silent installs of each of `servers` beyond the bound.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn trim_installs(pool: &PgPool, servers: &[ServerId]) -> DbResult<()> {
    sqlx::query!(
        r#"DELETE FROM gateway_installs g
           USING (SELECT server_id, install_id,
                         row_number() OVER (PARTITION BY server_id ORDER BY last_heartbeat_at DESC) AS place
                  FROM gateway_installs WHERE server_id = ANY ($1)) ranked
           WHERE g.server_id = ranked.server_id AND g.install_id = ranked.install_id AND ranked.place > $2"#,
        &servers.iter().map(|server| server.0).collect::<Vec<_>>(),
        INSTALLS_PER_SERVER,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets installs that have been silent for `silence` while a later one of their server was heard, so that the servers with
/// several are few: each re-install leaves one behind. One that speaks again is new.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_superseded(connection: &mut PgConnection, silence: PgInterval) -> DbResult<u64> {
    // Nobody's first heartbeat is recorded meanwhile, so no server comes to have several unseen.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(34, bucket) FROM (SELECT generate_series(0, 255) ORDER BY 1) b (bucket)"
    )
    .execute(&mut *connection)
    .await?;
    let forgotten = sqlx::query!(
        r#"DELETE FROM gateway_installs g USING several_installs s
           WHERE g.server_id = s.server_id AND g.last_heartbeat_at < clock_timestamp() - $1::interval
             AND EXISTS (SELECT FROM gateway_installs n WHERE n.server_id = g.server_id
                         AND (n.last_heartbeat_at, n.install_id) > (g.last_heartbeat_at, g.install_id))"#,
        silence
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM several_installs s WHERE (SELECT count(*) FROM gateway_installs g WHERE g.server_id = s.server_id) < 2"
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected())
}

/// A server whose key is seen in use on several hosts for the first time.
#[derive(Debug, Clone)]
pub struct SharedKey {
    pub server_id: Uuid,
    pub server_name: String,
    pub hosts: i64,
}

/// Marks the servers whose key came into use on several hosts and unmarks those where that ended;
/// returns the newly marked, for the caller to audit in the same transaction.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn observe_shared_keys(
    connection: &mut PgConnection,
    heartbeat_interval: PgInterval,
) -> DbResult<Vec<SharedKey>> {
    sqlx::query!(
        r#"UPDATE servers SET key_shared_since = NULL
           WHERE key_shared_since IS NOT NULL AND key_in_use_on_hosts(id, $1, clock_timestamp()) < 2"#,
        heartbeat_interval
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_as!(
        SharedKey,
        r#"UPDATE servers s SET key_shared_since = clock_timestamp()
           FROM (SELECT server_id, key_in_use_on_hosts(server_id, $1, clock_timestamp()) AS hosts
                 FROM several_installs) seen
           WHERE s.id = seen.server_id AND seen.hosts > 1 AND s.key_shared_since IS NULL
           RETURNING s.id AS server_id, s.name AS server_name, seen.hosts AS "hosts!""#,
        heartbeat_interval
    )
    .fetch_all(connection)
    .await?)
}
