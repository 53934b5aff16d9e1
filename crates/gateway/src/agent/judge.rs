//! The verdict table of product.md section 4, as one pure function.
//!
//! Only an answer that the dashboard signed for this very request (nonce), key and server counts.
//! Everything else, whatever it says, is silence: it never stops a gateway and never starts one.

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use proxima_signing::{Expected, VerifyError, verify};
use proxima_types::heartbeat::{CODE_KEY_RETIRED, DEFAULT_INTERVAL_SECONDS, RefusalBody};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{ConfigGeneration, GatewayConfig, LicenseStatus};
use serde::Deserialize;

/// An HTTP answer as it came.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What sending one heartbeat came to.
#[derive(Debug, Clone)]
pub enum HttpOutcome {
    Answer(RawAnswer),
    /// Timeout, refused connection, DNS or TLS error, oversized answer: one sentence.
    NoAnswer(String),
}

/// What the gateway does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// A signed ACTIVE or GRACE.
    Serve(Terms),
    /// A signed end of service.
    Stop(StopReason),
    /// No verdict: goes on as it was.
    Silence(Silence),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    #[error("the dashboard answered that the license is EXPIRED")]
    Expired,
    #[error("the dashboard answered that this license key was retired ({detail})")]
    KeyRetired { detail: String },
    /// Not an answer but its end: see [`super::silence`].
    #[error("the dashboard has been silent for longer than the last signed answer allows")]
    SilenceLimit,
}

/// Why an outcome is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    #[error("{0}")]
    NoAnswer(String),
    #[error("HTTP {status}: {reason}")]
    NotAuthentic { status: u16, reason: VerifyError },
    #[error("a signed HTTP {status} that carries no verdict")]
    NoVerdict { status: u16 },
    #[error("a signed answer that this version cannot read: {0}")]
    Unreadable(String),
}

/// What a signed ACTIVE or GRACE says.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// ACTIVE or GRACE.
    pub status: LicenseStatus,
    /// Present while `status` is GRACE.
    pub grace_expires_at: Option<DateTime<Utc>>,
    pub server_time: DateTime<Utc>,
    pub next_heartbeat_seconds: u32,
    pub offline_limit_days: Option<u32>,
    pub config: Option<OfferedConfig>,
}

/// A desired configuration. One that this version cannot read must not cost the verdict that it
/// came with, so its problem is a value here.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedConfig {
    pub generation: ConfigGeneration,
    pub config: Result<GatewayConfig, String>,
}

/// [`proxima_types::heartbeat::HeartbeatAnswer`], read with patience for its config.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LenientAnswer {
    status: LicenseStatus,
    grace_expires_at: Option<DateTime<Utc>>,
    server_time: DateTime<Utc>,
    #[serde(default = "default_interval")]
    next_heartbeat_seconds: u32,
    offline_limit_days: Option<u32>,
    config: Option<LenientConfig>,
}

#[derive(Deserialize)]
struct LenientConfig {
    generation: ConfigGeneration,
    config: serde_json::Value,
}

fn default_interval() -> u32 {
    DEFAULT_INTERVAL_SECONDS
}

/// Turns an outcome into a verdict: [`judge`].
pub type Judge = fn(&HttpOutcome, &[DashboardPublicKey], Expected<'_>) -> Verdict;

/// Judges one outcome against the question it answers.
#[must_use]
pub fn judge(outcome: &HttpOutcome, keys: &[DashboardPublicKey], expected: Expected<'_>) -> Verdict {
    let answer = match outcome {
        HttpOutcome::NoAnswer(why) => return Verdict::Silence(Silence::NoAnswer(why.clone())),
        HttpOutcome::Answer(answer) => answer,
    };
    let status = answer.status;
    if let Err(reason) = verify(keys, expected, status, &answer.headers, &answer.body) {
        return Verdict::Silence(Silence::NotAuthentic { status, reason });
    }
    match StatusCode::from_u16(status) {
        Ok(StatusCode::OK) => judge_body(&answer.body),
        Ok(StatusCode::UNAUTHORIZED) => judge_refusal(&answer.body),
        _ => Verdict::Silence(Silence::NoVerdict { status }),
    }
}

fn judge_body(body: &[u8]) -> Verdict {
    let unreadable = |why: String| Verdict::Silence(Silence::Unreadable(why));
    let answer: LenientAnswer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => return unreadable(error.to_string()),
    };
    match (answer.status, answer.grace_expires_at) {
        (LicenseStatus::Expired, _) => return Verdict::Stop(StopReason::Expired),
        (LicenseStatus::Grace, None) => return unreadable("GRACE without graceExpiresAt".to_owned()),
        (LicenseStatus::Grace | LicenseStatus::Active, _) => {}
    }
    Verdict::Serve(Terms {
        status: answer.status,
        grace_expires_at: answer.grace_expires_at,
        server_time: answer.server_time,
        next_heartbeat_seconds: answer.next_heartbeat_seconds,
        offline_limit_days: answer.offline_limit_days,
        config: answer.config.map(|offered| OfferedConfig {
            generation: offered.generation,
            config: serde_json::from_value(offered.config).map_err(|error| error.to_string()),
        }),
    })
}

fn judge_refusal(body: &[u8]) -> Verdict {
    match serde_json::from_slice::<RefusalBody>(body) {
        Ok(refusal) if refusal.code == CODE_KEY_RETIRED => {
            let detail = refusal.detail.chars().take(200).collect();
            Verdict::Stop(StopReason::KeyRetired { detail })
        }
        Ok(_) => Verdict::Silence(Silence::NoVerdict { status: 401 }),
        Err(error) => Verdict::Silence(Silence::Unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
