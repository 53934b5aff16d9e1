use super::settings_get::NotificationSettings;
use crate::app::{AppError, notifications};
use crate::delivery::SmtpTls;
use crate::http::AppState;
use crate::http::extract::{Body, SteppedUpAdmin, present};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateNotificationSettingsRequest {
    /// 1 to 720.
    pub license_ending_hours: u32,
    /// 1 to 1440.
    pub offline_settle_minutes: u32,
    /// 1 to 8760.
    pub silent_hours: u32,
    /// `null` is no e-mail.
    pub smtp: Option<UpdateNotificationSmtp>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateNotificationSmtp {
    pub host: String,
    pub port: u32,
    pub tls: SmtpTls,
    pub username: Option<String>,
    /// Missing keeps the stored one, if host, port and username are the same; `null` forgets it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Option<Zeroizing<String>>>,
    pub from: String,
}

/// Change when to tell, and the e-mail server
#[utoipa::path(put, path = "/api/v1/notifications/settings", tag = "notifications", security(("session" = [])),
    request_body = UpdateNotificationSettingsRequest,
    responses((status = 200, body = NotificationSettings), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn notification_settings_update(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Body(input): Body<UpdateNotificationSettingsRequest>,
) -> Result<Json<NotificationSettings>, AppError> {
    let smtp = input.smtp.as_ref().map(|smtp| notifications::SaveSmtp {
        host: &smtp.host,
        port: smtp.port,
        tls: smtp.tls,
        username: smtp.username.as_deref(),
        password: smtp.password.clone(),
        from: &smtp.from,
    });
    let form = notifications::SaveNotificationSettings {
        license_ending_hours: input.license_ending_hours,
        offline_settle_minutes: input.offline_settle_minutes,
        silent_hours: input.silent_hours,
        smtp,
    };
    Ok(Json(notifications::save_settings(&app, &admin, form).await?.into()))
}
