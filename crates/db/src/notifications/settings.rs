//! When to tell, and by which e-mail server.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};

#[derive(Clone)]
pub struct SettingsRow {
    pub license_ending_hours: i32,
    pub offline_settle_minutes: i32,
    pub silent_hours: i32,
    pub smtp: Option<SmtpRow>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// An SMTP server.
#[derive(Clone)]
pub struct SmtpRow {
    pub host: String,
    pub port: i32,
    /// `STARTTLS`, `TLS` or `NONE`.
    pub tls: String,
    pub from: String,
    pub username: Option<String>,
    /// Sealed.
    pub password_ciphertext: Option<Vec<u8>>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn get(connection: impl sqlx::PgExecutor<'_>) -> DbResult<SettingsRow> {
    let row = sqlx::query!(
        r#"SELECT license_ending_hours, offline_settle_minutes, silent_hours, smtp_host, smtp_port, smtp_tls, smtp_from,
                  smtp_username, smtp_password_ciphertext, updated_at
           FROM notification_settings"#
    )
    .fetch_one(connection)
    .await?;
    let smtp = match (row.smtp_host, row.smtp_port, row.smtp_tls, row.smtp_from) {
        (Some(host), Some(port), Some(tls), Some(from)) => Some(SmtpRow {
            host,
            port,
            tls,
            from,
            username: row.smtp_username,
            password_ciphertext: row.smtp_password_ciphertext,
        }),
        _ => None,
    };
    Ok(SettingsRow {
        license_ending_hours: row.license_ending_hours,
        offline_settle_minutes: row.offline_settle_minutes,
        silent_hours: row.silent_hours,
        smtp,
        updated_at: row.updated_at,
    })
}

/// Locks the one row until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::query!("SELECT FROM notification_settings FOR UPDATE").fetch_one(connection).await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set(connection: &mut PgConnection, new: &SettingsRow) -> DbResult<()> {
    let smtp = new.smtp.as_ref();
    sqlx::query!(
        r#"UPDATE notification_settings SET license_ending_hours = $1, offline_settle_minutes = $2, silent_hours = $3,
               smtp_host = $4, smtp_port = $5, smtp_tls = $6, smtp_from = $7, smtp_username = $8,
               smtp_password_ciphertext = $9, updated_at = clock_timestamp()"#,
        new.license_ending_hours,
        new.offline_settle_minutes,
        new.silent_hours,
        smtp.map(|smtp| smtp.host.as_str()),
        smtp.map(|smtp| smtp.port),
        smtp.map(|smtp| smtp.tls.as_str()),
        smtp.map(|smtp| smtp.from.as_str()),
        smtp.and_then(|smtp| smtp.username.as_deref()),
        smtp.and_then(|smtp| smtp.password_ciphertext.as_deref()),
    )
    .execute(connection)
    .await?;
    Ok(())
}
