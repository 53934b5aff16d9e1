//! One attempt: what is due is taken, sent, and recorded with what follows from it.

use super::tell::tell_platform;
use super::{EventKind, message_id, secret, settings, target};
use crate::app::{Actor, App, AppResult, audit, commit};
use crate::delivery::{Mail, Outcome, OutcomeCode, Signed, WebhookUrl, post, send_mail};
use crate::entropy::EntropyExt as _;
use chrono::Duration;
use proxima_db::notifications::endpoints::{self, Health};
use proxima_db::notifications::queue::{self, Attempt, DueEndpoint, Next, Taken};
use proxima_db::notifications::settings as stored;
use proxima_db::servers::interval;
use proxima_installer::Outbound;
use serde_json::json;
use std::time::Duration as StdDuration;

/// For a name to be resolved and a connection to be had.
const CONNECT_LIMIT: StdDuration = StdDuration::from_secs(5);
/// An attempt takes 15 s at most; whoever has not recorded it by then has died.
const LEASE: Duration = Duration::seconds(60);
/// Webhooks of one endpoint under way at once, on all dashboards: a slow receiver delays itself alone.
const AT_ONCE: i64 = 4;
/// Events in one e-mail.
const DIGEST_MAX: i64 = 100;
/// Between two e-mails of one endpoint.
const MAIL_EVERY: Duration = Duration::seconds(60);
/// What follows the first attempt, the second, …; then the delivery has failed. As Svix does.
const DELAYS: [Duration; 7] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(10),
];
/// The longest pause that a receiver can ask for.
const PAUSE_MAX: Duration = Duration::hours(24);
/// An endpoint that nothing got through to for so long is disabled.
const PATIENCE: Duration = Duration::days(5);

/// What goes out as one message.
pub struct Batch {
    endpoint: DueEndpoint,
    taken: Vec<Taken>,
}

pub(super) async fn outbound(app: &App) -> AppResult<Outbound> {
    crate::app::connections::outbound_within(app, CONNECT_LIMIT).await
}

/// Takes all that is due and has a place.
///
/// # Errors
/// When the database is not to be had.
pub async fn batches(app: &App) -> AppResult<Vec<Batch>> {
    let mut found = Vec::new();
    for endpoint in queue::due(&app.db).await? {
        if endpoint.kind == "EMAIL" {
            let taken = queue::take(&app.db, endpoint.id, interval(LEASE), DIGEST_MAX, true).await?;
            if !taken.is_empty() {
                found.push(Batch { endpoint, taken });
            }
        } else {
            for one in queue::take(&app.db, endpoint.id, interval(LEASE), AT_ONCE, false).await? {
                found.push(Batch { endpoint: endpoint.clone(), taken: vec![one] });
            }
        }
    }
    Ok(found)
}

/// Sends a batch and records how it went.
///
/// # Errors
/// When the database is not to be had, or a secret cannot be opened; then it is sent again when the lease is over.
pub async fn deliver(app: &App, batch: &Batch) -> AppResult<()> {
    let started = tokio::time::Instant::now();
    let outcome = if batch.endpoint.kind == "EMAIL" { mail(app, batch).await? } else { webhook(app, batch).await? };
    let took = i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX);
    let kind = if batch.endpoint.kind == "EMAIL" { "email" } else { "webhook" };
    metrics::counter!("proxima_notifications_total", "kind" => kind, "outcome" => outcome.code.as_str()).increment(1);
    record(app, batch, &outcome, took).await
}

async fn webhook(app: &App, batch: &Batch) -> AppResult<Outcome> {
    let (Some(url), Some(sealed), [one]) = (&batch.endpoint.url, &batch.endpoint.secret, &batch.taken[..]) else {
        return Ok(Outcome::failed(OutcomeCode::Broken, "The endpoint has no URL or secret."));
    };
    let outbound = outbound(app).await?;
    let Ok(url) = WebhookUrl::parse(url, outbound.policy()) else {
        return Ok(Outcome::failed(
            OutcomeCode::NotAllowed,
            "The URL is not allowed any more: see the outbound ranges of the settings.",
        ));
    };
    let secret = secret::open(app, batch.endpoint.id, sealed)?;
    let previous = batch.endpoint.previous_secret.as_ref();
    let previous = previous.map(|sealed| secret::open_previous(app, batch.endpoint.id, sealed)).transpose()?;
    let secrets: Vec<&str> =
        std::iter::once(secret.as_str()).chain(previous.as_ref().map(|text| text.as_str())).collect();
    let id = message_id(one.event_id);
    let Some(signed) = Signed::new(&id, one.now, &one.body, &secrets) else {
        return Ok(Outcome::failed(OutcomeCode::Broken, "The secret cannot be used: rotate it."));
    };
    Ok(post(&outbound, app.notifier.tls(), &url, &signed).await)
}

async fn mail(app: &App, batch: &Batch) -> AppResult<Outcome> {
    let Some(row) = stored::get(&app.db).await?.smtp else {
        return Ok(Outcome::failed(OutcomeCode::SmtpNotConfigured, "No e-mail server is set up."));
    };
    let server = settings::mail_server(app, &row)?;
    let Some(first) = batch.taken.first() else {
        return Ok(Outcome::failed(OutcomeCode::Broken, "There is nothing to send."));
    };
    let lines: Vec<String> = batch
        .taken
        .iter()
        .map(|one| format!("{}  {}", one.created_at.format("%Y-%m-%d %H:%M UTC"), one.summary))
        .collect();
    let subject = match batch.taken.len() {
        1 => format!("Proxima: {}", first.summary),
        many => format!("Proxima: {many} notifications"),
    };
    let id = message_id(first.event_id);
    let mail =
        Mail { id: &id, recipients: &batch.endpoint.recipients, subject: &subject, lines: &lines, now: first.now };
    Ok(send_mail(&outbound(app).await?, app.notifier.tls(), &server, &mail).await)
}

/// What follows: the end, or another attempt after a delay that nobody can foresee to the second.
fn next(app: &App, taken: &Taken, outcome: &Outcome) -> Next {
    if outcome.delivered() {
        return Next::Delivered;
    }
    if outcome.gone() {
        return Next::Failed;
    }
    let tries = usize::try_from(taken.tries).unwrap_or(usize::MAX);
    let Some(delay) = tries.checked_sub(1).and_then(|index| DELAYS.get(index)) else { return Next::Failed };
    let [byte] = app.entropy.bytes::<1>();
    // From 90% to 110%.
    let jitter = *delay * (90 + i32::from(byte) * 20 / 255) / 100;
    Next::After(interval(jitter.max(pause(outcome).unwrap_or_default())))
}

fn pause(outcome: &Outcome) -> Option<Duration> {
    let asked = Duration::from_std(outcome.retry_after?).unwrap_or(PAUSE_MAX);
    Some(asked.min(PAUSE_MAX))
}

async fn record(app: &App, batch: &Batch, outcome: &Outcome, duration_ms: i32) -> AppResult<()> {
    let endpoint = batch.endpoint.id;
    let attempt = Attempt {
        duration_ms,
        status_code: outcome.status.map(i32::from),
        outcome: outcome.code.as_str(),
        message: &outcome.message,
        response: outcome.response.as_deref(),
    };
    let mut tx = app.begin().await?;
    let mut held = false;
    for taken in &batch.taken {
        held |= queue::record(&mut tx, taken, &attempt, next(app, taken, outcome)).await?;
    }
    if !held {
        return Ok(());
    }
    let mail_pause = (batch.endpoint.kind == "EMAIL").then_some(MAIL_EVERY);
    let pause = pause(outcome).or(mail_pause).map(interval);
    let health = Health { delivered: outcome.delivered(), pause };
    let hopeless = endpoints::note_health(&mut tx, endpoint, health, interval(PATIENCE)).await?;
    let reason = match (outcome.gone(), hopeless) {
        (true, _) => Some("GONE"),
        (false, true) => Some("FAILURES"),
        (false, false) => None,
    };
    if let Some(reason) = reason
        && endpoints::disable(&mut tx, endpoint, reason).await?
    {
        let cancelled = queue::cancel_all(&mut tx, endpoint).await?;
        let found = super::endpoints::find(&mut tx, endpoint).await?;
        let why = if reason == "GONE" { "it answered 410 Gone" } else { "nothing got through for 5 days" };
        let summary = format!("The endpoint “{}” was switched off: {why}", found.description);
        tell_platform(&mut tx, EventKind::EndpointDisabled, &summary, None).await?;
        let metadata = json!({ "reason": reason, "cancelled": cancelled, "lastProblem": outcome.message });
        let target = target(endpoint, &found.description);
        audit::succeeded(&mut tx, &Actor::system(), "notification.endpoint.disable", target, metadata).await?;
    }
    commit(tx).await
}
