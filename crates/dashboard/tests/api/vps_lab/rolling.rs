//! Dashboards that are replaced one by one, in order, while they have jobs and heartbeats: whatever one leaves, another ends.

use super::fake_box::{BOX_PASSWORD, FakeBox};
use crate::PROGRAM;
use proxima_dashboard::keyring::Keyring;
use proxima_test_support::{
    Client, DashboardProcess, Folder, PASSWORD, TestApp, TestGateway, audited, database_url, rows_matching, wait_until,
};
use serde_json::{Value, json};
use sqlx::PgPool;

struct Roll {
    db: PgPool,
    url: String,
    data: Folder,
    releases: String,
}

impl Roll {
    /// With one place for jobs, so that a second job waits.
    async fn start(&self) -> DashboardProcess {
        let env = [
            ("PROXIMA_ALLOW_OUTBOUND", "127.0.0.0/8"),
            ("PROXIMA_GATEWAY_URL", "http://127.0.0.1:1"),
            ("PROXIMA_GATEWAY_BINARIES", self.releases.as_str()),
            ("PROXIMA_JOBS_AT_ONCE", "1"),
        ];
        DashboardProcess::start(PROGRAM, &self.url, &self.data, &env).await
    }

    /// Waits until so many jobs wait for their gateway's first heartbeat.
    async fn until_heartbeats_are_due(&self, jobs: u32) {
        let due = format!(
            "SELECT count(*) = {jobs} FROM job_steps WHERE name = 'HEARTBEAT' AND state = 'RUNNING' AND finished_at IS NULL"
        );
        wait_until(&self.db, &due).await;
    }

    /// Alice's, which was queued first, and bob's.
    async fn jobs(&self) -> Vec<Value> {
        let mut jobs = rows_matching(&self.db, "jobs", "true").await;
        jobs.sort_by_key(|job| job["requested_at"].as_str().map(str::to_owned));
        jobs
    }
}

async fn admin(process: &DashboardProcess) -> Client {
    let client = process.client();
    client.post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await.expect_status(200);
    client
}

/// A customer whose server is that box, with an install queued.
async fn install(client: &Client, username: &str, fake: &FakeBox) {
    let form = json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER" });
    let user = client.post("/api/v1/users", &form).await.expect(201);
    let server = format!("/api/v1/servers/{}", user["server"]["id"].as_str().unwrap());
    client.put(&format!("{server}/connection"), &fake.form("root", BOX_PASSWORD)).await.expect_status(200);
    let probe = client.post(&format!("{server}/connection/host-key"), &json!({})).await.expect(200);
    assert_eq!(probe["problem"], Value::Null, "{probe}");
    let fingerprint = json!({ "fingerprint": fake.fingerprint() });
    client.post(&format!("{server}/connection/host-key/confirm"), &fingerprint).await.expect_status(200);
    client.post(&format!("{server}/jobs"), &json!({ "kind": "INSTALL" })).await.expect_status(202);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn jobs_survive_a_rolling_restart(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (first_box, second_box) = (FakeBox::start(), FakeBox::start());
    let releases = first_box.releases.path().to_str().unwrap().to_owned();
    let roll = Roll { url: database_url(&db), db, data: Folder::new(), releases };

    // One job runs, one waits for its place.
    let old = roll.start().await;
    let client = admin(&old).await;
    install(&client, "alice", &first_box).await;
    roll.until_heartbeats_are_due(1).await;
    install(&client, "bob", &second_box).await;
    let before = roll.jobs().await;
    assert_eq!((&before[0]["state"], &before[1]["state"]), (&json!("RUNNING"), &json!("QUEUED")));

    // The new one takes what waits; the old one stops in order, while gateways speak.
    let new = roll.start().await;
    roll.until_heartbeats_are_due(2).await;
    let keyring = Keyring::load(&roll.data.join("keys.json")).unwrap();
    let mut gateway = second_box.heartbeat_to(&new.url, &keyring).await;
    wait_until(&roll.db, "SELECT count(*) = 1 FROM jobs WHERE state = 'SUCCEEDED'").await;
    let stopping = old.stop();
    let beating = async {
        for _ in 0..200 {
            TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
        }
    };
    let ((code, _), ()) = tokio::join!(stopping, beating);
    assert_eq!(code, Some(0));

    // What ran there goes on here, with the installation that it began with.
    wait_until(&roll.db, "SELECT bool_or(fence = 2) FROM jobs").await;
    roll.until_heartbeats_are_due(1).await;
    first_box.heartbeat_to(&new.url, &keyring).await;
    wait_until(&roll.db, "SELECT count(*) = 2 FROM jobs WHERE state = 'SUCCEEDED'").await;
    let after = roll.jobs().await;
    assert_eq!((&after[0]["fence"], &after[1]["fence"]), (&json!(2), &json!(1)));
    assert_eq!(after[0]["install_id"], before[0]["install_id"], "the same installation");
    assert_eq!(audited(&roll.db, "server.job.end").await.len(), 2, "each ended once");
    new.stop().await;
}
