//! Rotation of a server's license key without downtime (docs/heartbeat.md, "Rotation"): while it is
//! open, the present key and the next one are both the server's.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use proxima_types::{KeyDigest, ServerId};
use uuid::Uuid;

/// A rotation that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRotation {
    /// Of the next key.
    pub last4: String,
    pub started_at: DateTime<Utc>,
    /// The name of who began it.
    pub started_by: String,
    /// From then on only the next key counts.
    pub limit_at: DateTime<Utc>,
}

/// The last rotation that ended with its key in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRotation {
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// When a heartbeat with the new key was first accepted: that ended it. Later, or none yet: the
    /// limit did.
    pub adopted_at: Option<DateTime<Utc>>,
}

/// A server's license keys.
#[derive(Debug, Clone)]
pub struct KeyState {
    /// Of the present key.
    pub last4: String,
    pub open: Option<OpenRotation>,
    pub ended: Option<EndedRotation>,
}

/// A server's keys as they count at this moment: past its limit a rotation has ended for every
/// reader, whether or not a sweep has found it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn state(connection: &mut PgConnection, id: ServerId) -> DbResult<Option<KeyState>> {
    let row = sqlx::query!(
        r#"SELECT api_key_last4, next_key_last4, rotation_started_at, rotation_started_by, rotation_limit_at,
                  last_rotation_started_at, last_rotation_ended_at, last_rotation_adopted_at,
                  clock_timestamp() AS "now!"
           FROM servers WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let open =
        OpenRotation::of(row.next_key_last4, row.rotation_started_at, row.rotation_started_by, row.rotation_limit_at);
    Ok(Some(match open {
        Some(over) if over.limit_at <= row.now => KeyState {
            last4: over.last4,
            open: None,
            ended: Some(EndedRotation { started_at: over.started_at, ended_at: over.limit_at, adopted_at: None }),
        },
        open => KeyState {
            last4: row.api_key_last4,
            open,
            ended: row.last_rotation_started_at.zip(row.last_rotation_ended_at).map(|(started_at, ended_at)| {
                EndedRotation { started_at, ended_at, adopted_at: row.last_rotation_adopted_at }
            }),
        },
    }))
}

impl OpenRotation {
    /// The CHECK on the columns lets them come whole only.
    pub(crate) fn of(
        last4: Option<String>,
        started_at: Option<DateTime<Utc>>,
        started_by: Option<String>,
        limit_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        Some(Self { last4: last4?, started_at: started_at?, started_by: started_by?, limit_at: limit_at? })
    }
}

/// Opens a rotation to the key of this digest, sealed for the column `api_key`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn begin(
    connection: &mut PgConnection,
    id: ServerId,
    digest: KeyDigest,
    ciphertext: &[u8],
    rotation: &OpenRotation,
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE servers SET next_key_digest = $2, next_key_ciphertext = $3, next_key_last4 = $4,
               rotation_started_at = $5, rotation_started_by = $6, rotation_limit_at = $7, updated_at = now()
           WHERE id = $1"#,
        id.0,
        digest.as_bytes(),
        ciphertext,
        rotation.last4,
        rotation.started_at,
        rotation.started_by,
        rotation.limit_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the next key back; the trigger remembers it as retired. The present one stays.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn cancel(connection: &mut PgConnection, id: ServerId) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE servers SET next_key_digest = NULL, next_key_ciphertext = NULL, next_key_last4 = NULL,
               rotation_started_at = NULL, rotation_started_by = NULL, rotation_limit_at = NULL, updated_at = now()
           WHERE id = $1"#,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A rotation whose key is in force now.
#[derive(Debug, Clone)]
pub struct Finished {
    pub server_id: Uuid,
    pub server_name: String,
    pub started_at: DateTime<Utc>,
    pub started_by: String,
    pub limit_at: DateTime<Utc>,
    pub last4: String,
    /// The limit ended it; otherwise a heartbeat with the new key.
    pub limit_passed: bool,
}

/// Ends every rotation whose next key is among `used` (heartbeats with it were accepted), and every
/// one that is past its limit (at most 500 at a time): the next key becomes the present one, and
/// the trigger remembers the old one as retired. Returns them: the caller audits each in the same
/// transaction. A row that somebody else is changing is left for the next time, so this waits for nobody.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn finish(connection: &mut PgConnection, used: &[KeyDigest]) -> DbResult<Vec<Finished>> {
    let used: Vec<Vec<u8>> = used.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    // The outer condition is judged again on the locked row; the inner ones make it a look-up by index.
    Ok(sqlx::query_as!(
        Finished,
        r#"UPDATE servers s SET
               api_key_digest = s.next_key_digest, api_key_ciphertext = s.next_key_ciphertext,
               api_key_last4 = s.next_key_last4, next_key_digest = NULL, next_key_ciphertext = NULL,
               next_key_last4 = NULL, rotation_started_at = NULL, rotation_started_by = NULL,
               rotation_limit_at = NULL, last_rotation_started_at = due.rotation_started_at,
               last_rotation_ended_at = CASE WHEN due.limit_passed THEN due.rotation_limit_at ELSE due.at END,
               last_rotation_adopted_at = CASE WHEN due.used THEN due.at END, updated_at = now()
           FROM (SELECT id, rotation_started_at, rotation_started_by, rotation_limit_at, statement_timestamp() AS at,
                        rotation_limit_at <= statement_timestamp() AS limit_passed, next_key_digest = ANY ($1) AS used
                 FROM servers
                 WHERE id = ANY (ARRAY(
                           SELECT id FROM servers WHERE next_key_digest = ANY ($1)
                           UNION ALL
                           (SELECT id FROM servers WHERE rotation_limit_at <= statement_timestamp() LIMIT 500)))
                       AND (next_key_digest = ANY ($1) OR rotation_limit_at <= statement_timestamp())
                 FOR UPDATE SKIP LOCKED) due
           WHERE s.id = due.id
           RETURNING s.id AS server_id, s.name AS server_name, due.rotation_started_at AS "started_at!",
                     due.rotation_started_by AS "started_by!", due.rotation_limit_at AS "limit_at!",
                     s.api_key_last4 AS last4, due.limit_passed AS "limit_passed!""#,
        &used
    )
    .fetch_all(connection)
    .await?)
}

/// Notes of the keys that a limit put in force, and that are among `used`, when they were first used. As [`finish`], this
/// waits for nobody: a row that somebody else is changing is noted by the next heartbeat.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn note_late_adoptions(connection: &mut PgConnection, used: &[KeyDigest]) -> DbResult<()> {
    let used: Vec<Vec<u8>> = used.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    sqlx::query!(
        r#"UPDATE servers SET last_rotation_adopted_at = clock_timestamp()
           WHERE id IN (SELECT id FROM servers
                        WHERE api_key_digest = ANY ($1) AND last_rotation_ended_at IS NOT NULL
                              AND last_rotation_adopted_at IS NULL
                        FOR UPDATE SKIP LOCKED)"#,
        &used
    )
    .execute(connection)
    .await?;
    Ok(())
}
