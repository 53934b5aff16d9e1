//! Writing events: the exact JSON that is sent, in the transaction of what it speaks of.

use super::EventKind;
use crate::app::AppResult;
use chrono::{Duration, SecondsFormat};
use proxima_db::PgConnection;
use proxima_db::notifications::episodes::Subject;
use proxima_db::notifications::events::{self, NewEvent};
use proxima_db::servers::interval;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many servers of one look get an event each; more of them share one, so that an outage of the network before the
/// dashboard is one message and not a hundred thousand.
const EACH_MAX: usize = 20;
/// How many servers such an event names.
const NAMED_MAX: usize = 100;
/// How long e-mail waits for what happens at the same time.
const COLLECT: Duration = Duration::seconds(30);

/// The id of an event as receivers see it.
#[must_use]
pub fn message_id(event: Uuid) -> String {
    format!("evt_{}", event.simple())
}

/// Tells what befell these servers.
pub(crate) async fn tell(connection: &mut PgConnection, kind: EventKind, subjects: &[Subject]) -> AppResult<()> {
    if subjects.is_empty() || !events::is_wanted(connection, kind.as_str()).await? {
        return Ok(());
    }
    if subjects.len() > EACH_MAX {
        return tell_one(connection, kind, subjects).await;
    }
    for subject in subjects {
        tell_one(connection, kind, std::slice::from_ref(subject)).await?;
    }
    Ok(())
}

async fn tell_one(connection: &mut PgConnection, kind: EventKind, subjects: &[Subject]) -> AppResult<()> {
    let servers: Vec<Value> = subjects.iter().take(NAMED_MAX).map(described).collect();
    let ids: Vec<Uuid> = subjects.iter().take(NAMED_MAX).map(|subject| subject.id).collect();
    let data = json!({ "count": subjects.len(), "servers": servers });
    publish(connection, kind, &ids, &summary(kind, subjects), data, None).await.map(drop)
}

/// Tells something of the platform itself.
pub(crate) async fn tell_platform(
    connection: &mut PgConnection,
    kind: EventKind,
    summary: &str,
    only: Option<Uuid>,
) -> AppResult<Vec<Uuid>> {
    if only.is_none() && !events::is_wanted(connection, kind.as_str()).await? {
        return Ok(Vec::new());
    }
    publish(connection, kind, &[], summary, json!({ "count": 0, "servers": [] }), only).await
}

async fn publish(
    connection: &mut PgConnection,
    kind: EventKind,
    servers: &[Uuid],
    summary: &str,
    mut data: Value,
    only: Option<Uuid>,
) -> AppResult<Vec<Uuid>> {
    let stamp = events::stamp(connection).await?;
    data["summary"] = json!(summary);
    let body = json!({
        "id": message_id(stamp.id),
        "type": kind.as_str(),
        "timestamp": stamp.now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "data": data,
    })
    .to_string();
    let event = NewEvent { stamp, kind: kind.as_str(), servers, summary, body: &body };
    // A test is not kept waiting.
    let collect = interval(if only.is_some() { Duration::zero() } else { COLLECT });
    Ok(events::publish(connection, event, only, collect).await?)
}

fn described(subject: &Subject) -> Value {
    let date = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    json!({
        "id": subject.id,
        "name": subject.name,
        "ownerUsername": subject.owner_username,
        "licenseStatus": subject.license_status,
        "graceExpiresAt": date(subject.grace_expires_at),
        "lastHeartbeatAt": date(subject.last_heartbeat_at),
    })
}

/// One line for people.
fn summary(kind: EventKind, subjects: &[Subject]) -> String {
    let [subject] = subjects else {
        let what = match kind {
            EventKind::LicenseEnding => "licenses end soon",
            EventKind::LicenseExpired => "licenses have expired",
            EventKind::GatewayOnline => "gateways are online again",
            EventKind::GatewaySilent => "gateways have been silent for long",
            EventKind::KeyShared => "license keys are in use on several hosts",
            _ => "gateways are offline",
        };
        return format!("{} {what}", subjects.len());
    };
    let who = format!("{} ({})", subject.name, subject.owner_username);
    let at = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    match kind {
        EventKind::LicenseEnding => format!("The license of {who} ends at {}", at(subject.grace_expires_at)),
        EventKind::LicenseExpired => format!("The license of {who} has expired"),
        EventKind::GatewayOnline => format!("{who} is online again"),
        EventKind::GatewaySilent => format!("{who} is silent: last heartbeat {}", at(subject.last_heartbeat_at)),
        EventKind::KeyShared => format!("The license key of {who} is in use on several hosts"),
        _ => format!("{who} is offline: last heartbeat {}", at(subject.last_heartbeat_at)),
    }
}
