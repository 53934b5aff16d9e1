use crate::app::{AppError, notifications};
use crate::delivery::SmtpTls;
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_db::notifications::settings::SettingsRow;
use serde::Serialize;

/// When to tell, and the e-mail server.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationSettings {
    /// How long before the end of a grace it is told.
    pub license_ending_hours: i32,
    /// How long after three missed heartbeats a gateway is told offline.
    pub offline_settle_minutes: i32,
    /// After how long without a heartbeat a licensed gateway is told silent.
    pub silent_hours: i32,
    #[schema(required)]
    pub smtp: Option<NotificationSmtp>,
    #[schema(required)]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationSmtp {
    pub host: String,
    pub port: i32,
    pub tls: SmtpTls,
    #[schema(required)]
    pub username: Option<String>,
    pub password_stored: bool,
    pub from: String,
}

impl From<SettingsRow> for NotificationSettings {
    fn from(row: SettingsRow) -> Self {
        Self {
            license_ending_hours: row.license_ending_hours,
            offline_settle_minutes: row.offline_settle_minutes,
            silent_hours: row.silent_hours,
            smtp: row.smtp.map(|smtp| NotificationSmtp {
                host: smtp.host,
                port: smtp.port,
                // The CHECK on the column lets no other word in.
                tls: SmtpTls::parse(&smtp.tls).unwrap_or(SmtpTls::Tls),
                username: smtp.username,
                password_stored: smtp.password_ciphertext.is_some(),
                from: smtp.from,
            }),
            updated_at: row.updated_at,
        }
    }
}

/// When to tell, and the e-mail server
#[utoipa::path(get, path = "/api/v1/notifications/settings", tag = "notifications", security(("session" = [])),
    responses((status = 200, body = NotificationSettings), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn notification_settings_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
) -> Result<Json<NotificationSettings>, AppError> {
    Ok(Json(notifications::settings(&app, &admin).await?.into()))
}
