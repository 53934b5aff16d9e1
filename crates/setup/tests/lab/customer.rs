//! A customer's box, and the requests that the dashboard would send by SSH.

pub use proxima_test_support::assert_same_box as assert_same;
use proxima_test_support::{Finished, Lab, LabOptions};
use proxima_types::setup::{
    BoxStep, ConfigText, SETUP_PROTOCOL, SetupAction, SetupReply, SetupRequest, StepInput, StepOutcome,
};
use proxima_types::{ApiSecret, LicenseKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use uuid::Uuid;

pub const FIRST_JOB: Uuid = Uuid::from_u128(1);
pub const SERVER: Uuid = Uuid::from_u128(0x5e);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lab");
const UPLOAD: &str = "mkdir -p /usr/local/lib/proxima-gateway && cd /usr/local/lib/proxima-gateway && cat >upload.1 && chmod 755 upload.1 && mv upload.1 staged";
const SETUP: &str = "cd /usr/local/lib/proxima-gateway && if [ -x staged ]; then exec ./staged setup; else exec ./proxima-gateway setup; fi";

const SETUP_OF_INSTALLED: &str = "cd /usr/local/lib/proxima-gateway && exec ./proxima-gateway setup";
/// While an update is on trial, the one in use may be the broken one.
const SETUP_OF_PREVIOUS: &str = "cd /usr/local/lib/proxima-gateway && exec ./proxima-gateway.previous setup";

/// The gateway as this workspace builds it, beside the test.
pub fn gateway_binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let path = test.ancestors().nth(2).expect("the target folder").join("proxima-gateway");
    assert!(path.is_file(), "build it first: cargo build -p proxima-gateway");
    path
}

pub fn sha256(path: &PathBuf) -> String {
    let digest = Sha256::digest(std::fs::read(path).expect("the binary"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn secrets() -> (LicenseKey, ApiSecret) {
    (LicenseKey::from_random_bytes([2; 32]), ApiSecret::from_random_bytes([3; 32]))
}

pub fn config(dashboard_url: &str, server: Uuid) -> StepInput {
    let (key, secret) = secrets();
    let config = json!({
        "dashboardUrl": dashboard_url,
        "dashboardPublicKeys": [super::dashboard::public_key()],
        "serverId": server,
        "apiKey": key,
        "apiSecret": secret,
        "installId": Uuid::from_u128(4),
    });
    StepInput::Config { config: ConfigText::new(config.to_string()), replace_other_server: false }
}

pub fn steps(dashboard_url: &str) -> Vec<StepInput> {
    vec![
        StepInput::Binary { sha256: sha256(&gateway_binary()), version: "1.0.0".to_owned() },
        StepInput::User {},
        config(dashboard_url, SERVER),
        StepInput::Unit {},
        StepInput::Start { wait_seconds: 30 },
    ]
}

pub fn time() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

pub struct Customer {
    pub lab: Lab,
    pub dashboard_url: String,
}

impl Customer {
    pub async fn new(options: LabOptions) -> Self {
        let dashboard_url = match options.dashboard_port {
            Some(port) => format!("http://127.0.0.1:{port}"),
            None => "https://dashboard.lab".to_owned(),
        };
        Self { lab: Lab::up(options).await, dashboard_url }
    }

    pub fn upload(&self, binary: &PathBuf) {
        let status = Command::new(SCRIPT)
            .args(["exec", &self.lab.name, "sh", "-c", UPLOAD])
            .stdin(Stdio::from(File::open(binary).expect("the binary")))
            .status();
        assert!(status.expect("it starts").success(), "the upload failed");
    }

    pub async fn shell(&self, script: &str) -> Finished {
        self.lab.exec(&["bash", "-c", script]).await
    }

    /// Which must succeed.
    pub async fn run(&self, script: &str) -> String {
        let done = self.shell(script).await;
        assert_eq!(done.code, Some(0), "{script}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    fn request(job: Uuid, action: SetupAction) -> String {
        serde_json::to_string(&SetupRequest { protocol: SETUP_PROTOCOL, job, action }).expect("json")
    }

    /// One request; the reply is the only line on stdout, and nothing says a secret.
    pub async fn ask(&self, job: Uuid, action: SetupAction) -> SetupReply {
        self.ask_by(SETUP, job, action).await
    }

    /// As [`Self::ask`], of the binary in use.
    pub async fn ask_installed(&self, job: Uuid, action: SetupAction) -> SetupReply {
        self.ask_by(SETUP_OF_INSTALLED, job, action).await
    }

    /// As [`Self::ask`], of the binary before the one in use.
    pub async fn ask_previous(&self, job: Uuid, action: SetupAction) -> SetupReply {
        self.ask_by(SETUP_OF_PREVIOUS, job, action).await
    }

    async fn ask_by(&self, script: &str, job: Uuid, action: SetupAction) -> SetupReply {
        let done = self.lab.exec_with_input(&["sh", "-c", script], &Self::request(job, action)).await;
        let all = format!("{}{}", done.stdout, done.stderr);
        let (key, secret) = secrets();
        assert!(!all.contains(key.expose()) && !all.contains(secret.expose()), "a secret is shown: {all}");
        let reply: SetupReply = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {all}"));
        assert_eq!(done.code, Some(i32::from(reply.outcome == StepOutcome::Failed)), "{all}");
        reply
    }

    /// One request whose process is killed after so many milliseconds.
    pub async fn ask_and_kill(&self, job: Uuid, action: SetupAction, after_ms: u64) {
        self.kill_by(SETUP, job, action, after_ms).await;
    }

    /// As [`Self::ask_and_kill`], of the binary in use.
    pub async fn ask_installed_and_kill(&self, job: Uuid, action: SetupAction, after_ms: u64) {
        self.kill_by(SETUP_OF_INSTALLED, job, action, after_ms).await;
    }

    async fn kill_by(&self, script: &str, job: Uuid, action: SetupAction, after_ms: u64) {
        let seconds = format!("{}.{:03}", after_ms / 1000, after_ms % 1000);
        let script = script.replace("exec ", &format!("exec timeout --foreground -s KILL {seconds} "));
        self.lab.exec_with_input(&["sh", "-c", &script], &Self::request(job, action)).await;
    }

    pub async fn apply(&self, job: Uuid, input: StepInput) -> SetupReply {
        self.ask(job, SetupAction::Apply { input }).await
    }

    /// All steps; each must succeed.
    pub async fn install(&self, job: Uuid) -> Vec<StepOutcome> {
        let mut outcomes = Vec::new();
        for input in steps(&self.dashboard_url) {
            let reply = self.apply(job, input).await;
            assert!(reply.problem.is_none(), "{reply:?}");
            outcomes.push(reply.outcome);
        }
        outcomes
    }

    pub async fn commit(&self, job: Uuid) -> SetupReply {
        let reply = self.ask(job, SetupAction::Commit { at: time() }).await;
        assert!(reply.problem.is_none(), "{reply:?}");
        reply
    }

    pub async fn revert(&self, job: Uuid) {
        for step in BoxStep::ALL.into_iter().rev() {
            let reply = self.ask(job, SetupAction::Revert { step }).await;
            assert!(reply.problem.is_none(), "{step:?}: {reply:?}");
        }
    }

    pub async fn snapshot(&self) -> BTreeMap<String, String> {
        self.lab.snapshot().await
    }

    /// Without what a running gateway writes.
    pub async fn snapshot_at_rest(&self) -> BTreeMap<String, String> {
        let mut snapshot = self.snapshot().await;
        snapshot.retain(|path, _| !path.starts_with("/var/lib/proxima-gateway/"));
        snapshot
    }
}
