//! The manual way of installing: install tokens, and the jobs that boxes run themselves.

mod job;
mod secrets;
mod silence;
mod token;

use crate::world::World;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{Answer, Client, Method, TestGateway};
use proxima_types::ReportToken;
use proxima_types::identity::GatewayIdentity;
use serde_json::{Value, json};
use sqlx::PgPool;

/// A release folder with a program that nobody runs here.
pub fn releases() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("x86_64")).unwrap();
    std::fs::write(folder.path().join("x86_64/proxima-gateway"), vec![7_u8; 200_000]).unwrap();
    folder
}

/// A dashboard with something to install.
pub async fn world(db: PgPool) -> (World, tempfile::TempDir) {
    let releases = releases();
    (World::new(db, releases.path()).await, releases)
}

pub fn facts(listeners: &Value) -> Value {
    json!({
        "osId": "debian", "osName": "Debian GNU/Linux 12", "osVersion": "12", "architecture": "x86_64", "systemdRunning": true,
        "systemdVersion": 252, "disks": [{ "path": "/etc", "freeBytes": 10_000_000_000_u64, "readOnly": false }],
        "clockMs": 0, "listeners": listeners, "existing": null, "selinuxEnforcing": false,
    })
}

/// Makes a token and returns it.
pub async fn make(world: &World) -> String {
    let made = world.own.post(&world.path("/install-token"), &json!({})).await.expect(201);
    made["token"].as_str().unwrap().to_owned()
}

/// A box with a token.
#[derive(Clone)]
pub struct FakeBox {
    pub token: String,
    pub report_token: String,
    client: Client,
    sequence: u64,
}

impl FakeBox {
    pub fn new(client: Client, token: &str) -> Self {
        let report_token = ReportToken::from_random_bytes(OsEntropy.bytes()).expose().to_owned();
        Self { token: token.to_owned(), report_token, client, sequence: 0 }
    }

    pub async fn of(world: &World) -> Self {
        Self::new(world.app.anonymous(), &make(world).await)
    }

    fn bearer(&self, token: &str) -> Client {
        self.client.with_header("authorization", &format!("Bearer {token}"))
    }

    pub async fn claim(&self) -> Answer {
        self.claim_with(&json!([])).await
    }

    pub async fn claim_with(&self, listeners: &Value) -> Answer {
        let body = json!({ "protocol": 1, "reportToken": self.report_token, "facts": facts(listeners) });
        self.bearer(&self.token).post("/api/v1/install/claim", &body).await
    }

    pub async fn download(&self, architecture: &str) -> Answer {
        self.bearer(&self.token).get(&format!("/api/v1/install/program/{architecture}")).await
    }

    /// The next report.
    pub async fn report(&mut self, job: &str, news: Value, end: Value) -> Answer {
        self.sequence += 1;
        self.report_as(job, self.sequence, news, end).await
    }

    pub async fn report_as(&self, job: &str, sequence: u64, news: Value, end: Value) -> Answer {
        let body = json!({ "sequence": sequence, "news": news, "end": end });
        self.bearer(&self.report_token).post(&format!("/api/v1/install/jobs/{job}/report"), &body).await
    }
}

pub fn step(name: &str, state: &str) -> Value {
    json!({ "kind": "STEP", "step": name, "state": state })
}

pub fn line(name: &str, line: &str) -> Value {
    json!({ "kind": "LINE", "step": name, "line": line })
}

pub fn job_of(claimed: &Value) -> String {
    claimed["job"].as_str().unwrap().to_owned()
}

pub fn identity_of(claimed: &Value) -> GatewayIdentity {
    GatewayIdentity::parse(claimed["config"].as_str().unwrap()).unwrap()
}

pub fn succeeded(claimed: &Value) -> Value {
    let receipt = json!({ "version": 1, "job": claimed["job"], "committedAt": "2026-11-21T12:00:00Z", "gatewayVersion": "1.2.3",
        "serverId": null, "installId": null, "steps": [] });
    json!({ "state": "SUCCEEDED", "facts": facts(&json!([])), "receipt": receipt })
}

/// The gateway that a box was given begins to serve.
pub async fn heartbeat(world: &World, identity: &GatewayIdentity) {
    let public_key = world.app.app.keyring.public_key().expect("a signing key");
    let mut gateway = TestGateway::new(&world.app.url, public_key, identity.server_id, identity.api_key.clone());
    gateway.install_id = identity.install_id;
    let mut report = gateway.report();
    report.uptime_seconds = 0;
    TestGateway::expect_status(&gateway.send(serde_json::to_vec(&report).unwrap()).await, "ACTIVE");
}

pub async fn post_nothing(client: &Client, path: &str) -> Answer {
    client.send(Method::POST, path, Some(&json!({}))).await
}
