//! The heartbeat's wire messages (product.md section 4).
//!
//! `POST /api/v1/heartbeat` with `Authorization: Bearer pk_…` and a fresh nonce in the
//! `Proxima-Nonce` header. The answer's signature (crate `proxima-signing`) covers that nonce.

use crate::gateway_config::{ConfigGeneration, GatewayConfig};
use crate::identity::DashboardPublicKey;
use crate::ids::InstallId;
use crate::license::LicenseStatus;
use crate::secrets::LicenseKey;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The path of the heartbeat endpoint below the dashboard's URL.
pub const HEARTBEAT_PATH: &str = "/api/v1/heartbeat";
/// The request header that carries the nonce: 16 to 64 base64url characters, new in every request.
pub const NONCE_HEADER: &str = "proxima-nonce";
/// The longest heartbeat request body that the dashboard reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// The longest answer that a gateway reads, in bytes.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How many signing keys a gateway trusts at most.
pub const MAX_TRUSTED_KEYS: usize = 8;
/// The time between two heartbeats unless the answer sets another, in seconds.
pub const DEFAULT_INTERVAL_SECONDS: u32 = 60;

/// What a gateway says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatRequest {
    /// The gateway's own version, at most 64 characters.
    pub version: String,
    pub install_id: InstallId,
    /// New at every start of the gateway.
    pub boot_id: Uuid,
    /// 1, 2, 3, … within one boot. A late or repeated one revives nothing (invariant 3).
    pub sequence: u64,
    pub phase: Phase,
    /// Since this boot, in seconds.
    pub uptime_seconds: u64,
    /// The configuration in force, if any.
    #[schema(required)]
    pub applied_config: Option<ConfigGeneration>,
    /// The newest configuration that was refused, with the reason.
    #[schema(required)]
    pub rejected_config: Option<RejectedConfig>,
    pub host: HostFacts,
    pub counters: Counters,
    /// The ids of the signing keys that this gateway trusts, at most 8, as signatures name them (`keyid`). Versions that
    /// cannot follow a new signing key do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_keys: Option<Vec<String>>,
}

/// Whether visitors' ports are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Starting,
    Serving,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedConfig {
    pub generation: ConfigGeneration,
    /// One sentence for the customer, at most 1000 characters.
    pub reason: String,
}

/// The host that the gateway runs on, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostFacts {
    /// The distribution's pretty name, at most 128 characters.
    pub os: String,
    /// Of the machine: `x86_64`, `aarch64`.
    pub architecture: String,
    pub hostname: String,
}

/// Totals since this boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    pub requests: u64,
    /// Bodies to visitors, in bytes.
    pub bytes_out: u64,
    /// Bodies from visitors, in bytes.
    pub bytes_in: u64,
    /// Answers that the gateway made because a backend did not: 502 and 504.
    pub backend_errors: u64,
}

/// The body of a 200.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    pub status: LicenseStatus,
    /// Present while `status` is GRACE.
    #[schema(required)]
    pub grace_expires_at: Option<DateTime<Utc>>,
    /// The database's clock when the verdict was read.
    pub server_time: DateTime<Utc>,
    /// When to come back, in seconds; the gateway adds its own jitter.
    pub next_heartbeat_seconds: u32,
    /// How long an ACTIVE gateway serves without a signed answer, in days; `null` is for ever.
    #[schema(required)]
    pub offline_limit_days: Option<u32>,
    /// The desired configuration, when it is not the applied one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<DesiredConfig>,
    /// A new license key, handed over while the presented one still counts: the gateway stores it,
    /// and its next heartbeat carries it (docs/heartbeat.md, "Rotation").
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next_api_key: Option<LicenseKey>,
    /// All signing keys to trust from now on, when they are not those that the gateway says it trusts
    /// (docs/heartbeat.md, "A new signing key"). The key that signs this answer is one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub dashboard_public_keys: Option<Vec<DashboardPublicKey>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesiredConfig {
    pub generation: ConfigGeneration,
    pub config: GatewayConfig,
}

/// The `code` of the 401 that stops a gateway: the key was regenerated, or its customer deleted.
pub const CODE_KEY_RETIRED: &str = "license_key_retired";
/// The `code` of a 401 for a key that this dashboard has never known: the gateway goes on.
pub const CODE_KEY_UNKNOWN: &str = "license_key_unknown";

/// The part of a problem document (RFC 9457) that a gateway reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RefusalBody {
    pub code: String,
    #[serde(default)]
    pub detail: String,
}
