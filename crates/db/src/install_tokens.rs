//! Install tokens, and the jobs that boxes run themselves after using one up. A box's reports name no fence of their own:
//! [`FENCE`] is that of every such job until somebody gives it up.

use crate::jobs::running::{Hold, Taken};
use crate::{DbResult, PgConnection, PgPool, jobs};
use chrono::{DateTime, Utc};
use proxima_types::{InstallId, JobId, JobKind, KeyDigest, ServerId};
use sqlx::PgExecutor;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// Of a job while its box may report.
pub const FENCE: i64 = 1;

/// Queries give rows of types of their own; this reads what they have in common.
macro_rules! taken {
    ($row:ident) => {
        Taken {
            id: $row.id,
            fence: $row.fence,
            server_id: $row.server_id,
            kind: $row.kind,
            requested_by: $row.requested_by,
            install_id: $row.install_id,
            api_secret_ciphertext: $row.api_secret_ciphertext,
            replace_other_server: $row.replace_other_server,
            plan: $row.plan,
            undoing: $row.undoing,
            cancel_requested: $row.cancel_requested,
            started_at: $row.started_at,
            now: $row.now,
        }
    };
}

/// A token that is good for an install now.
#[derive(Debug, Clone)]
pub struct OpenToken {
    pub made_by: String,
    pub made_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Stores a token's digest for `lifetime`; the one before is good for nothing from then on.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn make(
    connection: &mut PgConnection,
    server: ServerId,
    digest: KeyDigest,
    made_by: &str,
    lifetime: PgInterval,
) -> DbResult<OpenToken> {
    Ok(sqlx::query_as!(
        OpenToken,
        r#"INSERT INTO install_tokens (server_id, digest, made_by, expires_at)
           VALUES ($1, $2, $3, clock_timestamp() + $4)
           ON CONFLICT (server_id) DO UPDATE SET digest = EXCLUDED.digest, made_by = EXCLUDED.made_by,
               made_at = clock_timestamp(), expires_at = EXCLUDED.expires_at, job_id = NULL
           RETURNING made_by, made_at, expires_at"#,
        server.0,
        digest.as_bytes(),
        made_by,
        lifetime,
    )
    .fetch_one(connection)
    .await?)
}

/// The token of a server that is good for an install now, if there is one. The caller has made sure that it may be seen.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open(executor: impl PgExecutor<'_>, server: ServerId) -> DbResult<Option<OpenToken>> {
    Ok(sqlx::query_as!(
        OpenToken,
        r#"SELECT made_by, made_at, expires_at FROM install_tokens
           WHERE server_id = $1 AND job_id IS NULL AND expires_at > clock_timestamp()"#,
        server.0,
    )
    .fetch_optional(executor)
    .await?)
}

/// Forgets a server's unused token; whether it was still good.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn withdraw(connection: &mut PgConnection, server: ServerId) -> DbResult<bool> {
    let was_good = sqlx::query_scalar!(
        r#"DELETE FROM install_tokens WHERE server_id = $1 AND job_id IS NULL
           RETURNING (expires_at > clock_timestamp()) AS "good!""#,
        server.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(was_good == Some(true))
}

/// What a presented token is.
#[derive(Debug, Clone)]
pub struct Presented {
    pub server_id: Uuid,
    pub made_by: String,
    /// It is good for an install now.
    pub good: bool,
    /// The job that it was used for.
    pub job_id: Option<Uuid>,
}

/// Looks a token up by its digest.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(executor: impl PgExecutor<'_>, digest: KeyDigest) -> DbResult<Option<Presented>> {
    Ok(sqlx::query_as!(
        Presented,
        r#"SELECT server_id, made_by, job_id, (job_id IS NULL AND expires_at > clock_timestamp()) AS "good!"
           FROM install_tokens WHERE digest = $1"#,
        digest.as_bytes(),
    )
    .fetch_optional(executor)
    .await?)
}

/// An install that a box runs itself.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    pub id: JobId,
    pub server: ServerId,
    pub requested_by: &'a str,
    pub report_digest: KeyDigest,
    pub install: InstallId,
    pub api_secret_ciphertext: &'a [u8],
}

/// Uses a token up for a job that runs from now on, and is given up when the box is silent for `silence`.
///
/// # Errors
/// [`crate::DbError::Conflict`] of `jobs_one_unfinished` when another job of the server is not finished.
pub async fn begin(
    connection: &mut PgConnection,
    digest: KeyDigest,
    job: NewJob<'_>,
    silence: PgInterval,
) -> DbResult<()> {
    jobs::insert(connection, job.id, job.server, JobKind::Install, false, job.requested_by).await?;
    sqlx::query!(
        r#"UPDATE jobs SET state = 'RUNNING', fence = $2, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + $3, report_digest = $4, install_id = $5, api_secret_ciphertext = $6
           WHERE id = $1"#,
        job.id.0,
        FENCE,
        silence,
        job.report_digest.as_bytes(),
        job.install.0,
        job.api_secret_ciphertext,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("UPDATE install_tokens SET job_id = $2 WHERE digest = $1", digest.as_bytes(), job.id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// A job that a box reports to, as its row is.
#[derive(Debug, Clone)]
pub struct Reported {
    pub taken: Taken,
    /// The box may report: the job runs, and nobody has given it up.
    pub live: bool,
    /// Of the last report that was taken.
    pub sequence: i64,
    pub proven: bool,
}

/// Whether a job has this report token.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn is_reporter(executor: impl PgExecutor<'_>, job: JobId, report_digest: KeyDigest) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND report_digest = $2) AS "known!""#,
        job.0,
        report_digest.as_bytes(),
    )
    .fetch_one(executor)
    .await?)
}

/// The job that this report token belongs to, locked until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock_reported(
    connection: &mut PgConnection,
    job: JobId,
    report_digest: KeyDigest,
) -> DbResult<Option<Reported>> {
    let row = sqlx::query!(
        r#"SELECT id, fence, server_id, kind, requested_by, install_id, api_secret_ciphertext, replace_other_server, plan,
                  undoing, (cancel_requested_at IS NOT NULL) AS "cancel_requested!", started_at AS "started_at!",
                  clock_timestamp() AS "now!", (state = 'RUNNING' AND fence = $3) AS "live!", report_sequence,
                  (proven_at IS NOT NULL) AS "proven!"
           FROM jobs WHERE id = $1 AND report_digest = $2 FOR UPDATE"#,
        job.0,
        report_digest.as_bytes(),
        FENCE,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Reported {
        live: row.live,
        sequence: row.report_sequence,
        proven: row.proven,
        taken: taken!(row),
    }))
}

/// Notes that a report was taken; the box may be silent for `silence` from now on, but the whole job is not longer than
/// `longest`: whatever the box says, nobody could end it otherwise.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn note_report(
    connection: &mut PgConnection,
    hold: Hold,
    sequence: i64,
    proven: bool,
    (silence, longest): (PgInterval, PgInterval),
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE jobs SET report_sequence = $3,
               lease_until = LEAST(clock_timestamp() + $5, started_at + $6),
               proven_at = CASE WHEN $4 THEN COALESCE(proven_at, clock_timestamp()) ELSE proven_at END
           WHERE id = $1 AND fence = $2 AND state = 'RUNNING'"#,
        hold.job.0,
        hold.fence,
        sequence,
        proven,
        silence,
        longest,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A job whose box fell silent, and that nobody can report to any more.
#[derive(Debug, Clone)]
pub struct Silent {
    pub taken: Taken,
    pub proven: bool,
}

/// Takes the jobs away from boxes that have been silent for too long. Whoever is given one ends it; one that is not ended
/// (the process died) is given out again.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn give_up(pool: &PgPool) -> DbResult<Vec<Silent>> {
    let rows = sqlx::query!(
        r#"UPDATE jobs SET fence = fence + 1
           WHERE report_digest IS NOT NULL AND state = 'RUNNING' AND lease_until < clock_timestamp()
           RETURNING id, fence, server_id, kind, requested_by, install_id, api_secret_ciphertext, replace_other_server,
                     plan, undoing, (cancel_requested_at IS NOT NULL) AS "cancel_requested!",
                     started_at AS "started_at!", clock_timestamp() AS "now!", (proven_at IS NOT NULL) AS "proven!""#,
    )
    .fetch_all(pool)
    .await?;
    let silent = rows.into_iter().map(|row| Silent { proven: row.proven, taken: taken!(row) });
    Ok(silent.collect())
}
