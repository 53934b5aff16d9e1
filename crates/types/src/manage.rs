//! The management API on `:6060`: what a dashboard may ask of a gateway, and what it hears. The
//! gateway answers; the dashboard and `proxima-gateway status --json` use the same types.
//!
//! A reader ignores fields that it does not know and does without those that are missing, so
//! that either side may be the older one.

use crate::gateway_config::ConfigGeneration;
use crate::heartbeat::{Counters, Phase, RejectedConfig};
use crate::ids::ServerId;
use crate::license::LicenseStatus;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Answers 204 to whoever asks, and says nothing more.
pub const LIVENESS_PATH: &str = "/healthz";
/// `GET`: [`StatusDocument`].
pub const STATUS_PATH: &str = "/v1/status";
/// `POST`: [`NudgeAnswer`].
pub const NUDGE_PATH: &str = "/v1/nudge";
/// `POST` of a [`DrainRequest`]: [`DrainAnswer`].
pub const DRAIN_PATH: &str = "/v1/drain";
/// The longest request body that the management API reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024;
/// The longest drain that may be asked for, in seconds.
pub const MAX_DRAIN_SECONDS: u32 = 600;

/// What `GET /v1/status` and `proxima-gateway status --json` say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument {
    /// Whether the gateway that wrote `status` runs now.
    pub running: bool,
    /// `null`: never started with this state directory.
    #[schema(required)]
    pub status: Option<GatewayStatus>,
}

/// How a gateway is, as it says itself: when something changes, and every ten seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    pub version: String,
    pub process: ProcessMark,
    pub boot_id: Uuid,
    pub server_id: ServerId,
    pub dashboard_url: String,
    pub started_at: DateTime<Utc>,
    /// By the gateway's own clock, as every time here but `graceExpiresAt`.
    pub written_at: DateTime<Utc>,
    pub phase: Phase,
    pub open_ports: Vec<u16>,
    /// Configured ports that cannot be opened, with the reason.
    pub closed_ports: Vec<String>,
    /// Of the last signed answer.
    #[schema(required)]
    pub license: Option<LicenseStatus>,
    #[schema(required)]
    pub grace_expires_at: Option<DateTime<Utc>>,
    /// Of the last signed answer's arrival.
    #[schema(required)]
    pub answered_at: Option<DateTime<Utc>>,
    /// Why the last heartbeat was no verdict; `null` when it was one.
    #[schema(required)]
    pub silence: Option<String>,
    /// What is left until the silence stops this gateway; `null` without a limit.
    #[schema(required)]
    pub silence_left_seconds: Option<u64>,
    #[schema(required)]
    pub applied_config: Option<ConfigGeneration>,
    #[schema(required)]
    pub rejected_config: Option<RejectedConfig>,
    pub counters: Counters,
    /// Which license key the heartbeats carry; `null` from a gateway that does not say.
    pub license_key: Option<LicenseKeyStatus>,
    /// `null` from a gateway that does not say, or whose management API is off.
    pub management: Option<ManagementStatus>,
    /// Set by a gateway that ends: why.
    #[schema(required)]
    pub stopped: Option<String>,
}

/// Names one process for ever: pids are reused, their start times within one boot are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessMark {
    pub pid: u32,
    #[schema(required)]
    pub kernel_boot: Option<Uuid>,
    /// When the kernel booted, in seconds since 1970, as `/proc/stat` says: a container may have a boot id of its own that
    /// its locked down services do not see.
    #[serde(default)]
    #[schema(required)]
    pub kernel_boot_time: Option<u64>,
    /// In clock ticks after the kernel's boot.
    #[schema(required)]
    pub start_ticks: Option<u64>,
}

/// The license key in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LicenseKeyStatus {
    /// `pk_•••••…•Ab3f`.
    pub masked: String,
    /// Handed over in a heartbeat's answer, and so not the one that config.json holds.
    pub handed_over: bool,
    /// Whether the dashboard has answered this very key with a verdict.
    pub answered: bool,
}

/// How the management API itself is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementStatus {
    /// Where it listens, such as `[::]:6060`; `null` while it does not.
    #[schema(required)]
    pub address: Option<String>,
    #[schema(required)]
    pub certificate_fingerprint: Option<CertificateFingerprint>,
    /// Why it does not listen: one sentence. It is tried again.
    #[schema(required)]
    pub problem: Option<String>,
}

/// SHA-256 of a certificate's DER, as text `sha256:` + 64 lower-case hexadecimal digits. What a
/// dashboard pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^sha256:[0-9a-f]{64}$")]
pub struct CertificateFingerprint([u8; 32]);

impl CertificateFingerprint {
    #[must_use]
    pub fn of_der(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// # Errors
    /// When the text is not of the form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let malformed = || "expected sha256: and 64 lower-case hexadecimal digits".to_owned();
        let digits =
            text.strip_prefix("sha256:").filter(|digits| !digits.bytes().any(|digit| digit.is_ascii_uppercase()));
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits.ok_or_else(malformed)?, &mut bytes).map_err(|_| malformed())?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl Serialize for CertificateFingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CertificateFingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a nudge came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NudgeAnswer {
    pub outcome: NudgeOutcome,
    /// Why the heartbeat was no verdict, with `SILENT`.
    #[schema(required)]
    pub silence: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NudgeOutcome {
    /// A heartbeat that began after the nudge brought a signed verdict to serve.
    Answered,
    /// Such a heartbeat brought no verdict; the gateway goes on as it was.
    Silent,
    /// Such a heartbeat brought a signed end of service.
    Stopping,
    /// It will be sent; its outcome is not known yet.
    Pending,
}

/// Asks for a drain and an end of the process, as SIGTERM does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrainRequest {
    /// How long requests in flight may take to end: 1 to 600 seconds.
    #[schema(minimum = 1, maximum = 600)]
    pub seconds: u32,
}

/// A drain that has begun: no new connections, requests in flight end, then the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainAnswer {
    /// As asked for.
    pub seconds: u32,
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementProblem {
    /// `urn:proxima:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// A stable word for programs: `unauthenticated`, `too_many_failures`, `not_found`,
    /// `method_not_allowed`, `too_large`, `malformed`, `already_draining`.
    pub code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_back_and_nothing_else_is_one() {
        let fingerprint = CertificateFingerprint::of_der(b"abc");
        let text = fingerprint.to_string();
        assert_eq!(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(CertificateFingerprint::parse(&text), Ok(fingerprint));
        let digits = &text[7..];
        let longer = format!("{text}0");
        for bad in ["", "sha256:", digits, &text.to_uppercase(), &text[..70], &longer, &text.replace('b', "é")] {
            assert!(CertificateFingerprint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_older_or_newer_gateways_status_is_read() {
        let json = serde_json::json!({
            "version": "0.0.9",
            "process": { "pid": 1 },
            "bootId": Uuid::nil(),
            "serverId": Uuid::nil(),
            "dashboardUrl": "https://panel.example.com",
            "startedAt": "2026-01-01T00:00:00Z",
            "writtenAt": "2026-01-01T00:00:00Z",
            "phase": "serving",
            "openPorts": [80],
            "closedPorts": [],
            "counters": { "requests": 0, "bytesOut": 0, "bytesIn": 0, "backendErrors": 0 },
            "novelty": true,
        });
        let status: GatewayStatus = serde_json::from_value(json).expect("read");
        assert_eq!((status.license_key, status.management, status.license), (None, None, None));
    }

    #[test]
    fn a_drain_needs_its_seconds_and_nothing_else() {
        for bad in ["{}", "{\"seconds\":-1}", "{\"seconds\":1,\"x\":1}", "{\"seconds\":1.5}", "[]"] {
            assert!(serde_json::from_str::<DrainRequest>(bad).is_err(), "{bad}");
        }
    }
}
