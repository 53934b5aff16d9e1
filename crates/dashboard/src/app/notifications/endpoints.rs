//! Who is told: made, changed and removed by admins.

use super::kinds::check_events;
use super::{secret, smtp_not_configured, target};
use crate::app::{AdminActor, App, AppError, AppResult, Proven, audit, commit};
use crate::delivery::{WebhookUrl, check_mailbox};
use crate::entropy::EntropyExt as _;
use proxima_db::PgConnection;
use proxima_db::notifications::endpoints::{self, EndpointRow, Form};
use proxima_db::notifications::{queue, settings};
use proxima_installer::text::clean;
use proxima_types::{FieldError, FieldErrors};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How many endpoints there are at most: each may hold places of the sender.
const ENDPOINTS_MAX: i64 = 32;
const DESCRIPTION_CHARS_MAX: usize = 100;
const RECIPIENTS_MAX: usize = 20;
/// How long the name of a URL may take to be resolved while somebody waits.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);

/// The form, as typed.
pub struct EndpointForm<'a> {
    pub description: &'a str,
    pub url: Option<&'a str>,
    pub recipients: &'a [String],
    pub events: &'a [String],
    pub enabled: bool,
}

struct Checked {
    description: String,
    url: Option<WebhookUrl>,
    recipients: Vec<String>,
    events: Vec<String>,
    enabled: bool,
}

impl Checked {
    fn form(&self) -> Form<'_> {
        Form {
            description: &self.description,
            url: self.url.as_ref().map(WebhookUrl::as_str),
            recipients: &self.recipients,
            events: &self.events,
            enabled: self.enabled,
        }
    }

    /// For the audit log: a receiver's path is often a secret, so the log has its origin alone.
    fn audited(&self) -> Value {
        json!({
            "description": self.description,
            "url": self.url.as_ref().map(WebhookUrl::origin),
            "recipients": self.recipients,
            "events": self.events,
            "enabled": self.enabled,
        })
    }
}

async fn check(app: &App, webhook: bool, input: &EndpointForm<'_>) -> AppResult<Checked> {
    let mut errors = FieldErrors::new();
    let description = input.description.trim();
    if description.is_empty() {
        errors.push(FieldError::new("description", "required", "Enter a name for it."));
    } else if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("Use at most {DESCRIPTION_CHARS_MAX} characters.");
        errors.push(FieldError::new("description", "too_long", message));
    } else if clean(description.as_bytes(), DESCRIPTION_CHARS_MAX) != description {
        errors.push(FieldError::new("description", "invalid", "Use no control or invisible characters."));
    }
    let events = check_events(&mut errors, input.events);
    let (mut url, mut recipients) = (None, Vec::new());
    if webhook {
        let outbound = crate::app::connections::outbound_within(app, RESOLVED_WITHIN).await?;
        url = errors.check(WebhookUrl::parse(input.url.unwrap_or_default(), outbound.policy()));
        // One that is off sends nothing: it can be switched off when its name leads nowhere any more.
        if let Some(url) = url.as_ref().filter(|_| input.enabled) {
            errors.check(url.check_name(&outbound).await);
        }
        if !input.recipients.is_empty() {
            errors.push(FieldError::new("recipients", "unexpected", "Recipients belong to e-mail, not to a webhook."));
        }
    } else {
        if input.url.is_some() {
            errors.push(FieldError::new("url", "unexpected", "A URL belongs to a webhook, not to e-mail."));
        }
        recipients = check_recipients(&mut errors, input.recipients);
    }
    errors.into_result()?;
    Ok(Checked { description: description.to_owned(), url, recipients, events, enabled: input.enabled })
}

fn check_recipients(errors: &mut FieldErrors, given: &[String]) -> Vec<String> {
    if given.is_empty() || given.len() > RECIPIENTS_MAX {
        let message = format!("Enter 1 to {RECIPIENTS_MAX} e-mail addresses.");
        errors.push(FieldError::new("recipients", "required", message));
        return Vec::new();
    }
    let mut recipients: Vec<String> = Vec::new();
    for (index, text) in given.iter().enumerate() {
        if let Some(address) = errors.check(check_mailbox(&format!("recipients[{index}]"), text))
            && !recipients.contains(&address)
        {
            recipients.push(address);
        }
    }
    recipients
}

pub(super) async fn find(connection: &mut PgConnection, id: Uuid) -> AppResult<EndpointRow> {
    endpoints::list(connection, Some(id)).await?.pop().ok_or(AppError::NotFound)
}

/// # Errors
/// When the database is not to be had.
pub async fn list(app: &App, _admin: &AdminActor) -> AppResult<Vec<EndpointRow>> {
    Ok(endpoints::list(&app.db, None).await?)
}

/// # Errors
/// [`AppError::NotFound`].
pub async fn get(app: &App, _admin: &AdminActor, id: Uuid) -> AppResult<EndpointRow> {
    endpoints::list(&app.db, Some(id)).await?.pop().ok_or(AppError::NotFound)
}

/// A new endpoint, and the secret of a webhook, which is shown now.
///
/// # Errors
/// [`AppError::Invalid`] with every bad field; [`AppError::NotNow`] when there are too many, or no e-mail server is set up.
pub async fn create(
    app: &App,
    admin: &Proven<AdminActor>,
    webhook: bool,
    input: &EndpointForm<'_>,
) -> AppResult<(EndpointRow, Option<Zeroizing<String>>)> {
    let checked = check(app, webhook, input).await?;
    let id = app.entropy.uuid();
    let secret = webhook.then(|| secret::make(app));
    let sealed = secret.as_ref().map(|secret| secret::seal(app, id, secret)).transpose()?;
    let kind = if webhook { "WEBHOOK" } else { "EMAIL" };
    let mut tx = app.begin().await?;
    if endpoints::count_locked(&mut tx).await? >= ENDPOINTS_MAX {
        let sentence = format!("There are {ENDPOINTS_MAX} endpoints, as many as there can be: delete one first");
        return Err(AppError::not_now("endpoint_limit", "Too many endpoints", sentence));
    }
    if !webhook && settings::get(&mut *tx).await?.smtp.is_none() {
        return Err(smtp_not_configured());
    }
    endpoints::create(&mut tx, id, kind, &checked.form(), sealed.as_deref()).await?;
    let row = find(&mut tx, id).await?;
    let mut metadata = checked.audited();
    metadata["kind"] = json!(kind);
    audit::succeeded(&mut tx, admin, "notification.endpoint.create", target(id, &row.description), metadata).await?;
    commit(tx).await?;
    Ok((row, secret))
}

/// Changes an endpoint. What waits for one that is disabled is called off.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Invalid`] with every bad field.
pub async fn update(
    app: &App,
    admin: &Proven<AdminActor>,
    id: Uuid,
    input: &EndpointForm<'_>,
) -> AppResult<EndpointRow> {
    let webhook = get(app, admin, id).await?.kind == "WEBHOOK";
    let checked = check(app, webhook, input).await?;
    let mut tx = app.begin().await?;
    let before = find(&mut tx, id).await?;
    endpoints::update(&mut tx, id, &checked.form()).await?;
    let cancelled = if checked.enabled { 0 } else { queue::cancel_all(&mut tx, id).await? };
    let after = find(&mut tx, id).await?;
    let mut metadata = checked.audited();
    metadata["urlChanged"] = json!(before.url != after.url);
    metadata["cancelled"] = json!(cancelled);
    audit::succeeded(&mut tx, admin, "notification.endpoint.update", target(id, &after.description), metadata).await?;
    commit(tx).await?;
    Ok(after)
}

/// Deletes an endpoint with its log.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn delete(app: &App, admin: &Proven<AdminActor>, id: Uuid) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let before = find(&mut tx, id).await?;
    if !endpoints::delete(&mut tx, id).await? {
        return Err(AppError::NotFound);
    }
    let metadata = json!({ "kind": before.kind, "waiting": before.waiting });
    audit::succeeded(&mut tx, admin, "notification.endpoint.delete", target(id, &before.description), metadata).await?;
    commit(tx).await
}
