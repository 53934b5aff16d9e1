//! How the gateway is: written to `status.json` by the running one, read by `proxima-gateway
//! status`.

mod command;
mod process;

use chrono::{DateTime, Utc};
pub use command::run;
pub use process::ProcessMark;
use proxima_types::heartbeat::{Counters, Phase, RejectedConfig};
use proxima_types::{ConfigGeneration, LicenseStatus, ServerId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub version: String,
    pub process: ProcessMark,
    pub boot_id: Uuid,
    pub server_id: ServerId,
    pub dashboard_url: String,
    pub started_at: DateTime<Utc>,
    pub written_at: DateTime<Utc>,
    pub phase: Phase,
    pub open_ports: Vec<u16>,
    /// Configured ports that cannot be opened, with the reason.
    pub closed_ports: Vec<String>,
    /// Of the last signed answer.
    pub license: Option<LicenseStatus>,
    pub grace_expires_at: Option<DateTime<Utc>>,
    /// Of the last signed answer's arrival.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why the last heartbeat was no verdict; `None` when it was one.
    pub silence: Option<String>,
    /// What is left until the silence stops this gateway; `None` without a limit.
    pub silence_left_seconds: Option<u64>,
    pub applied_config: Option<ConfigGeneration>,
    pub rejected_config: Option<RejectedConfig>,
    pub counters: Counters,
    /// Set by a gateway that ends: why.
    pub stopped: Option<String>,
}
