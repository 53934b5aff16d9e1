//! A database that is down, slow or gone is a signed 503, never a verdict (invariant 1).

use futures_util::FutureExt as _;
use proxima_signing::VerifyError;
use proxima_test_support::{Blocker, TestApp, TestGateway, rows_matching, wait_until};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool};

async fn expect_no_verdict(gateway: &mut TestGateway) {
    let nonce = TestGateway::nonce();
    let body = serde_json::to_vec(&gateway.report()).unwrap();
    let authorization = format!("Bearer {}", gateway.key.expose());
    let answer = gateway.exchange(Some(&nonce), Some(&authorization), body).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("unavailable")), "{answer:?}");
    let patience: u16 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((10..=40).contains(&patience), "{patience}");
    let verified = answer.verify(gateway.public_key(), &nonce, gateway.key.expose(), gateway.server_id);
    assert_eq!(verified, Err(VerifyError::NoServer), "signed, and for no server");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_database_that_does_not_answer_in_time_is_no_verdict(db: PgPool) {
    let app = TestApp::start(db).await;
    let (active, expired) = (app.customer("alice").await, app.customer("bob").await);
    let mut gateways = [app.gateway(&active).await, app.gateway(&expired).await];
    sqlx::query("UPDATE servers SET license_status = 'EXPIRED' WHERE id = $1")
        .bind(expired.server_id.0)
        .execute(&app.db)
        .await
        .unwrap();
    let blocker = Blocker::hold(&app.db, "LOCK TABLE servers IN ACCESS EXCLUSIVE MODE").await;
    let [first, second] = &mut gateways;
    tokio::join!(expect_no_verdict(first), expect_no_verdict(second));
    blocker.release().await;
    TestGateway::expect_status(&gateways[0].beat().await, "ACTIVE");
    TestGateway::expect_status(&gateways[1].beat().await, "EXPIRED");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_database_that_went_away_and_came_back(pool: PgPoolOptions, options: PgConnectOptions) {
    let name = options.get_database().unwrap().to_owned();
    let db = pool.acquire_timeout(std::time::Duration::from_secs(2)).connect_with(options.clone()).await.unwrap();
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");

    let mut console = options.clone().database("postgres").connect().await.unwrap();
    let away = format!(
        "ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"
    );
    sqlx::raw_sql(AssertSqlSafe(away)).execute(&mut console).await.unwrap();
    for _ in 0..3 {
        expect_no_verdict(&mut gateway).await;
    }
    // People are told the same, as a problem document, and nobody is signed out for it.
    let answer = admin.get("/api/v1/me").await;
    answer.problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    assert!(!answer.text.contains("database \""), "{}", answer.text);
    assert_eq!(admin.get("/readyz").await.status, 503);
    admin.get("/healthz").await.expect_status(200);

    let back = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true");
    sqlx::raw_sql(AssertSqlSafe(back)).execute(&mut console).await.unwrap();
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    admin.get("/api/v1/me").await.expect_status(200);
    admin.get("/readyz").await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_schema_that_is_broken_is_no_verdict_either(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    sqlx::query("ALTER TABLE retired_keys RENAME TO retired_keys_elsewhere").execute(&app.db).await.unwrap();
    expect_no_verdict(&mut gateway).await;
    sqlx::query("ALTER TABLE retired_keys_elsewhere RENAME TO retired_keys").execute(&app.db).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept AS TABLE settings; DELETE FROM settings").execute(&app.db).await.unwrap();
    expect_no_verdict(&mut gateway).await;
    sqlx::query("INSERT INTO settings SELECT * FROM kept").execute(&app.db).await.unwrap();
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
}

/// A value that our own code stumbles over must cost its own gateway a verdict, and no other.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_defect_of_ours_takes_no_worker_with_it(db: PgPool) {
    let app = TestApp::start(db).await;
    let (odd, other) = (app.customer("alice").await, app.customer("bob").await);
    let (mut stumbles, mut gateway) = (app.gateway(&odd).await, app.gateway(&other).await);
    sqlx::raw_sql(AssertSqlSafe(format!(
        "ALTER TABLE servers DROP CONSTRAINT servers_grace_date_is_a_date; \
         UPDATE servers SET license_status = 'GRACE', grace_expires_at = 'infinity' WHERE id = '{}'",
        odd.server_id
    )))
    .execute(&app.db)
    .await
    .unwrap();
    // More often than there are workers.
    for _ in 0..8 {
        expect_no_verdict(&mut stumbles).await;
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_cannot_be_recorded_is_no_verdict(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    sqlx::query("ALTER TABLE gateway_installs ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
        .execute(&app.db)
        .await
        .unwrap();
    expect_no_verdict(&mut gateway).await;
    sqlx::query("ALTER TABLE gateway_installs DROP CONSTRAINT full_disk").execute(&app.db).await.unwrap();
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
}

/// Who hung up while waiting is not judged: under more load than can be carried, those who still wait are.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn who_has_hung_up_costs_the_database_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let (waits, gone) = (app.customer("alice").await, app.customer("bob").await);
    let (gateway, mut hung_up) = (app.gateway(&waits).await, app.gateway(&gone).await);
    let blocker = Blocker::hold(&app.db, "LOCK TABLE servers IN ACCESS EXCLUSIVE MODE").await;
    let mut stuck = Vec::new();
    // Each worker has a batch.
    for workers in 1..=3 {
        let mut gateway = gateway.on_another_host(waits.server_id, gateway.key.clone());
        stuck.push(tokio::spawn(async move { gateway.beat().await }));
        let waiting = format!(
            "SELECT count(*) >= {workers} FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        wait_until(&app.db, &waiting).await;
    }
    let asked = app.app.heartbeats.judge(hung_up.key.digest(), hung_up.report()).now_or_never();
    assert!(asked.is_none(), "it waits, and hangs up");
    blocker.release().await;
    for beat in stuck {
        // On a machine that is busy they have waited for too long: no verdict, then.
        let _ = beat.await.unwrap();
    }
    // Those behind it in the queue have had their turn by now.
    TestGateway::expect_status(&gateway.on_another_host(waits.server_id, gateway.key.clone()).beat().await, "ACTIVE");
    let seen = format!("server_id = '{}'", gone.server_id);
    assert!(rows_matching(&app.db, "gateway_installs", &seen).await.is_empty());
    TestGateway::expect_status(&hung_up.beat().await, "ACTIVE");
}
