//! The keys' life (invariant 14): every loss rehearsed, both rotations with running dashboards and gateways, backups.

mod backup;
mod loss;
mod rotate_master;
mod rotate_signing;

use crate::PROGRAM;
use proxima_dashboard::keyring::Keyring;
use proxima_test_support::{
    Client, DashboardProcess, Finished, Folder, PASSWORD, TestApp, TestGateway, database_url, run_program,
};
use proxima_types::{LicenseKey, ServerId};
use serde_json::{Value, json};
use sqlx::PgPool;

/// A dashboard as a process, with an admin and customers.
struct House {
    db: PgPool,
    url: String,
    data: Folder,
    process: DashboardProcess,
}

impl House {
    async fn new(db: PgPool) -> Self {
        TestApp::start(db.clone()).await.admin().await;
        // The admin's password needs no key; what a test's own dashboard has said of keys is not this one's.
        let (url, data) = (database_url(&db), Folder::new());
        let process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
        Self { db, url, data, process }
    }

    async fn restart(self) -> Self {
        let Self { db, url, data, process } = self;
        process.stop().await;
        let process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
        Self { db, url, data, process }
    }

    async fn admin(&self) -> Client {
        let client = self.process.client();
        client
            .post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD }))
            .await
            .expect_status(200);
        client
    }

    /// A customer, and their gateway.
    async fn gateway(&self, admin: &Client, username: &str) -> TestGateway {
        let form = json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER" });
        let user = admin.post("/api/v1/users", &form).await.expect(201);
        let id: ServerId = user["server"]["id"].as_str().unwrap().parse().unwrap();
        let key = admin.post(&format!("/api/v1/servers/{id}/license/reveal"), &json!({})).await.expect(200);
        let key = LicenseKey::parse(key["apiKey"].as_str().unwrap()).unwrap();
        let public = Keyring::load(&self.key_file()).unwrap().public_key().unwrap();
        TestGateway::new(&self.process.url, public, id, key)
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.data.join("keys.json")
    }

    async fn command(&self, args: &[&str]) -> Finished {
        let folder = ["--data-dir", self.data.path().to_str().unwrap(), "--database-url", &self.url];
        run_program(PROGRAM, &[args, &folder].concat(), "").await
    }

    /// A command that succeeds.
    async fn run(&self, args: &[&str]) -> String {
        let finished = self.command(args).await;
        assert_eq!(finished.code, Some(0), "{args:?}: {finished:?}");
        finished.stdout
    }
}

fn reveal(server: ServerId) -> String {
    format!("/api/v1/servers/{server}/license/reveal")
}

/// Asks until it is so: what a dashboard does within seconds.
async fn until(client: &Client, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let answer = client.get(path).await.expect(200);
        if so(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "never came true: {answer}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
