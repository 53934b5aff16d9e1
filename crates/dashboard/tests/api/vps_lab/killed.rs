//! `kill -9` of the real dashboard after a step (with `--full` after every step, and in its middle), while it works and while
//! it undoes: the next one ends what this one began.

use super::real_box::{GATEWAY_URL, LAB, Owner, RealBox, releases};
use crate::{PROGRAM, full};
use proxima_test_support::{
    Cable, DashboardProcess, Folder, LabOptions, PASSWORD, TestApp, database_url, rows_matching, wait_until,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::path::Path;

/// Of an install, in order.
const STEPS: [&str; 14] = [
    "CONNECT",
    "HOST_KEY",
    "LOGIN",
    "PRIVILEGES",
    "FACTS",
    "UPLOAD",
    "REACH",
    "BINARY",
    "USER",
    "CONFIG",
    "UNIT",
    "START",
    "HEARTBEAT",
    "ACCESS",
];
const UNDONE: [&str; 6] = ["START", "UNIT", "CONFIG", "USER", "BINARY", "UPLOAD"];

pub async fn dashboard(url: &str, data: &Folder, releases: &Path) -> DashboardProcess {
    let env = [
        ("PROXIMA_ALLOW_OUTBOUND", LAB),
        ("PROXIMA_GATEWAY_URL", GATEWAY_URL),
        ("PROXIMA_GATEWAY_BINARIES", releases.to_str().unwrap()),
        ("PROXIMA_HEARTBEAT_SECONDS", "2"),
    ];
    DashboardProcess::start(PROGRAM, url, data, &env).await
}

/// The admin, who may do for a server what its owner may.
pub async fn admin(process: &DashboardProcess, server: &str) -> Owner {
    let browser = process.client();
    browser.post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await.expect_status(200);
    Owner { browser, server: server.to_owned() }
}

/// A customer's server.
pub async fn new_server(process: &DashboardProcess) -> String {
    let admin = admin(process, "").await;
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let user = admin.browser.post("/api/v1/users", &form).await.expect(201);
    format!("/api/v1/servers/{}", user["server"]["id"].as_str().unwrap())
}

struct Killing {
    db: PgPool,
    url: String,
    data: Folder,
    releases: tempfile::TempDir,
    target: RealBox,
    server: String,
}

impl Killing {
    async fn start(&self) -> DashboardProcess {
        let process = dashboard(&self.url, &self.data, self.releases.path()).await;
        self.target.reaches(&process.url);
        process
    }

    /// Kills it as soon as that step is in one of those states, and lets the dead one's lease be over.
    async fn kill_at(&self, process: DashboardProcess, step: &str, states: &str) {
        let newest = "(SELECT id FROM jobs ORDER BY requested_at DESC LIMIT 1)";
        let reached = format!(
            "SELECT EXISTS (SELECT FROM job_steps WHERE job_id = {newest} AND name = '{step}' AND state IN ({states}))"
        );
        wait_until(&self.db, &reached).await;
        process.kill().await;
        sqlx::query("UPDATE jobs SET lease_until = '-infinity' WHERE state = 'RUNNING'")
            .execute(&self.db)
            .await
            .unwrap();
    }

    async fn newest_job(&self) -> Value {
        rows_matching(&self.db, "jobs", "requested_at = (SELECT max(requested_at) FROM jobs)").await.remove(0)
    }

    /// An install whose dashboard is killed there ends all the same, with the installation that it began with.
    async fn install_killed_at(&self, step: &str, states: &str) {
        let process = self.start().await;
        let owner = admin(&process, &self.server).await;
        owner.connects(&self.target, &self.target.lab.root).await;
        let before = self.target.snapshot().await;
        let job = owner.queues("INSTALL").await;
        self.kill_at(process, step, states).await;
        let killed = self.newest_job().await;
        let process = self.start().await;
        let owner = admin(&process, &self.server).await;
        owner.succeeds(&job).await;
        let ended = self.newest_job().await;
        assert_eq!(ended["install_id"], killed["install_id"], "killed after {step}");
        self.target.serves().await;
        let text = ended.to_string();
        assert!(!text.contains(&self.target.lab.root.password), "{text}");
        owner.uninstalls(&self.target, &before).await;
        process.stop().await;
    }

    /// An undoing whose dashboard is killed there ends all the same.
    async fn undo_killed_at(&self, step: &str) {
        let process = self.start().await;
        let owner = admin(&process, &self.server).await;
        owner.connects(&self.target, &self.target.lab.root).await;
        let before = self.target.snapshot().await;
        let job = owner.queues("INSTALL").await;
        owner.until_step(&job, "REACH", "DONE").await;
        self.target.lab.cable(Cable::NoOutbound).await;
        owner.until_step(&job, "HEARTBEAT", "RUNNING").await;
        owner.browser.post(&format!("{job}/cancel"), &json!({})).await.expect_status(200);
        self.kill_at(process, step, "'UNDONE'").await;
        self.target.lab.cable(Cable::Whole).await;
        let process = self.start().await;
        let owner = admin(&process, &self.server).await;
        let done = owner.ends(&job).await;
        assert_eq!((&done["state"], &done["remains"]), (&json!("CANCELLED"), &json!([])), "{done:#}");
        self.target.is_as(&before, &format!("killed when {step} was undone")).await;
        process.stop().await;
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_dashboard_that_is_killed_after_any_step(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data, releases) = (database_url(&db), Folder::new(), releases());
    let target = RealBox::up(LabOptions::default()).await;
    let process = dashboard(&url, &data, releases.path()).await;
    let server = new_server(&process).await;
    process.stop().await;
    let killing = Killing { db, url, data, releases, target, server };
    let (done, quick) = ("'DONE', 'UNCHANGED'", ["UPLOAD", "CONFIG", "HEARTBEAT"]);
    for step in STEPS.into_iter().filter(|step| full() || quick.contains(step)) {
        killing.install_killed_at(step, done).await;
        if full() {
            killing.install_killed_at(step, "'RUNNING', 'DONE', 'UNCHANGED'").await;
        }
    }
    for step in UNDONE.into_iter().filter(|step| full() || *step == "CONFIG") {
        killing.undo_killed_at(step).await;
    }
}
