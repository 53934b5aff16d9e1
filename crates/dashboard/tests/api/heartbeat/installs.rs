//! One key on several hosts: an alert and an audit row, never fatal; a re-install is neither.

use super::server;
use proxima_dashboard::jobs;
use proxima_test_support::{TestApp, TestGateway, audited, rows_matching};
use proxima_types::ServerId;
use serde_json::json;
use sqlx::PgPool;

async fn pass(db: &PgPool, seconds: u32) {
    sqlx::query(
        "UPDATE gateway_installs SET first_seen_at = first_seen_at - make_interval(secs => $1), \
         last_heartbeat_at = last_heartbeat_at - make_interval(secs => $1)",
    )
    .bind(f64::from(seconds))
    .execute(db)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_on_two_hosts_is_an_alert_and_one_audit_row(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut first = app.gateway(&customer).await;
    let mut second = first.on_another_host(customer.server_id, first.key.clone());
    first.beat().await;
    assert_eq!(server(&admin, &customer).await["keyInUseOnHosts"], 1);
    for _ in 0..3 {
        pass(&app.db, 60).await;
        // Both are served: it is not fatal.
        TestGateway::expect_status(&second.beat().await, "ACTIVE");
        TestGateway::expect_status(&first.beat().await, "ACTIVE");
        assert_eq!(server(&admin, &customer).await["keyInUseOnHosts"], 2);
        jobs::sweep(&app.app).await.unwrap();
    }
    let rows = audited(&app.db, "server.license.shared").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].username.as_str(), rows[0].target), ("system", Some(customer.server_id.0)));
    assert_eq!(rows[0].metadata["hosts"], 2);
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    let kinds: Vec<_> = fleet["attention"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert!(kinds.contains(&json!("KEY_IN_USE_ON_SEVERAL_HOSTS")), "{kinds:?}");

    // One of them falls silent: the alert ends; and when it is back, that is another event.
    for _ in 0..4 {
        pass(&app.db, 60).await;
        first.beat().await;
    }
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(server(&admin, &customer).await["keyInUseOnHosts"], 1);
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    assert_eq!(fleet["attention"], json!([]));
    second.beat().await;
    first.beat().await;
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(audited(&app.db, "server.license.shared").await.len(), 2);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn several_dashboards_that_sweep_at_once_audit_it_once(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut first = app.gateway(&customer).await;
    let mut second = first.on_another_host(customer.server_id, first.key.clone());
    for _ in 0..2 {
        first.beat().await;
        second.beat().await;
    }
    let mut sweeps = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let app = std::sync::Arc::clone(&app.app);
        sweeps.spawn(async move { jobs::sweep(&app).await.unwrap() });
    }
    sweeps.join_all().await;
    assert_eq!(audited(&app.db, "server.license.shared").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_re_install_is_no_alert(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut old = app.gateway(&customer).await;
    old.beat().await;
    // The same machine a minute later, installed again: the old install falls silent.
    pass(&app.db, 60).await;
    let mut new = old.on_another_host(customer.server_id, old.key.clone());
    for _ in 0..4 {
        new.beat().await;
        assert_eq!(server(&admin, &customer).await["keyInUseOnHosts"], 1);
        jobs::sweep(&app.app).await.unwrap();
        pass(&app.db, 60).await;
    }
    assert_eq!(audited(&app.db, "server.license.shared").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn whoever_makes_up_install_ids_fills_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let other = app.customer("bob").await;
    app.gateway(&other).await.beat().await;
    let mut genuine = app.gateway(&customer).await;
    for _ in 0..40 {
        let mut made_up = genuine.on_another_host(customer.server_id, genuine.key.clone());
        TestGateway::expect_status(&made_up.beat().await, "ACTIVE");
        TestGateway::expect_status(&genuine.beat().await, "ACTIVE");
    }
    let of = |id: ServerId| format!("server_id = '{id}'");
    assert_eq!(rows_matching(&app.db, "gateway_installs", &of(customer.server_id)).await.len(), 8);
    let kept = format!("install_id = '{}'", genuine.install_id);
    assert_eq!(rows_matching(&app.db, "gateway_installs", &kept).await.len(), 1, "the living are kept");
    assert_eq!(rows_matching(&app.db, "gateway_installs", &of(other.server_id)).await.len(), 1);
}

/// A re-install leaves the install before it behind; after a week it is forgotten, unless it is the newest.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn superseded_installs_are_forgotten_and_new_when_they_speak_again(db: PgPool) {
    let app = TestApp::start(db).await;
    let (customer, silent) = (app.customer("alice").await, app.customer("bob").await);
    let mut old = app.gateway(&customer).await;
    TestGateway::expect_status(&old.beat().await, "ACTIVE");
    let mut new = old.on_another_host(customer.server_id, old.key.clone());
    TestGateway::expect_status(&new.beat().await, "ACTIVE");
    app.gateway(&silent).await.beat().await;
    let of_alice = format!("server_id = '{}'", customer.server_id);
    jobs::forget_superseded(&app.app).await.unwrap();
    assert_eq!(rows_matching(&app.db, "gateway_installs", &of_alice).await.len(), 2, "both were heard just now");
    sqlx::query("UPDATE gateway_installs SET last_heartbeat_at = now() - interval '8 days' WHERE install_id <> $1")
        .bind(new.install_id.0)
        .execute(&app.db)
        .await
        .unwrap();
    jobs::forget_superseded(&app.app).await.unwrap();
    assert_eq!(rows_matching(&app.db, "gateway_installs", &of_alice).await.len(), 1);
    assert_eq!(rows_matching(&app.db, "gateway_installs", "true").await.len(), 2, "the only one of a server stays");
    assert_eq!(rows_matching(&app.db, "several_installs", "true").await.len(), 0);
    TestGateway::expect_status(&old.beat().await, "ACTIVE");
    TestGateway::expect_status(&new.beat().await, "ACTIVE");
    assert_eq!(rows_matching(&app.db, "several_installs", "true").await.len(), 1);
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(audited(&app.db, "server.license.shared").await.len(), 1, "they are on two hosts");
}

const FIRST_HEARTBEAT: &str = "INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os,
                                                architecture, hostname, counters, first_seen_at, last_heartbeat_at)
    VALUES ($1, gen_random_uuid(), gen_random_uuid(), 1, 'serving', '1', 1, '', '', '', '{}', now(), clock_timestamp())";

/// Does the first of these to a server, and the second while the first is not committed: it has to wait.
async fn one_after_the_other(db: &PgPool, server: ServerId, first: &'static str, second: &'static str) {
    let (mut begun, mut waiting) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    sqlx::query(first).bind(server.0).execute(&mut *begun).await.unwrap();
    let blocked = tokio::spawn(async move {
        sqlx::query(second).bind(server.0).execute(&mut *waiting).await.unwrap();
        waiting.commit().await.unwrap();
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(db).await.unwrap() == 0 {
        assert!(!blocked.is_finished(), "the second one has not waited for the first");
        tokio::task::yield_now().await;
    }
    begun.commit().await.unwrap();
    blocked.await.unwrap();
}

/// Two installs whose first heartbeats are recorded at the same time, each without seeing the other's, are known as two.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn two_first_heartbeats_at_once_are_seen_as_two(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    one_after_the_other(&app.db, customer.server_id, FIRST_HEARTBEAT, FIRST_HEARTBEAT).await;
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(audited(&app.db, "server.license.shared").await.len(), 1);
}

/// A server is listed as without an install from when it is made, and again when its last one is forgotten; not when one
/// speaks up while another is being forgotten.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn servers_without_an_install_are_known_whatever_happens_at_once(db: PgPool) {
    const FORGET: &str = "DELETE FROM gateway_installs WHERE server_id = $1";
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let listed = async || {
        let found = admin.get("/api/v1/servers?status=NOT_INSTALLED").await.expect(200);
        let fleet = admin.get("/api/v1/fleet").await.expect(200);
        let listed = found["items"].as_array().unwrap().len();
        assert_eq!(fleet["counts"]["notInstalled"], json!(listed));
        listed
    };
    assert_eq!(listed().await, 1, "nothing was heard yet");
    let mut gateway = app.gateway(&customer).await;
    gateway.beat().await;
    assert_eq!(listed().await, 0);
    one_after_the_other(&app.db, customer.server_id, FORGET, FIRST_HEARTBEAT).await;
    assert_eq!(listed().await, 0, "another one is there");
    one_after_the_other(&app.db, customer.server_id, FIRST_HEARTBEAT, FORGET).await;
    assert_eq!(listed().await, 0, "another one came");
    sqlx::query(FORGET).bind(customer.server_id.0).execute(&app.db).await.unwrap();
    assert_eq!(listed().await, 1, "and gone");
    gateway.beat().await;
    assert_eq!(listed().await, 0);
    admin.delete(&format!("/api/v1/users/{}?confirmUsername=alice", customer.id)).await.expect_status(204);
    assert_eq!(rows_matching(&app.db, "servers_without_install", "true").await.len(), 0, "nothing is left of it");
}
