//! The management APIs of customers' gateways: where they are, how they are known, and whether they answered.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use proxima_types::ServerId;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// What it takes to ask a gateway: the address of its box, its pinned certificate, and its secret, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub server_id: Uuid,
    pub host: String,
    pub fingerprint: String,
    pub api_secret_ciphertext: Vec<u8>,
}

/// How the last attempt went, for the present address and certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckRow {
    pub tried_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it failed: code, sentence, remedy.
    pub problem: Option<Value>,
}

/// The column of a server's [`CheckRow`] in a query of `server_overview o`, as JSON.
pub(crate) const CHECK_COLUMN: &str = "(SELECT jsonb_build_object('triedAt', m.tried_at, \
    'answeredAt', m.answered_at, 'problem', m.problem) FROM management_checks m \
    JOIN servers ms ON ms.id = m.server_id AND ms.management_fingerprint = m.fingerprint \
    JOIN connections mc ON mc.server_id = m.server_id AND mc.host = m.host WHERE m.server_id = o.id) AS management_check";

/// `None` when nothing is installed or connected, or the server is gone.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn endpoint(executor: impl PgExecutor<'_>, server: ServerId) -> DbResult<Option<Endpoint>> {
    Ok(sqlx::query_as!(
        Endpoint,
        r#"SELECT s.id AS server_id, c.host, s.management_fingerprint AS "fingerprint!", s.api_secret_ciphertext
           FROM servers s JOIN connections c ON c.server_id = s.id
           WHERE s.id = $1 AND s.management_fingerprint IS NOT NULL"#,
        server.0,
    )
    .fetch_optional(executor)
    .await?)
}

/// Servers whose gateway can be asked, at most `limit`: those that answered last first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn askable(connection: &mut PgConnection, limit: i64) -> DbResult<Vec<ServerId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT s.id FROM servers s JOIN connections c ON c.server_id = s.id
           LEFT JOIN management_checks m ON m.server_id = s.id
           WHERE s.management_fingerprint IS NOT NULL
           ORDER BY m.answered_at DESC NULLS LAST LIMIT $1"#,
        limit,
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(ServerId)
    .collect())
}

/// Remembers how an attempt went, unless the server has another address or certificate by now, or is gone.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn record(executor: impl PgExecutor<'_>, asked: &Endpoint, problem: Option<&Value>) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO management_checks AS m (server_id, host, fingerprint, tried_at, answered_at, problem)
           SELECT s.id, c.host, s.management_fingerprint, tried.at, CASE WHEN $4::jsonb IS NULL THEN tried.at END, $4
           FROM clock_timestamp() AS tried (at), servers s JOIN connections c ON c.server_id = s.id
           WHERE s.id = $1 AND c.host = $2 AND s.management_fingerprint = $3
           ON CONFLICT (server_id) DO UPDATE SET
               host = EXCLUDED.host, fingerprint = EXCLUDED.fingerprint, tried_at = EXCLUDED.tried_at,
               answered_at = COALESCE(EXCLUDED.answered_at, CASE
                   WHEN (m.host, m.fingerprint) = (EXCLUDED.host, EXCLUDED.fingerprint) THEN m.answered_at END),
               problem = EXCLUDED.problem"#,
        asked.server_id,
        asked.host,
        asked.fingerprint,
        problem,
    )
    .execute(executor)
    .await?;
    Ok(())
}
