//! A real gateway's management port: what changes arrives by a nudge, and without the port by heartbeats. The next
//! heartbeat by itself is an hour away, so nothing else can have brought what arrives.

use super::real_box::{LAB, Owner, PORT, RealBox, config, releases};
use crate::PROGRAM;
use crate::management::fake_gateway::{FakeGateway, Manner};
use crate::world::{PIN, World};
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::jobs;
use proxima_test_support::{
    Client, DashboardProcess, Folder, Lab, LabOptions, PASSWORD, database_url, rows_matching, run_program,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// A second port of the gateway's.
const OTHER_PORT: u16 = 8081;
const PATIENCE: Duration = Duration::from_secs(120);

async fn hourly(db: PgPool, options: LabOptions) -> (World, RealBox, Owner, tempfile::TempDir) {
    let releases = releases();
    let target = RealBox::up(options).await;
    let hourly = AppConfig { heartbeat_interval: chrono::Duration::hours(1), ..config(releases.path()) };
    let mut world = World::with(db, hourly).await;
    target.reaches(&world.app.url);
    world.run_jobs();
    tokio::spawn(jobs::nudges::run(Arc::clone(&world.app.app)));
    let owner = Owner::of(&world);
    (world, target, owner, releases)
}

async fn until_open(target: &RealBox, port: u16, open: bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let connected = timeout(Duration::from_secs(5), TcpStream::connect((target.lab.address, port))).await;
        if connected.is_ok_and(|connected| connected.is_ok()) == open {
            return;
        }
        assert!(Instant::now() < deadline, "port {port} open: {}", !open);
        sleep(Duration::from_millis(50)).await;
    }
}

/// In this machine's network, as a firewall on the way that drops.
async fn drop_packets_to(lab: &Lab, port: u16) -> Dropped {
    let table = format!("dropped_{}", lab.address.octets()[2]);
    let rules = format!(
        "table ip {table} {{\nchain out {{\ntype filter hook output priority 0\nip daddr {} tcp dport {port} drop\n}}\n}}\n",
        lab.address
    );
    let done = run_program("nft", &["-f", "-"], &rules).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    Dropped(table)
}

/// Until this is dropped.
struct Dropped(String);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = std::process::Command::new("nft").args(["delete", "table", "ip", &self.0]).status();
    }
}

impl Owner {
    async fn check(&self) -> Value {
        self.browser.post(&self.path("/management/check"), &json!({})).await.expect(200)
    }

    async fn until_management(&self, condition: impl Fn(&Value) -> bool) -> Value {
        self.until(&self.server, |server| condition(&server["management"])).await["management"].clone()
    }

    /// The website on these ports.
    async fn serves_on(&self, ports: &[u16]) {
        let saved = self.browser.get(&self.path("/config")).await.expect(200);
        let backend = &saved["listeners"][0]["backendUrl"];
        let listeners: Vec<_> = ports.iter().map(|port| json!({ "port": port, "backendUrl": backend })).collect();
        let form = json!({ "generation": saved["generation"], "listeners": listeners });
        self.browser.put(&self.path("/config"), &form).await.expect_status(200);
    }
}

fn is_code(management: &Value, code: &str) -> bool {
    management["problem"]["code"] == code
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn changes_arrive_by_a_nudge_and_without_the_port_by_the_next_heartbeat(db: PgPool) {
    let (world, target, owner, _releases) = hourly(db, LabOptions::default()).await;
    owner.connects(&target, &target.lab.root).await;
    owner.installs(&target).await;
    owner.until_management(|management| management["reachable"] == true).await;
    let checked = owner.check().await;
    let (status, id) = (&checked["status"], world.customer.server_id.to_string());
    assert_eq!((&status["phase"], &status["openPorts"]), (&json!("serving"), &json!([PORT])), "{checked:#}");
    assert_eq!(status["serverId"], json!(id));
    // Also to who looks from outside of the service's own view of the box.
    let said = target.run("proxima-gateway status").await;
    assert!(said.starts_with("serving"), "{said}");

    owner.serves_on(&[PORT, OTHER_PORT]).await;
    until_open(&target, OTHER_PORT, true).await;
    world.admin.post(&owner.path("/license/revoke"), &json!({ "graceSeconds": 0 })).await.expect_status(200);
    until_open(&target, PORT, false).await;
    // It asks again whenever systemd starts it.
    world.admin.post(&owner.path("/license/reinstate"), &json!({})).await.expect_status(200);
    target.serves().await;

    let dropped = drop_packets_to(&target.lab, 6060).await;
    owner.serves_on(&[PORT]).await;
    let management = owner.until_management(|management| is_code(management, "NO_ANSWER")).await;
    assert!(management["answeredAt"].is_string(), "{management}");
    assert_eq!(owner.browser.get(&owner.path("/config")).await.expect(200)["delivery"]["state"], "PENDING");
    until_open(&target, OTHER_PORT, true).await;
    // A start begins with a heartbeat.
    let job = owner.queues("RESTART").await;
    owner.succeeds(&job).await;
    until_open(&target, OTHER_PORT, false).await;
    target.serves().await;
    assert_eq!(owner.check().await["management"]["problem"]["code"], "NO_ANSWER");
    drop(dropped);
    assert_eq!(owner.check().await["management"]["reachable"], true);

    let delete = format!("/api/v1/users/{}?confirmUsername=alice", world.customer.id);
    world.admin.delete(&delete).await.expect_status(204);
    until_open(&target, PORT, false).await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_gateway_that_was_installed_with_another_allowlist_says_no_and_is_installed_again(db: PgPool) {
    let (world, target, owner, _releases) = hourly(db, LabOptions::default()).await;
    let settings = |address: &str| json!({ "dashboardIpAllowlist": [address], "outboundAllowlist": [LAB], "offlineLimitDays": null });
    world.admin.put("/api/v1/settings", &settings("203.0.113.9")).await.expect_status(200);
    owner.connects(&target, &target.lab.root).await;
    owner.installs(&target).await;
    let management = owner.until_management(|management| is_code(management, "NOT_ON_ALLOW_LIST")).await;
    assert!(management["problem"]["remedy"].as_str().unwrap().contains("Re-install"), "{management}");
    let own = target.lab.machine_address.to_string();
    world.admin.put("/api/v1/settings", &settings(&own)).await.expect_status(200);
    assert_eq!(owner.check().await["management"]["problem"]["code"], "NOT_ON_ALLOW_LIST");
    owner.saves(&target, &target.lab.root, None).await;
    owner.installs(&target).await;
    owner.until_management(|management| management["reachable"] == true).await;
}

/// Here, because port 6060 is free for certain only in the lab's network.
#[sqlx::test(migrations = false)]
async fn each_of_several_dashboards_nudges_counts_it_and_stops_without_waiting_for_it(db: PgPool) {
    let gateway = FakeGateway::start_at("127.0.0.1:6060").await;
    let (url, data) = (database_url(&db), Folder::new());
    let start = |metrics: &'static str| {
        let (url, data) = (&url, &data);
        let env = [("PROXIMA_ALLOW_OUTBOUND", "127.0.0.0/8"), ("PROXIMA_METRICS_LISTEN", metrics)];
        async move { DashboardProcess::start(PROGRAM, url, data, &env).await }
    };
    let (one, other) = (start("127.0.0.1:9461").await, start("127.0.0.1:9462").await);
    let folder = ["--data-dir", data.path().to_str().unwrap(), "--database-url", &url];
    let create = [&["create-admin", "--password-stdin"], &folder[..]].concat();
    assert_eq!(run_program(PROGRAM, &create, PASSWORD).await.code, Some(0));
    let login = json!({ "username": "admin", "password": PASSWORD });
    let (here, there) = (one.client(), other.client());
    for admin in [&here, &there] {
        admin.post("/api/v1/auth/login", &login).await.expect_status(200);
    }
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let user = here.post("/api/v1/users", &form).await.expect(201);
    let server = format!("/api/v1/servers/{}", user["server"]["id"].as_str().unwrap());
    let form = json!({ "host": "127.0.0.1", "port": 22, "user": "root", "password": "a-login-password" });
    here.put(&format!("{server}/connection"), &form).await.expect_status(200);
    sqlx::query(PIN).execute(&db).await.unwrap();
    let fingerprint = gateway.fingerprint.to_string();
    sqlx::query("UPDATE servers SET management_fingerprint = $1").bind(fingerprint).execute(&db).await.unwrap();

    here.post(&format!("{server}/license/revoke"), &json!({})).await.expect_status(200);
    gateway.until_nudged(1).await;
    there.post(&format!("{server}/license/reinstate"), &json!({})).await.expect_status(200);
    gateway.until_nudged(2).await;
    for metrics in ["http://127.0.0.1:9461", "http://127.0.0.1:9462"] {
        let counted = "proxima_nudges_total{outcome=\"answered\"} 1";
        let deadline = Instant::now() + PATIENCE;
        while !Client::new(metrics).get("/metrics").await.text.contains(counted) {
            assert!(Instant::now() < deadline, "{metrics} has no {counted}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    gateway.behaves(Manner::Mute);
    here.post(&format!("{server}/license/revoke"), &json!({})).await.expect_status(200);
    gateway.until_connected(3).await;
    for process in [one, other] {
        let (code, output) = process.stop().await;
        assert_eq!(code, Some(0), "{output}");
        assert!(!output.contains("sk_"), "{output}");
    }
    let checks = rows_matching(&db, "management_checks", "problem IS NULL").await;
    assert_eq!(checks.len(), 1, "the last one was given up, and nothing was found by it");
}
