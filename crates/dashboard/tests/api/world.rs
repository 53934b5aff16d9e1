//! A dashboard whose operator allows loopback, for tests of connections and jobs.

use proxima_dashboard::config::AppConfig;
use proxima_dashboard::jobs::runner;
use proxima_installer::run::Limits;
use proxima_test_support::{Client, Customer, PASSWORD, TestApp};
use proxima_types::identity::DashboardUrl;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long something may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pins some host key for every connection.
pub const PIN: &str = "UPDATE connections SET pinned_algorithm = 'ssh-ed25519', pinned_fingerprint = 'SHA256:before', \
    pinned_line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILagOJFgwaMNhBWQINinKOXmqS4Gh5NgxgriXwdOoINJ', \
    pinned_at = now(), pinned_by = 'alice'";

/// A dashboard whose operator allows loopback, with a customer who is signed in.
pub struct World {
    pub app: TestApp,
    pub admin: Client,
    pub own: Client,
    pub customer: Customer,
    /// Ends the runner when it is dropped.
    stop: Option<watch::Sender<bool>>,
}

impl World {
    pub async fn new(db: PgPool, releases: &Path) -> Self {
        let config = AppConfig {
            gateway_url: Some(DashboardUrl::parse("https://panel.example.com").unwrap()),
            outbound_allowed: vec!["127.0.0.0/8".parse().unwrap()],
            gateway_binaries: releases.to_owned(),
            job_limits: Limits { back: Duration::from_secs(2), ..Limits::default() },
            ..AppConfig::default()
        };
        Self::with(db, config).await
    }

    /// As configured, but with bcrypt at its cheapest.
    pub async fn with(db: PgPool, config: AppConfig) -> Self {
        let config = AppConfig { bcrypt_cost: 4, ..config };
        let app = TestApp::start_with(db, config).await;
        let (admin, customer) = (app.admin().await, app.customer("alice").await);
        let own = app.sign_in("alice", PASSWORD).await;
        Self { app, admin, own, customer, stop: None }
    }

    /// Runs jobs from now on.
    pub fn run_jobs(&mut self) {
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(runner::run(Arc::clone(&self.app.app), stopping));
        self.stop = Some(stop);
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/servers/{}{rest}", self.customer.server_id)
    }

    /// A login, and a host key as if a person had confirmed it.
    pub async fn connect_by_hand(&self, port: u16) {
        let form = json!({ "host": "127.0.0.1", "port": port, "user": "root", "password": "a-login-password" });
        self.own.put(&self.path("/connection"), &form).await.expect_status(200);
        sqlx::query(PIN).execute(&self.app.db).await.unwrap();
    }

    /// Queues a job and returns its path.
    pub async fn queue(&self, kind: &str) -> String {
        let job = self.own.post(&self.path("/jobs"), &json!({ "kind": kind })).await.expect(202);
        self.path(&format!("/jobs/{}", job["id"].as_str().unwrap()))
    }

    /// Waits until a look at the job satisfies the condition.
    pub async fn until(&self, job: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let seen = self.own.get(job).await.expect(200);
            if condition(&seen) {
                return seen;
            }
            assert!(tokio::time::Instant::now() < deadline, "it never came true: {seen:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn until_finished(&self, job: &str) -> Value {
        self.until(job, |job| job["finishedAt"].is_string()).await
    }

    pub async fn until_step(&self, job: &str, step: &str, state: &str) -> Value {
        self.until(job, |job| {
            job["steps"].as_array().unwrap().iter().any(|found| found["id"] == step && found["state"] == state)
        })
        .await
    }

    pub async fn status(&self) -> String {
        self.own.get(&self.path("")).await.expect(200)["status"].as_str().unwrap().to_owned()
    }
}
