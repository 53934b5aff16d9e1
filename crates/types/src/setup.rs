//! What the dashboard asks `proxima-gateway setup` on a customer's box, and what that answers: one
//! JSON request on stdin, one JSON line on stdout. Also the receipt that an install leaves.
//!
//! Requests refuse unknown fields. Replies and receipts ignore them and know a version, so that
//! what an older box says stays readable.

use crate::identity::DashboardUrl;
use crate::ids::{InstallId, ServerId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The one [`SetupRequest::protocol`] there is.
pub const SETUP_PROTOCOL: u32 = 1;
/// The one [`Receipt::version`] there is.
pub const RECEIPT_VERSION: u32 = 1;
/// No request on stdin is longer, in bytes.
pub const MAX_SETUP_REQUEST_BYTES: u64 = 1024 * 1024;

/// Where things are on a customer's box. Only constants: command lines are made of them.
pub mod place {
    /// Holds the binaries.
    pub const LIB: &str = "/usr/local/lib/proxima-gateway";
    /// The binary in use.
    pub const BINARY: &str = "/usr/local/lib/proxima-gateway/proxima-gateway";
    /// The binary in use before that.
    pub const PREVIOUS: &str = "/usr/local/lib/proxima-gateway/proxima-gateway.previous";
    /// The binary that was just uploaded. It stays until `Commit` or the revert of
    /// [`super::BoxStep::Binary`], so that a whole job can run it.
    pub const STAGED: &str = "/usr/local/lib/proxima-gateway/staged";
    /// Which server is being installed over SSH: its id in a line. Only while that is under way.
    pub const CLAIM: &str = "/usr/local/lib/proxima-gateway/claim";
    /// Names in [`LIB`] that start so are unfinished uploads.
    pub const UPLOAD_PREFIX: &str = "upload.";
    /// The name on people's `PATH`: a symbolic link to [`BINARY`].
    pub const LINK: &str = "/usr/local/bin/proxima-gateway";
    /// 0750 root:proxima-gateway.
    pub const CONFIG_FOLDER: &str = "/etc/proxima-gateway";
    /// 0600, owned by [`USER`].
    pub const CONFIG: &str = "/etc/proxima-gateway/config.json";
    pub const UNIT: &str = "proxima-gateway.service";
    pub const UNIT_FILE: &str = "/etc/systemd/system/proxima-gateway.service";
    /// Name of the system user and of its group.
    pub const USER: &str = "proxima-gateway";
    /// The unit's `StateDirectory`.
    pub const STATE: &str = "/var/lib/proxima-gateway";
    /// The unit's `RuntimeDirectory`.
    pub const RUNTIME: &str = "/run/proxima-gateway";
    /// What a job replaced, in a folder each; the receipt; the last update's result. Root, 0700.
    pub const SETUP: &str = "/var/lib/proxima-gateway-setup";
    pub const RECEIPT: &str = "/var/lib/proxima-gateway-setup/receipt.json";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupRequest {
    /// [`SETUP_PROTOCOL`].
    pub protocol: u32,
    /// Names the backups of what is replaced: the same for every request of one job.
    pub job: Uuid,
    pub action: SetupAction,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum SetupAction {
    /// Looks, changes nothing. Answers [`SetupData::Facts`].
    Facts {
        /// Which ports' listeners to name; empty: all.
        ports: Vec<u16>,
    },
    /// Asks `<dashboardUrl>/healthz` with the client that heartbeats use. Answers [`SetupData::Reach`].
    Reach { dashboard_url: DashboardUrl },
    /// Does a step. Idempotent; after a kill at any point it may be asked again, or reverted.
    Apply { input: StepInput },
    /// Puts back what this job replaced in that step. Idempotent; nothing known is nothing to do.
    /// When everything is reverted the service runs again if it did before.
    Revert { step: BoxStep },
    /// Forgets this job's backups, writes the receipt. Answers [`SetupData::Receipt`].
    Commit {
        /// For the receipt.
        at: DateTime<Utc>,
    },
    /// Looks, changes nothing. Answers [`SetupData::Status`].
    Status {},
    /// Puts [`place::STAGED`] in use, and the binary before back unless an authentic answer of the
    /// dashboard arrives. Goes on when the connection is lost; asking again waits for the same
    /// end. Answers [`SetupData::Update`]. Ask the binary in use; whoever asks for `Status` while an
    /// update is on trial asks [`place::PREVIOUS`], for the one in use may be broken.
    Update {
        /// Of [`place::STAGED`], lower-case hex.
        sha256: String,
        /// For the receipt.
        version: String,
        /// For the receipt.
        at: DateTime<Utc>,
        /// How long to wait for the answer: 5 to 600.
        wait_seconds: u32,
    },
    /// Restarts the service. Answers [`SetupData::Status`].
    Restart {},
    /// Removes everything. Idempotent. Answers [`SetupData::Uninstalled`].
    Uninstall {},
}

/// The steps of an install that change the box, in their order; reverted in the opposite one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BoxStep {
    /// Staged binary → binary in use.
    Binary,
    /// The system user and group.
    User,
    /// `config.json`.
    Config,
    /// The systemd unit.
    Unit,
    /// Enabled and running.
    Start,
}

impl BoxStep {
    pub const ALL: [Self; 5] = [Self::Binary, Self::User, Self::Config, Self::Unit, Self::Start];
}

/// What a step needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum StepInput {
    Binary {
        /// Of [`place::STAGED`], lower-case hex.
        sha256: String,
        /// For the receipt.
        version: String,
    },
    User {},
    Config {
        config: ConfigText,
        /// Replace the `config.json` of another server instead of refusing.
        replace_other_server: bool,
    },
    Unit {},
    Start {
        /// How long the gateway may take until it runs: 5 to 300.
        wait_seconds: u32,
    },
}

impl StepInput {
    #[must_use]
    pub fn step(&self) -> BoxStep {
        match self {
            Self::Binary { .. } => BoxStep::Binary,
            Self::User {} => BoxStep::User,
            Self::Config { .. } => BoxStep::Config,
            Self::Unit {} => BoxStep::Unit,
            Self::Start { .. } => BoxStep::Start,
        }
    }
}

/// A `config.json`, byte for byte, secrets in clear. Prints as `config.json(…)`.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigText(Zeroizing<String>);

impl ConfigText {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Every caller is a place where secrets leave the process.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("config.json(…)")
    }
}

impl Serialize for ConfigText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ConfigText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// One line on stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupReply {
    pub protocol: u32,
    pub outcome: StepOutcome,
    /// With `FAILED` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<SetupProblem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<SetupData>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepOutcome {
    Changed,
    /// All was already as asked, or the action only looks.
    Unchanged,
    Failed,
}

/// Why something was not done, for the customer. Contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupProblem {
    pub code: SetupProblemCode,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
}

/// Stable words for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SetupProblemCode {
    /// The request could not be understood.
    BadRequest,
    NotRoot,
    /// Another setup runs on this box.
    Busy,
    NoSystemd,
    /// `useradd` or its siblings are missing.
    NoUserTools,
    UnsupportedArchitecture,
    /// There is no staged binary.
    BinaryMissing,
    /// The staged binary is not the one that was announced.
    BinaryDamaged,
    DiskFull,
    ReadOnly,
    /// A file carries the attribute "immutable".
    Immutable,
    /// Anything else that the file system refused.
    FileSystem,
    /// The user exists and cannot be used.
    UserUnsuitable,
    ConfigInvalid,
    /// The box belongs to another server of this or another dashboard.
    OtherServer,
    /// The gateway is not installed here.
    NotInstalled,
    StartFailed,
    /// A program of the box failed.
    CommandFailed,
    /// The updated gateway got no answer; the one before runs again.
    RolledBack,
    /// The update failed before or after its swap.
    UpdateFailed,
    DashboardNameUnknown,
    DashboardRefused,
    DashboardTimeout,
    DashboardTls,
    DashboardWrongStatus,
    DashboardUnreachable,
    /// Of a newer box.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SetupData {
    Facts(Box<Facts>),
    Reach(Reach),
    /// Of an apply: what it did.
    Step(ReceiptStep),
    Receipt(Receipt),
    Status(Box<BoxStatus>),
    Update(UpdateReport),
    Uninstalled(Uninstalled),
}

/// What a box is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// `ID` of os-release: `debian`.
    pub os_id: String,
    /// `PRETTY_NAME` of os-release.
    pub os_name: String,
    /// `VERSION_ID` of os-release; empty for a rolling distribution.
    pub os_version: String,
    /// As the kernel says: `x86_64`, `aarch64`, …
    pub architecture: String,
    /// Whether systemd runs this box.
    pub systemd_running: bool,
    /// systemd's major version.
    pub systemd_version: Option<u32>,
    pub disks: Vec<DiskSpace>,
    /// The box's clock in Unix milliseconds.
    pub clock_ms: i64,
    pub listeners: Vec<PortListener>,
    pub existing: Option<ExistingInstall>,
    /// Whether SELinux enforces.
    pub selinux_enforcing: bool,
}

/// One place where an install writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskSpace {
    pub path: String,
    /// For root.
    pub free_bytes: u64,
    pub read_only: bool,
}

/// A process that listens on a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortListener {
    pub port: u16,
    /// `0.0.0.0`, `::`, `127.0.0.1`, …
    pub address: String,
    pub process: Option<String>,
    pub pid: Option<u32>,
    /// The systemd unit of the process.
    pub unit: Option<String>,
}

/// What is there of an installation, whole or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExistingInstall {
    /// Of the receipt, else of the gateway's own status.
    pub version: Option<String>,
    /// Of `config.json`.
    pub server_id: Option<ServerId>,
    /// Of `config.json`.
    pub install_id: Option<InstallId>,
    pub unit: UnitState,
    /// Jobs that neither committed nor were reverted.
    pub unfinished_jobs: Vec<Uuid>,
}

/// As `systemctl show` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// `active`, `inactive`, `activating`, `failed`, …
    pub active: String,
    /// `running`, `dead`, `auto-restart`, …
    pub sub: String,
    /// `enabled`, `disabled`, `masked`, … or empty.
    pub enabled: String,
    pub main_pid: Option<u32>,
    /// By systemd, since the last start by a person.
    pub restarts: u32,
}

/// Whether the box reaches the dashboard. Present also beside a problem, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Of the HTTP answer.
    pub status: Option<u16>,
    /// Box minus dashboard, by the answer's `Date`: positive when the box is ahead. Good to a second
    /// or two.
    pub clock_offset_seconds: Option<i64>,
    pub elapsed_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxStatus {
    pub unit: UnitState,
    /// The gateway's own `status.json`; absent when it was never started.
    pub gateway: Option<serde_json::Value>,
    /// Whether `gateway` was written by the process that runs now.
    pub gateway_is_current: bool,
    /// The last lines of the unit's journal, bounded.
    pub journal: Vec<String>,
    /// The last update that this box was asked for.
    pub update: Option<UpdateReport>,
    pub receipt: Option<Receipt>,
    /// Jobs that neither committed nor were reverted.
    pub unfinished_jobs: Vec<Uuid>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateReport {
    pub job: Uuid,
    /// Of the new binary.
    pub sha256: String,
    pub version: String,
    pub state: UpdateState,
    /// Why it was rolled back or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<SetupProblem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateState {
    /// Asked for; nothing is changed.
    Requested,
    /// From just before the swap until there is a verdict.
    Swapped,
    /// The new binary got an authentic answer.
    Confirmed,
    /// The binary before is in use again.
    RolledBack,
    /// Neither: the problem says what remains.
    Failed,
}

impl UpdateState {
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::RolledBack | Self::Failed)
    }
}

/// What an uninstall did; sentences or paths, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uninstalled {
    pub removed: Vec<String>,
    /// On purpose, with the reason.
    pub left: Vec<String>,
}

/// What an installation consists of. Holds no secret, but is nobody's business: never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    pub job: Uuid,
    /// As the request said.
    pub committed_at: DateTime<Utc>,
    /// Of the binary in use.
    pub gateway_version: Option<String>,
    pub server_id: Option<ServerId>,
    pub install_id: Option<InstallId>,
    pub steps: Vec<ReceiptStep>,
}

impl Receipt {
    /// Reads a receipt of any version that there ever was.
    ///
    /// # Errors
    /// One sentence, which repeats nothing of the text.
    pub fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| {
            format!("The receipt is damaged at line {}, column {}.", error.line(), error.column())
        };
        let Version { version } = serde_json::from_str(json).map_err(damaged)?;
        match version {
            1 => serde_json::from_str(json).map_err(damaged),
            other => {
                Err(format!("The receipt has version {other}; this program knows versions up to {RECEIPT_VERSION}."))
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptStep {
    pub step: BoxStep,
    pub things: Vec<ReceiptThing>,
}

/// One file, folder, link, user or service of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptThing {
    /// A path, or words such as `user proxima-gateway`.
    pub name: String,
    pub done: Done,
    /// Of a file's content, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of a binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Done {
    Created,
    Replaced,
    /// It was there before and is as it was.
    Kept,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_are_read_strictly() {
        let job = "0192f0c1-2222-7333-8444-555566667777";
        let request = json!({ "protocol": 1, "job": job, "action": {
            "do": "APPLY", "input": { "step": "CONFIG", "config": "{}", "replaceOtherServer": false },
        }});
        let read: SetupRequest = serde_json::from_value(request.clone()).expect("valid");
        assert_eq!(serde_json::to_value(&read).expect("serialises"), request);
        for (path, field) in [("", "x"), ("/action", "x"), ("/action/input", "x")] {
            let mut bad = request.clone();
            bad.pointer_mut(path).expect("there")[field] = json!(1);
            assert!(serde_json::from_value::<SetupRequest>(bad).is_err(), "{path}");
        }
        for (action, dashboard) in [("REACH", "http://203.0.113.9"), ("REACH", "nonsense")] {
            let bad = json!({ "protocol": 1, "job": job, "action": { "do": action, "dashboardUrl": dashboard }});
            assert!(serde_json::from_value::<SetupRequest>(bad).is_err(), "{dashboard}");
        }
    }

    #[test]
    fn a_config_does_not_print() {
        let input = StepInput::Config { config: ConfigText::new("pk_hunter2".to_owned()), replace_other_server: true };
        assert!(!format!("{input:?}").contains("hunter2"));
    }

    #[test]
    fn a_receipt_of_version_1_stays_readable() {
        let text = include_str!("../tests/receipt-v1.json");
        let receipt = Receipt::parse(text).expect("version 1");
        assert_eq!(receipt.gateway_version.as_deref(), Some("0.1.0"));
        assert_eq!(receipt.steps[0].things[0].done, Done::Replaced);
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert!(Receipt::parse(&newer).expect_err("newer").contains("version 2"));
        let damaged = Receipt::parse("{\"version\": 1, \"job\": \"hunter2\"}").expect_err("damaged");
        assert!(!damaged.contains("hunter2"), "{damaged}");
    }

    #[test]
    fn a_problem_of_a_newer_box_is_read() {
        let problem: SetupProblem =
            serde_json::from_value(json!({ "code": "FROM_THE_FUTURE", "sentence": "s", "remedy": "r" })).expect("read");
        assert_eq!(problem.code, SetupProblemCode::Other);
    }
}
