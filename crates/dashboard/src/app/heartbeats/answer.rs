//! From a finding to a signed answer.

use super::queue::Judged;
use crate::app::licenses::open_key;
use crate::app::{App, AppError, AppResult};
use crate::entropy::{Entropy, EntropyExt as _};
use chrono::Duration;
use http::HeaderMap;
use proxima_db::heartbeats::{Finding, Licensed, NextKey};
use proxima_signing::Answer;
use proxima_types::heartbeat::{CODE_KEY_RETIRED, CODE_KEY_UNKNOWN, DesiredConfig, HeartbeatAnswer};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{KeyDigest, ServerId};
use serde_json::json;

/// An answer to a gateway: status, body, and the headers that sign both.
pub struct SignedAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The request that is answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub nonce: &'a str,
    /// Of the license key that was presented.
    pub key_digest: KeyDigest,
    pub request_id: &'a str,
    /// The ids of the signing keys that the gateway trusts, if it says.
    pub trusted_keys: Option<&'a [String]>,
}

/// The signed answer to a judged heartbeat.
///
/// # Errors
/// [`AppError::Internal`] when it cannot be signed: then nothing is answered but a 500, which stops nobody.
pub fn answer(app: &App, asked: Asked<'_>, judged: &Judged) -> AppResult<SignedAnswer> {
    let Asked { nonce, key_digest, request_id, trusted_keys } = asked;
    let signer = app.keyring.signer_for(trusted_keys)?;
    let sign = |status: u16, server_id: Option<ServerId>, body: Vec<u8>| -> AppResult<SignedAnswer> {
        let facts = Answer { status, nonce, key_digest, server_id, date: judged.now, body: &body };
        let headers = signer.sign(&facts).map_err(|error| AppError::Internal(error.into()))?;
        Ok(SignedAnswer { status, headers, body })
    };
    match &judged.finding {
        Finding::Licensed(licensed) => {
            let announced = app.keyring.announcement(trusted_keys, &signer);
            sign(200, Some(licensed.server_id), licensed_body(app, judged, licensed, announced)?)
        }
        Finding::Retired { server_id, reason, .. } => {
            let detail = match reason.as_str() {
                "DELETED" => "The customer of this license key was deleted.",
                "ROTATED" => "This license key was rotated, and its time is over. Re-run Install to get the new one.",
                "CANCELLED" => "The rotation to this license key was cancelled. Re-run Install to get the present one.",
                _ => "This license key was replaced. Re-run Install to get the new one.",
            };
            sign(401, Some(*server_id), problem_body(401, CODE_KEY_RETIRED, "License key retired", detail, request_id)?)
        }
        Finding::Unknown => {
            let detail = "This dashboard has never known this license key.";
            sign(401, None, problem_body(401, CODE_KEY_UNKNOWN, "License key unknown", detail, request_id)?)
        }
    }
}

fn licensed_body(
    app: &App,
    judged: &Judged,
    licensed: &Licensed,
    dashboard_public_keys: Option<Vec<DashboardPublicKey>>,
) -> AppResult<Vec<u8>> {
    let config = match &licensed.config {
        // A configuration that is not readable (hand-edited) is not sent: the gateway keeps its last good one.
        Some((generation, stored)) => match serde_json::from_value(stored.clone()) {
            Ok(config) => Some(DesiredConfig { generation: *generation, config }),
            Err(error) => {
                tracing::error!(server = %licensed.server_id, %error, "the stored configuration is not readable");
                None
            }
        },
        None => None,
    };
    let next_api_key =
        licensed.next_key.as_ref().and_then(|next| match open_key(app, licensed.server_id, &next.ciphertext) {
            Ok(key) => Some(key),
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::error!(server = %licensed.server_id, ?error, "the next license key cannot be handed over");
                None
            }
        });
    let mut body = HeartbeatAnswer {
        status: licensed.license.status_at(judged.now),
        grace_expires_at: licensed.license.visible_grace_end(judged.now),
        server_time: judged.now,
        next_heartbeat_seconds: next_heartbeat_seconds(app, judged, licensed.next_key.as_ref()),
        offline_limit_days: judged.offline_limit_days.and_then(|days| u32::try_from(days).ok()),
        config,
        next_api_key,
        dashboard_public_keys,
    };
    let write = |body: &HeartbeatAnswer| serde_json::to_vec(body).map_err(|error| AppError::Internal(error.into()));
    let mut text = write(&body)?;
    let is_kept = body.next_api_key.is_some() || body.dashboard_public_keys.is_some();
    if is_kept && text.len() > HANDOVER_MAX_BYTES {
        body.config = None;
        text = write(&body)?;
    }
    Ok(text)
}

/// A gateway keeps the answer that hands over a license key or names other signing keys as it came, up to this length.
const HANDOVER_MAX_BYTES: usize = 16 * 1024;
/// For so long after a rotation began a gateway is asked back at once, so that the new key is seen.
/// A gateway that cannot take it (a full disk, an older version) beats as ever after that.
const HURRY: Duration = Duration::minutes(5);

fn next_heartbeat_seconds(app: &App, judged: &Judged, next: Option<&NextKey>) -> u32 {
    match next {
        Some(next) if judged.now - next.rotation_started_at < HURRY => 1,
        _ => u32::try_from(app.config.heartbeat_interval.num_seconds()).unwrap_or(60),
    }
}

/// A signed refusal of a heartbeat that could not be judged: never a verdict (invariant 1).
///
/// # Errors
/// As [`answer`].
pub fn refuse(
    app: &App,
    asked: Asked<'_>,
    status: u16,
    code: &str,
    detail: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> AppResult<SignedAnswer> {
    let body = problem_body(status, code, "Heartbeat not judged", detail, asked.request_id)?;
    let Asked { nonce, key_digest, .. } = asked;
    let facts = Answer { status, nonce, key_digest, server_id: None, date: now, body: &body };
    let headers =
        app.keyring.signer_for(asked.trusted_keys)?.sign(&facts).map_err(|error| AppError::Internal(error.into()))?;
    Ok(SignedAnswer { status, headers, body })
}

/// After how many seconds a gateway without a verdict comes back: 10 to 40, at random, so that a fleet that was refused
/// together does not return together. A gateway honours up to 60.
pub fn retry_after_seconds(entropy: &dyn Entropy) -> u16 {
    let [byte] = entropy.bytes::<1>();
    10 + u16::from(byte % 31)
}

fn problem_body(status: u16, code: &str, title: &str, detail: &str, request_id: &str) -> AppResult<Vec<u8>> {
    let problem = json!({
        "type": format!("urn:proxima:problem:{code}"), "title": title, "status": status, "detail": detail, "code": code,
        "requestId": request_id,
    });
    serde_json::to_vec(&problem).map_err(|error| AppError::Internal(error.into()))
}
