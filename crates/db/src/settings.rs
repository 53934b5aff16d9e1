//! What the operator sets for the whole platform.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsRow {
    pub incarnation: i32,
    pub dashboard_ip_allowlist: Vec<String>,
    /// Addresses that the dashboard may connect to although they are private.
    pub outbound_allowlist: Vec<String>,
    pub offline_limit_days: Option<i32>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn get(connection: impl sqlx::PgExecutor<'_>) -> DbResult<SettingsRow> {
    Ok(sqlx::query_as!(
        SettingsRow,
        "SELECT incarnation, dashboard_ip_allowlist, outbound_allowlist, offline_limit_days, updated_at FROM settings"
    )
    .fetch_one(connection)
    .await?)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set(
    connection: &mut PgConnection,
    dashboard_ip_allowlist: &[String],
    outbound_allowlist: &[String],
    offline_limit_days: Option<i32>,
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE settings SET dashboard_ip_allowlist = $1, outbound_allowlist = $2, offline_limit_days = $3,
               updated_at = now()"#,
        dashboard_ip_allowlist,
        outbound_allowlist,
        offline_limit_days,
    )
    .execute(connection)
    .await?;
    Ok(())
}
