//! From a finding to a signed answer.

use super::queue::Judged;
use crate::app::{App, AppError, AppResult};
use http::HeaderMap;
use proxima_db::heartbeats::{Finding, Licensed};
use proxima_signing::Answer;
use proxima_types::heartbeat::{CODE_KEY_RETIRED, CODE_KEY_UNKNOWN, DesiredConfig, HeartbeatAnswer};
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
}

/// The signed answer to a judged heartbeat.
///
/// # Errors
/// [`AppError::Internal`] when it cannot be signed: then nothing is answered but a 500, which stops nobody.
pub fn answer(app: &App, asked: Asked<'_>, judged: &Judged) -> AppResult<SignedAnswer> {
    let Asked { nonce, key_digest, request_id } = asked;
    let sign = |status: u16, server_id: Option<ServerId>, body: Vec<u8>| -> AppResult<SignedAnswer> {
        let facts = Answer { status, nonce, key_digest, server_id, date: judged.now, body: &body };
        let headers = app.keyring.signer.sign(&facts).map_err(|error| AppError::Internal(error.into()))?;
        Ok(SignedAnswer { status, headers, body })
    };
    match &judged.finding {
        Finding::Licensed(licensed) => sign(200, Some(licensed.server_id), licensed_body(app, judged, licensed)?),
        Finding::Retired { server_id, reason } => {
            let detail = match reason.as_str() {
                "DELETED" => "The customer of this license key was deleted.",
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

fn licensed_body(app: &App, judged: &Judged, licensed: &Licensed) -> AppResult<Vec<u8>> {
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
    let body = HeartbeatAnswer {
        status: licensed.license.status_at(judged.now),
        grace_expires_at: licensed.license.visible_grace_end(judged.now),
        server_time: judged.now,
        next_heartbeat_seconds: u32::try_from(app.config.heartbeat_interval.num_seconds()).unwrap_or(60),
        offline_limit_days: judged.offline_limit_days.and_then(|days| u32::try_from(days).ok()),
        config,
        next_api_key: None,
    };
    serde_json::to_vec(&body).map_err(|error| AppError::Internal(error.into()))
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
    let headers = app.keyring.signer.sign(&facts).map_err(|error| AppError::Internal(error.into()))?;
    Ok(SignedAnswer { status, headers, body })
}

fn problem_body(status: u16, code: &str, title: &str, detail: &str, request_id: &str) -> AppResult<Vec<u8>> {
    let problem = json!({
        "type": format!("urn:proxima:problem:{code}"), "title": title, "status": status, "detail": detail, "code": code,
        "requestId": request_id,
    });
    serde_json::to_vec(&problem).map_err(|error| AppError::Internal(error.into()))
}
