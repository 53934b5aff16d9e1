//! Who is told: webhooks and lists of e-mail recipients.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// An endpoint, without its secrets.
#[derive(Debug, Clone)]
pub struct EndpointRow {
    pub id: Uuid,
    /// `WEBHOOK` or `EMAIL`.
    pub kind: String,
    pub description: String,
    pub url: Option<String>,
    pub recipients: Vec<String>,
    pub events: Vec<String>,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// `None` when that has passed.
    pub previous_secret_until: Option<DateTime<Utc>>,
    /// Deliveries that wait.
    pub waiting: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Every endpoint, or the one named; oldest first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(executor: impl sqlx::PgExecutor<'_>, only: Option<Uuid>) -> DbResult<Vec<EndpointRow>> {
    Ok(sqlx::query_as!(
        EndpointRow,
        r#"SELECT id, kind, description, url, recipients, events, enabled, disabled_reason, disabled_at, failing_since,
                  last_delivered_at,
                  CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret_until END AS previous_secret_until,
                  (SELECT count(*) FROM notification_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'WAITING') AS "waiting!",
                  created_at, updated_at
           FROM notification_endpoints e WHERE $1::uuid IS NULL OR id = $1 ORDER BY created_at, id"#,
        only
    )
    .fetch_all(executor)
    .await?)
}

/// The sealed secrets of a webhook.
pub struct Secrets {
    pub secret: Vec<u8>,
    /// While it still signs.
    pub previous: Option<Vec<u8>>,
    pub previous_until: Option<DateTime<Utc>>,
}

/// `None` for an e-mail endpoint and for a missing one. Locks the row when `lock` is set.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn secrets(connection: &mut PgConnection, id: Uuid, lock: bool) -> DbResult<Option<Secrets>> {
    if lock {
        sqlx::query!("SELECT FROM notification_endpoints WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *connection)
            .await?;
    }
    Ok(sqlx::query_as!(
        Secrets,
        r#"SELECT secret_ciphertext AS "secret!",
                  CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret_ciphertext END AS previous,
                  CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret_until END AS previous_until
           FROM notification_endpoints WHERE id = $1 AND secret_ciphertext IS NOT NULL"#,
        id
    )
    .fetch_optional(connection)
    .await?)
}

/// How many there are. Nobody else makes one until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn count_locked(connection: &mut PgConnection) -> DbResult<i64> {
    super::settings::lock(connection).await?;
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM notification_endpoints"#).fetch_one(connection).await?)
}

/// What a person decides of an endpoint.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    pub description: &'a str,
    pub url: Option<&'a str>,
    pub recipients: &'a [String],
    pub events: &'a [String],
    pub enabled: bool,
}

/// `secret` is sealed, for a webhook.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn create(
    connection: &mut PgConnection,
    id: Uuid,
    kind: &str,
    form: &Form<'_>,
    secret: Option<&[u8]>,
) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO notification_endpoints (id, kind, description, url, recipients, events, enabled, disabled_reason,
               disabled_at, secret_ciphertext)
           VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 THEN NULL ELSE 'BY_ADMIN' END,
               CASE WHEN $7 THEN NULL ELSE clock_timestamp() END, $8)"#,
        id,
        kind,
        form.description,
        form.url,
        form.recipients,
        form.events,
        form.enabled,
        secret,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Enabling one that was disabled begins afresh.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn update(connection: &mut PgConnection, id: Uuid, form: &Form<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE notification_endpoints SET description = $2, url = $3, recipients = $4, events = $5, enabled = $6,
               disabled_reason = CASE WHEN $6 THEN NULL ELSE COALESCE(disabled_reason, 'BY_ADMIN') END,
               disabled_at = CASE WHEN $6 THEN NULL ELSE COALESCE(disabled_at, clock_timestamp()) END,
               failing_since = CASE WHEN $6 AND NOT enabled THEN NULL ELSE failing_since END,
               not_before = CASE WHEN $6 AND NOT enabled THEN NULL ELSE not_before END,
               updated_at = clock_timestamp()
           WHERE id = $1"#,
        id,
        form.description,
        form.url,
        form.recipients,
        form.events,
        form.enabled,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// `true` when it was there.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> DbResult<bool> {
    let done = sqlx::query!("DELETE FROM notification_endpoints WHERE id = $1", id).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a new secret in force; the one before signs too for `keep`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn rotate_secret(
    connection: &mut PgConnection,
    id: Uuid,
    secret: &[u8],
    previous: &[u8],
    keep: PgInterval,
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE notification_endpoints SET secret_ciphertext = $2, previous_secret_ciphertext = $3,
               previous_secret_until = clock_timestamp() + $4, updated_at = clock_timestamp()
           WHERE id = $1"#,
        id,
        secret,
        previous,
        keep,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Disables an enabled endpoint; `true` when it was enabled.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn disable(connection: &mut PgConnection, id: Uuid, reason: &str) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE notification_endpoints SET enabled = false, disabled_reason = $2, disabled_at = clock_timestamp()
           WHERE id = $1 AND enabled"#,
        id,
        reason
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What an attempt says of its endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    pub delivered: bool,
    /// Nothing more is sent for so long.
    pub pause: Option<PgInterval>,
}

/// Returns whether nothing has got through for longer than `patience`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn note_health(
    connection: &mut PgConnection,
    id: Uuid,
    health: Health,
    patience: PgInterval,
) -> DbResult<bool> {
    let row = sqlx::query_scalar!(
        r#"UPDATE notification_endpoints SET
               failing_since = CASE WHEN $2 THEN NULL ELSE COALESCE(failing_since, clock_timestamp()) END,
               last_delivered_at = CASE WHEN $2 THEN clock_timestamp() ELSE last_delivered_at END,
               not_before = CASE WHEN $3::interval IS NULL THEN not_before
                                 ELSE greatest(not_before, clock_timestamp() + $3) END
           WHERE id = $1 RETURNING COALESCE(failing_since < clock_timestamp() - $4::interval, false) AS "hopeless!""#,
        id,
        health.delivered,
        health.pause,
        patience,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.unwrap_or(false))
}
