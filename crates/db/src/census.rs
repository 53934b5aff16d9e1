//! What a database holds, to compare it before and after it was moved.

use crate::{DbResult, PgPool};

/// One line for each table with the number of its rows, and the head of the audit log's chain: equal when nothing was lost or added.
/// Reads every table whole, for as long as it takes.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn take(pool: &PgPool) -> DbResult<String> {
    let mut tx = pool.begin().await?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
    // SQL has no way to name a table by a value but by a query that it builds itself.
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || ' ' ||
                (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', table_schema, table_name), false, true, '')))[1]::text
         FROM information_schema.tables
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
         ORDER BY table_name",
    )
    .fetch_all(&mut *tx)
    .await?;
    let begun: bool = sqlx::query_scalar("SELECT to_regclass('audit_head') IS NOT NULL").fetch_one(&mut *tx).await?;
    let head: Option<String> = if begun {
        sqlx::query_scalar("SELECT id || ' ' || encode(hash, 'hex') FROM audit_head").fetch_optional(&mut *tx).await?
    } else {
        None
    };
    tx.rollback().await?;
    Ok(format!("{}\naudit head {}", tables.join("\n"), head.unwrap_or_default()))
}
