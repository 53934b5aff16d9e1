//! Late and repeated heartbeats revive nothing (invariant 3), and what people see of the living.

use super::server;
use proxima_test_support::{Client, Customer, TestApp, TestGateway};
use proxima_types::heartbeat::Phase;
use serde_json::Value;
use sqlx::PgPool;

/// What the last recorded heartbeat left, to the microsecond.
async fn recorded(db: &PgPool) -> Vec<Value> {
    proxima_test_support::rows_matching(db, "gateway_installs", "true").await
}

async fn silent_for(db: &PgPool, seconds: u32) {
    sqlx::query("UPDATE gateway_installs SET last_heartbeat_at = last_heartbeat_at - make_interval(secs => $1)")
        .bind(f64::from(seconds))
        .execute(db)
        .await
        .unwrap();
}

async fn status(admin: &Client, customer: &Customer) -> String {
    server(admin, customer).await["status"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn repeated_and_late_heartbeats_change_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    let first = serde_json::to_vec(&gateway.report()).unwrap();
    let second = serde_json::to_vec(&gateway.report()).unwrap();
    let third = serde_json::to_vec(&gateway.report()).unwrap();
    for body in [&first, &third] {
        TestGateway::expect_status(&gateway.send(body.clone()).await, "ACTIVE");
    }
    silent_for(&app.db, 600).await;
    let before = recorded(&app.db).await;
    for late in [&first, &second, &third] {
        // Judged like any other, because the key is good; and yet it is no sign of life.
        TestGateway::expect_status(&gateway.send(late.clone()).await, "ACTIVE");
        assert_eq!(recorded(&app.db).await, before);
        assert_eq!(status(&admin, &customer).await, "OFFLINE");
    }
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    assert_eq!(status(&admin, &customer).await, "ONLINE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_superseded_boot_stays_superseded(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    gateway.beat().await;
    let late: Vec<Vec<u8>> = (0..3).map(|_| serde_json::to_vec(&gateway.report()).unwrap()).collect();
    // Restarts count from 1 again, and each is believed.
    for _ in 0..6 {
        gateway.restart();
        silent_for(&app.db, 600).await;
        assert_eq!(status(&admin, &customer).await, "OFFLINE");
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
        assert_eq!(status(&admin, &customer).await, "ONLINE");
    }
    silent_for(&app.db, 600).await;
    let before = recorded(&app.db).await;
    for body in late {
        TestGateway::expect_status(&gateway.send(body).await, "ACTIVE");
        assert_eq!(recorded(&app.db).await, before, "a late heartbeat of the first boot");
    }
    assert_eq!(status(&admin, &customer).await, "OFFLINE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_many_at_once_the_newest_stays(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let mut reports: Vec<Vec<u8>> = (0..60).map(|_| serde_json::to_vec(&gateway.report()).unwrap()).collect();
    reports.reverse();
    let mut beats = tokio::task::JoinSet::new();
    for report in reports {
        let gateway = gateway.clone();
        beats.spawn(async move { TestGateway::expect_status(&gateway.send(report).await, "ACTIVE") });
    }
    beats.join_all().await;
    let rows = recorded(&app.db).await;
    assert_eq!((rows.len(), &rows[0]["sequence"]), (1, &serde_json::json!(60)));
}

/// Whatever late and doubled heartbeats of earlier processes arrive among those of the present one, in whatever order and
/// together with them: it stays the present one, its count never falls, and its next heartbeat counts.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_storm_of_late_and_doubled_heartbeats_leaves_the_present_process_in_place(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    for boot in 0..2_u64 {
        let mut reports = Vec::new();
        for _ in 0..3 {
            // Each process is heard in its time; of what it says later some is late, and some comes twice.
            gateway.restart();
            TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
            reports.extend((0..12).map(|_| serde_json::to_vec(&gateway.report()).unwrap()));
        }
        let present = gateway.report();
        reports.extend(reports.clone());
        // Another order each time, and the same in each run.
        reports.sort_by_key(|report| {
            report.iter().fold(boot, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))
        });
        let mut storm = tokio::task::JoinSet::new();
        for report in reports {
            let gateway = gateway.clone();
            storm.spawn(async move { TestGateway::expect_status(&gateway.send(report).await, "ACTIVE") });
        }
        let mut highest = 0;
        while let Some(done) = storm.join_next().await {
            done.unwrap();
            let rows = recorded(&app.db).await;
            assert_eq!(rows[0]["boot_id"], present.boot_id.to_string());
            let sequence = rows[0]["sequence"].as_u64().unwrap();
            assert!(sequence >= highest, "{sequence} after {highest}");
            highest = sequence;
        }
        silent_for(&app.db, 600).await;
        assert_eq!(status(&admin, &customer).await, "OFFLINE");
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
        assert_eq!(status(&admin, &customer).await, "ONLINE");
        let rows = recorded(&app.db).await;
        assert_eq!((rows.len(), rows[0]["sequence"].as_u64()), (1, Some(present.sequence + 1)));
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_person_sees_each_status_of_a_server(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let own = app.sign_in("alice", proxima_test_support::PASSWORD).await;
    let mut gateway = app.gateway(&customer).await;
    assert_eq!(status(&admin, &customer).await, "NOT_INSTALLED");

    gateway.phase = Phase::Starting;
    gateway.beat().await;
    assert_eq!(status(&admin, &customer).await, "OFFLINE", "up, but its ports are still closed");
    gateway.phase = Phase::Serving;
    gateway.beat().await;
    let seen = server(&own, &customer).await;
    assert_eq!((seen["status"].as_str(), seen["installedVersion"].as_str()), (Some("ONLINE"), Some("1.2.3")));
    assert_eq!(seen["host"]["hostname"], "vps1");
    assert!(seen["lastHeartbeatAt"].is_string());

    silent_for(&app.db, 170).await;
    assert_eq!(status(&admin, &customer).await, "ONLINE");
    silent_for(&app.db, 20).await;
    assert_eq!(status(&admin, &customer).await, "OFFLINE");
    gateway.beat().await;

    sqlx::query("UPDATE servers SET license_status = 'EXPIRED'").execute(&app.db).await.unwrap();
    assert_eq!(status(&admin, &customer).await, "STOPPED_BY_LICENSE");
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    assert_eq!(
        (&fleet["counts"]["stopped"], &fleet["counts"]["expired"]),
        (&serde_json::json!(1), &serde_json::json!(1))
    );
    for wanted in ["ONLINE", "OFFLINE", "STOPPED_BY_LICENSE", "NOT_INSTALLED"] {
        let list = admin.get(&format!("/api/v1/servers?status={wanted}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), usize::from(wanted == "STOPPED_BY_LICENSE"), "{wanted}");
    }
    // Heartbeats of a gateway in its restart loop are signs of life, and change nothing of that.
    gateway.restart();
    gateway.phase = Phase::Starting;
    TestGateway::expect_status(&gateway.beat().await, "EXPIRED");
    assert_eq!(status(&admin, &customer).await, "STOPPED_BY_LICENSE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn refused_keys_leave_no_trace_of_life(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut old = app.gateway(&customer).await;
    old.beat().await;
    let path = format!("/api/v1/servers/{}/license/regenerate", customer.server_id);
    admin.post(&path, &serde_json::json!({})).await.expect_status(200);
    let before = recorded(&app.db).await;
    for _ in 0..3 {
        assert_eq!(old.beat().await.status, 401);
    }
    assert_eq!(recorded(&app.db).await, before, "only an authenticated 200 is a successful heartbeat");
}

/// A process that is superseded by the late first heartbeat of one that ended unheard comes back by speaking on; what is late,
/// repeated, or of a process whose successor speaks, does not.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn who_speaks_on_was_superseded_by_mistake(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    let late = serde_json::to_vec(&gateway.report()).unwrap();
    gateway.restart();
    gateway.beat().await;
    let present = async || recorded(&app.db).await[0]["boot_id"].as_str().unwrap().to_owned();
    let living = gateway.boot_id.to_string();
    assert_eq!(present().await, living);
    TestGateway::expect_status(&gateway.send(late.clone()).await, "ACTIVE");
    assert_ne!(present().await, living, "nobody can tell it from a new process");
    // All that was said was said half a minute ago.
    let later = async || {
        let script = "UPDATE gateway_returns SET since = since - interval '30 s';
                      UPDATE gateway_installs SET last_heartbeat_at = last_heartbeat_at - interval '30 s'";
        sqlx::raw_sql(script).execute(&app.db).await.unwrap();
    };
    let first = serde_json::to_vec(&gateway.report()).unwrap();
    let before = recorded(&app.db).await;
    gateway.send(first.clone()).await;
    gateway.beat().await;
    assert_eq!(recorded(&app.db).await, before, "two at once may both have been on their way");
    later().await;
    let before = recorded(&app.db).await;
    gateway.send(first).await;
    assert_eq!(recorded(&app.db).await, before, "a repeated one says nothing new");
    gateway.beat().await;
    assert_eq!((present().await, status(&admin, &customer).await), (living.clone(), "ONLINE".to_owned()));
    later().await;
    let before = recorded(&app.db).await;
    gateway.send(late).await;
    assert_eq!(recorded(&app.db).await, before, "the dead one is superseded now");

    // Of a process that was restarted for good.
    let reports: Vec<Vec<u8>> = (0..3).map(|_| serde_json::to_vec(&gateway.report()).unwrap()).collect();
    gateway.restart();
    gateway.beat().await;
    for report in reports {
        gateway.send(report).await;
        assert_eq!(present().await, gateway.boot_id.to_string());
        later().await;
        gateway.beat().await;
    }
    assert_eq!(status(&admin, &customer).await, "ONLINE");
}
