//! The dashboard asks gateways on their management port: after changes, and when a person checks it.

pub mod fake_gateway;

use crate::world::World;
use fake_gateway::{FakeGateway, Manner};
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::jobs;
use proxima_dashboard::keyring::Place;
use proxima_test_support::{TestGateway, dump, rows_matching};
use proxima_types::heartbeat::Phase;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;

fn config(gateway: &FakeGateway) -> AppConfig {
    AppConfig {
        outbound_allowed: vec!["127.0.0.0/8".parse().unwrap()],
        management_port: gateway.port,
        ..AppConfig::default()
    }
}

/// A customer whose gateway was installed and serves: connected, its certificate pinned. Nudges are sent.
async fn installed(db: PgPool, gateway: &FakeGateway, config: AppConfig) -> World {
    let world = World::with(db, config).await;
    world.connect_by_hand(22).await;
    pin(&world, gateway).await;
    TestGateway::expect_status(&world.app.gateway(&world.customer).await.beat().await, "ACTIVE");
    tokio::spawn(jobs::nudges::run(Arc::clone(&world.app.app)));
    world
}

async fn pin(world: &World, gateway: &FakeGateway) {
    sqlx::query("UPDATE servers SET management_fingerprint = $1")
        .bind(gateway.fingerprint.to_string())
        .execute(&world.app.db)
        .await
        .unwrap();
}

impl World {
    async fn management(&self) -> Value {
        self.own.get(&self.path("")).await.expect(200)["management"].clone()
    }

    async fn check(&self) -> Value {
        self.own.post(&self.path("/management/check"), &json!({})).await.expect(200)
    }

    async fn license(&self, verb: &str) {
        self.admin.post(&self.path(&format!("/license/{verb}")), &json!({})).await.expect_status(200);
    }

    async fn save_config(&self, generation: u64) {
        let form =
            json!({ "generation": generation, "listeners": [{ "port": 80, "backendUrl": "http://127.0.0.1:3000" }] });
        self.own.put(&self.path("/config"), &form).await.expect_status(200);
    }

    async fn save_settings(&self, allowlist: &[&str], offline_limit_days: Option<u32>) {
        let form = json!({ "dashboardIpAllowlist": allowlist, "offlineLimitDays": offline_limit_days });
        self.admin.put("/api/v1/settings", &form).await.expect_status(200);
    }

    /// Waits until no nudge is under way.
    async fn quiet(&self) {
        self.app.app.nudges.quiet().await;
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_change_that_answers_differ_by_is_followed_by_a_nudge(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db, &gateway, config(&gateway)).await;
    assert_eq!(world.management().await, Value::Null, "never tried");
    world.license("revoke").await;
    gateway.until_nudged(1).await;
    world.license("reinstate").await;
    gateway.until_nudged(2).await;
    world.license("regenerate").await;
    gateway.until_nudged(3).await;
    world.save_config(0).await;
    gateway.until_nudged(4).await;
    world.save_settings(&[], Some(7)).await;
    gateway.until_nudged(5).await;
    world.quiet().await;
    // What no answer names, what is refused, and what only reads.
    world.save_settings(&["203.0.113.7"], Some(7)).await;
    world.own.patch(&world.path(""), &json!({ "name": "Renamed" })).await.expect_status(200);
    world.admin.post(&world.path("/license/reinstate"), &json!({})).await.problem(409, "license_state_conflict");
    world.license("reveal").await;
    world.quiet().await;
    assert_eq!(gateway.nudges(), 5);
    let management = world.management().await;
    assert_eq!((&management["reachable"], &management["problem"]), (&json!(true), &Value::Null), "{management}");
    assert_eq!(management["answeredAt"], management["checkedAt"]);
    // Nothing remains of the server but what was read before it went.
    let delete = format!("/api/v1/users/{}?confirmUsername=alice", world.customer.id);
    let sealed = sealed_secret(&world).await;
    world.admin.delete(&delete).await.expect_status(204);
    gateway.until_nudged(6).await;
    world.quiet().await;
    assert_eq!(rows_matching(&world.app.db, "management_checks", "true").await.len(), 0);
    let place = Place { table: "servers", row: world.customer.server_id.0, column: "api_secret" };
    let secret = world.app.app.keyring.open_sealed(place, &sealed).unwrap();
    let bearer = format!("authorization: Bearer {}\r\n", secret.as_str());
    assert!(gateway.heads().iter().all(|head| head.contains(&bearer)));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_gateway_of_a_customer_who_becomes_an_admin_is_nudged(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db, &gateway, config(&gateway)).await;
    let path = format!("/api/v1/users/{}", world.customer.id);
    let form = json!({ "role": "ADMIN", "confirmServerDeletion": "alice" });
    world.admin.patch(&path, &form).await.expect_status(200);
    gateway.until_nudged(1).await;
}

async fn sealed_secret(world: &World) -> Vec<u8> {
    sqlx::query_scalar("SELECT api_secret_ciphertext FROM servers").fetch_one(&world.app.db).await.unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_gateway_that_takes_its_time_delays_nobody_and_many_changes_are_one_nudge(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db, &gateway, config(&gateway)).await;
    gateway.behaves(Manner::Mute);
    world.save_config(0).await;
    gateway.until_connected(1).await;
    gateway.behaves(Manner::Answers);
    // The first is still under way; these wait for its end, as one.
    for generation in 1..=5 {
        world.save_config(generation).await;
    }
    assert_eq!((gateway.connections(), world.management().await), (1, Value::Null), "nobody waited for it");
    world.quiet().await;
    assert_eq!((gateway.connections(), gateway.nudges()), (2, 1));
    assert_eq!(world.management().await["reachable"], true);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_port_that_does_not_answer_is_told_and_tried_again(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db.clone(), &gateway, config(&gateway)).await;
    let checked = world.check().await;
    assert_eq!((&checked["management"]["reachable"], &checked["status"]), (&json!(true), &Value::Null), "{checked}");
    let answered = checked["management"]["answeredAt"].clone();
    gateway.behaves(Manner::ShutsOut);
    world.license("revoke").await;
    world.quiet().await;
    let management = world.management().await;
    assert_eq!(
        (&management["reachable"], &management["problem"]["code"]),
        (&json!(false), &json!("NOT_ON_ALLOW_LIST"))
    );
    assert!(management["problem"]["sentence"].as_str().unwrap().contains("allow-list"), "{management}");
    assert!(management["problem"]["remedy"].as_str().unwrap().contains("Re-install"), "{management}");
    assert_eq!(management["answeredAt"], answered, "when it did answer is not forgotten");
    // Somebody else's certificate: it is not given the secret.
    let other = FakeGateway::start().await;
    gateway.behaves(Manner::Answers);
    let before = gateway.heads().len();
    pin(&world, &other).await;
    assert_eq!(world.management().await, Value::Null, "what was found was found of another certificate");
    let checked = world.check().await;
    assert_eq!(checked["management"]["problem"]["code"], "OTHER_CERTIFICATE", "{checked}");
    assert_eq!(gateway.heads().len(), before);
    pin(&world, &gateway).await;
    world.license("reinstate").await;
    world.quiet().await;
    assert_eq!(world.management().await["reachable"], true, "a change tries again");
    // Another address is another port; nothing was found of it yet.
    let form = json!({ "host": "127.0.0.2", "port": 22, "user": "root", "password": "a-login-password" });
    world.own.put(&world.path("/connection"), &form).await.expect_status(200);
    assert_eq!(world.management().await, Value::Null);
    let checked = world.check().await;
    assert_eq!(checked["management"]["problem"]["code"], "CONNECTION_REFUSED", "{checked}");
    assert_eq!(checked["management"]["answeredAt"], Value::Null);
    assert!(!dump(&db).await.contains("sk_"));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_license_that_expires_by_its_date_is_followed_by_a_nudge(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db.clone(), &gateway, config(&gateway)).await;
    world.license("revoke").await;
    gateway.until_nudged(1).await;
    world.quiet().await;
    jobs::sweep(&world.app.app).await.unwrap();
    sqlx::query("UPDATE servers SET grace_expires_at = clock_timestamp()").execute(&db).await.unwrap();
    jobs::sweep(&world.app.app).await.unwrap();
    gateway.until_nudged(2).await;
    world.quiet().await;
    jobs::sweep(&world.app.app).await.unwrap();
    world.quiet().await;
    assert_eq!(gateway.connections(), 2, "once");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_rotation_and_its_cancel_are_followed_by_a_nudge(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db, &gateway, config(&gateway)).await;
    world.license("rotate").await;
    gateway.until_nudged(1).await;
    world.quiet().await;
    world.license("rotate/cancel").await;
    gateway.until_nudged(2).await;
}

/// In its restart loop it refuses connections on every port.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_gateway_that_its_license_stopped_tells_nothing_of_its_port(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = installed(db.clone(), &gateway, config(&gateway)).await;
    world.check().await;
    let revoke = world.path("/license/revoke");
    world.admin.post(&revoke, &json!({ "graceSeconds": 0 })).await.expect_status(200);
    world.quiet().await;
    let reachable = world.management().await;
    assert_eq!(reachable["reachable"], true);
    let mut restarted = world.app.gateway(&world.customer).await;
    restarted.phase = Phase::Starting;
    TestGateway::expect_status(&restarted.beat().await, "EXPIRED");
    gateway.behaves(Manner::ShutsOut);
    let tries = gateway.connections();
    world.license("reinstate").await;
    world.quiet().await;
    gateway.until_connected(tries + 1).await;
    assert_eq!(world.management().await, reachable, "tried, and not held against the port");
    restarted.phase = Phase::Serving;
    TestGateway::expect_status(&restarted.beat().await, "ACTIVE");
    world.save_config(0).await;
    world.quiet().await;
    assert_eq!(world.management().await["reachable"], false, "now it counts");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_address_that_is_not_allowed_gets_neither_nudge_nor_check(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let nothing_allowed = AppConfig { outbound_allowed: Vec::new(), ..config(&gateway) };
    let world = installed(db, &gateway, nothing_allowed).await;
    for (days, host) in (1..).zip(["127.0.0.1", "localhost", "::ffff:127.0.0.1"]) {
        sqlx::query("UPDATE connections SET host = $1").bind(host).execute(&world.app.db).await.unwrap();
        world.save_settings(&[], Some(days)).await;
        world.quiet().await;
        assert_eq!(world.management().await["problem"]["code"], "ADDRESS_DENIED", "{host}");
        assert_eq!(world.check().await["management"]["problem"]["code"], "ADDRESS_DENIED", "{host}");
    }
    assert_eq!(gateway.connections(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_check_is_refused_until_there_is_something_to_check_and_one_at_a_time(db: PgPool) {
    let gateway = FakeGateway::start().await;
    let world = World::with(db, config(&gateway)).await;
    let (path, nothing) = (world.path("/management/check"), json!({}));
    world.own.post(&path, &nothing).await.problem(409, "not_connected");
    world.connect_by_hand(22).await;
    world.own.post(&path, &nothing).await.problem(409, "not_installed");
    pin(&world, &gateway).await;
    gateway.behaves(Manner::Mute);
    let audited = rows_matching(&world.app.db, "audit_log", "true").await.len();
    let (own, first) = (world.own.clone(), path.clone());
    let first = tokio::spawn(async move { own.post(&first, &json!({})).await.expect(200) });
    gateway.until_connected(1).await;
    let busy = world.admin.post(&path, &nothing).await.problem(409, "test_running");
    assert!(busy["detail"].as_str().unwrap().contains("wait for its end"), "{busy}");
    assert_eq!(first.await.unwrap()["management"]["problem"]["code"], "NO_ANSWER");
    assert_eq!(gateway.connections(), 1);
    gateway.behaves(Manner::Answers);
    assert_eq!(world.admin.post(&path, &nothing).await.expect(200)["management"]["reachable"], true);
    assert_eq!(rows_matching(&world.app.db, "audit_log", "true").await.len(), audited, "reading is not audited");
}
