//! When to tell, and the e-mail server.

use super::smtp_not_configured;
use crate::app::{AdminActor, App, AppError, AppResult, Proven, audit, commit};
use crate::delivery::{Mail, MailServer, SmtpTls, check_mailbox, check_sender, send_mail};
use crate::keyring::Place;
use proxima_db::audit::Target;
use proxima_db::notifications::settings::{self, SettingsRow, SmtpRow};
use proxima_installer::target::Host;
use proxima_types::{FieldError, FieldErrors};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

const LOGIN_BYTES_MAX: usize = 512;

/// The form, as typed.
pub struct SaveNotificationSettings<'a> {
    pub license_ending_hours: u32,
    pub offline_settle_minutes: u32,
    pub silent_hours: u32,
    pub smtp: Option<SaveSmtp<'a>>,
}

pub struct SaveSmtp<'a> {
    pub host: &'a str,
    pub port: u32,
    pub tls: SmtpTls,
    pub username: Option<&'a str>,
    /// An outer `None` keeps what is stored for this host, port and username; an inner one forgets it.
    pub password: Option<Option<Zeroizing<String>>>,
    pub from: &'a str,
}

/// What is sealed: a password opens only together with what it was given for.
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredLogin {
    host: String,
    port: i32,
    username: String,
    password: Zeroizing<String>,
}

const PLACE: Place<'static> = Place { table: "notification_settings", row: Uuid::nil(), column: "smtp_password" };

/// # Errors
/// When the database is not to be had.
pub async fn get(app: &App, _admin: &AdminActor) -> AppResult<SettingsRow> {
    Ok(settings::get(&app.db).await?)
}

/// # Errors
/// [`AppError::Invalid`] naming every bad field.
pub async fn save(
    app: &App,
    admin: &Proven<AdminActor>,
    input: SaveNotificationSettings<'_>,
) -> AppResult<SettingsRow> {
    let mut tx = app.begin().await?;
    settings::lock(&mut tx).await?;
    let before = settings::get(&mut *tx).await?;
    let mut errors = FieldErrors::new();
    let mut number = |field: &str, value: u32, max: i32| match i32::try_from(value) {
        Ok(value) if (1..=max).contains(&value) => value,
        _ => {
            errors.push(FieldError::new(field, "out_of_range", format!("Enter 1 to {max}.")));
            1
        }
    };
    let license_ending_hours = number("licenseEndingHours", input.license_ending_hours, 720);
    let offline_settle_minutes = number("offlineSettleMinutes", input.offline_settle_minutes, 1440);
    let silent_hours = number("silentHours", input.silent_hours, 8760);
    let smtp = input.smtp.map(|smtp| check_smtp(app, &mut errors, smtp, before.smtp.as_ref())).transpose()?;
    errors.into_result()?;
    let new = SettingsRow { license_ending_hours, offline_settle_minutes, silent_hours, smtp, updated_at: None };
    settings::set(&mut tx, &new).await?;
    let after = settings::get(&mut *tx).await?;
    let metadata = json!({ "from": audited(&before), "to": audited(&after) });
    let target = Target { id: None, kind: "notification", name: "Notification settings" };
    audit::succeeded(&mut tx, admin, "notification.settings.update", Some(target), metadata).await?;
    commit(tx).await?;
    Ok(after)
}

fn audited(row: &SettingsRow) -> serde_json::Value {
    json!({
        "licenseEndingHours": row.license_ending_hours,
        "offlineSettleMinutes": row.offline_settle_minutes,
        "silentHours": row.silent_hours,
        "smtp": row.smtp.as_ref().map(|smtp| json!({
            "host": smtp.host, "port": smtp.port, "tls": smtp.tls, "from": smtp.from, "username": smtp.username,
            "passwordStored": smtp.password_ciphertext.is_some(),
        })),
    })
}

fn check_smtp(
    app: &App,
    errors: &mut FieldErrors,
    input: SaveSmtp<'_>,
    before: Option<&SmtpRow>,
) -> AppResult<SmtpRow> {
    let host = errors.check(input.host.parse::<Host>().map_err(|error| FieldError {
        field: "smtp.host".to_owned(),
        message: error.message.replace("ssh://, user or path", "smtp://, user or path"),
        ..error
    }));
    let port = i32::try_from(input.port).unwrap_or(0);
    if !(1..=65535).contains(&port) {
        errors.push(FieldError::new("smtp.port", "out_of_range", "The port is a number from 1 to 65535."));
    }
    if input.tls == SmtpTls::None
        && host.as_ref().is_some_and(|host| !matches!(host, Host::Address(address) if address.is_loopback()))
    {
        let message = "Without TLS only a loopback address such as 127.0.0.1 is used: anybody could read along.";
        errors.push(FieldError::new("smtp.tls", "insecure", message));
    }
    let from = errors.check(check_sender("smtp.from", input.from));
    let username = input.username.map(str::trim).filter(|name| !name.is_empty());
    let unfit = |text: &str| text.len() > LOGIN_BYTES_MAX || text.chars().any(char::is_control);
    if username.is_some_and(unfit) {
        errors.push(FieldError::new("smtp.username", "invalid", "Use at most 512 bytes without control characters."));
    }
    let typed = input.password.clone().flatten();
    if typed.as_deref().is_some_and(|text| text.is_empty() || unfit(text)) {
        errors.push(FieldError::new("smtp.password", "invalid", "Use 1 to 512 bytes without control characters."));
    }
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    let same = before.is_some_and(|row| row.host == host && row.port == port && row.username.as_deref() == username);
    let kept = before.and_then(|row| row.password_ciphertext.clone()).filter(|_| same && input.password.is_none());
    let password_ciphertext = match (username, typed) {
        (None, Some(_)) => {
            errors.push(FieldError::new("smtp.username", "required", "Enter the username that the password is for."));
            None
        }
        (Some(username), Some(password)) => {
            let login = StoredLogin { host: host.clone(), port, username: username.to_owned(), password };
            let text = Zeroizing::new(serde_json::to_string(&login).map_err(anyhow::Error::from)?);
            Some(app.keyring.seal(PLACE, &text, app.entropy.as_ref())?)
        }
        (Some(_), None) if kept.is_none() => {
            errors.push(FieldError::new(
                "smtp.password",
                "required",
                "Enter the password for this server and username.",
            ));
            None
        }
        (Some(_), None) => kept,
        (None, None) => None,
    };
    Ok(SmtpRow {
        host,
        port,
        tls: input.tls.as_str().to_owned(),
        from: from.unwrap_or_default(),
        username: username.map(str::to_owned),
        password_ciphertext,
    })
}

/// The stored server, with its password opened.
pub(super) fn mail_server(app: &App, row: &SmtpRow) -> AppResult<MailServer> {
    let broken = |what: &str| AppError::Internal(anyhow::anyhow!("the stored e-mail {what} cannot be used"));
    let login = match (&row.username, &row.password_ciphertext) {
        (Some(username), Some(sealed)) => {
            let text = app.keyring.open_sealed(PLACE, sealed).map_err(|error| AppError::Internal(error.into()))?;
            let stored: StoredLogin = serde_json::from_str(&text).map_err(|_| broken("password"))?;
            if (&stored.host, stored.port, &stored.username) != (&row.host, row.port, username) {
                return Err(broken("password, given for another server,"));
            }
            Some((stored.username, stored.password))
        }
        _ => None,
    };
    Ok(MailServer {
        host: row.host.parse().map_err(|_| broken("host"))?,
        port: u16::try_from(row.port).map_err(|_| broken("port"))?,
        tls: SmtpTls::parse(&row.tls).ok_or_else(|| broken("encryption"))?,
        from: row.from.clone(),
        login,
    })
}

/// What a test mail came to.
pub struct TestMail {
    pub accepted: bool,
    pub message: String,
    /// The server's own words.
    pub answer: Option<String>,
}

/// Sends a mail to see whether the server takes it; at most 15 seconds.
///
/// # Errors
/// [`AppError::Invalid`], [`AppError::NotNow`] when no server is set up.
pub async fn test_mail(app: &App, admin: &Proven<AdminActor>, recipient: &str) -> AppResult<TestMail> {
    let recipient = check_mailbox("recipient", recipient)?;
    let row = settings::get(&app.db).await?.smtp.ok_or_else(smtp_not_configured)?;
    let server = mail_server(app, &row)?;
    let now = proxima_db::now(&app.db).await?;
    let lines = [format!("A test that {} asked for: e-mail works.", admin.username)];
    let id = crate::entropy::EntropyExt::uuid(app.entropy.as_ref()).simple().to_string();
    let mail = Mail { id: &id, recipients: &[recipient], subject: "Proxima: test", lines: &lines, now };
    let outcome = send_mail(&super::send::outbound(app).await?, app.notifier.tls(), &server, &mail).await;
    let mut tx = app.begin().await?;
    let target = Target { id: None, kind: "notification", name: "Notification settings" };
    let metadata = json!({ "accepted": outcome.delivered(), "outcome": outcome.code });
    audit::succeeded(&mut tx, admin, "notification.settings.test", Some(target), metadata).await?;
    commit(tx).await?;
    Ok(TestMail { accepted: outcome.delivered(), message: outcome.message, answer: outcome.response })
}
