//! The configuration on its way to the gateway: in the signed answer, until it is applied or refused.

use proxima_test_support::{Beat, Client, Customer, TestApp, TestGateway};
use proxima_types::ConfigGeneration;
use proxima_types::heartbeat::RejectedConfig;
use serde_json::{Value, json};
use sqlx::PgPool;

fn path(customer: &Customer) -> String {
    format!("/api/v1/servers/{}/config", customer.server_id)
}

async fn save(client: &Client, customer: &Customer, generation: i64, port: u16) -> Value {
    let listeners = json!([{ "port": port, "backendUrl": "http://127.0.0.1:3000" }]);
    client.put(&path(customer), &json!({ "generation": generation, "listeners": listeners })).await.expect(200)
}

async fn delivery(client: &Client, customer: &Customer) -> Value {
    client.get(&path(customer)).await.expect(200)["delivery"].clone()
}

/// The port of the configuration that an answer brings.
fn delivered(beat: &Beat) -> Option<u64> {
    assert_eq!((beat.status, &beat.signature), (200, &Ok(())), "{beat:?}");
    beat.body["config"]["config"]["listeners"][0]["port"].as_u64()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_configuration_is_delivered_until_it_is_applied(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let own = app.sign_in("alice", proxima_test_support::PASSWORD).await;
    let mut gateway = app.gateway(&customer).await;
    assert_eq!(delivery(&own, &customer).await, json!({ "state": "NOT_CONFIGURED", "reason": null }));
    assert_eq!(delivered(&gateway.beat().await), None, "nothing was configured");

    let saved = save(&own, &customer, 0, 8080).await;
    assert_eq!((&saved["generation"], &saved["delivery"]["state"]), (&json!(1), &json!("PENDING")));
    for _ in 0..2 {
        let beat = gateway.beat().await;
        assert_eq!(delivered(&beat), Some(8080));
        assert_eq!(beat.body["config"]["generation"], json!({ "incarnation": 1, "number": 1 }));
        assert_eq!(beat.body["config"]["config"]["listeners"][0]["backendUrl"], "http://127.0.0.1:3000");
        assert_eq!(delivery(&own, &customer).await["state"], "PENDING");
    }
    gateway.applied = Some(ConfigGeneration { incarnation: 1, number: 1 });
    assert_eq!(delivered(&gateway.beat().await), None, "it is applied");
    assert_eq!(delivery(&own, &customer).await, json!({ "state": "APPLIED", "reason": null }));

    save(&own, &customer, 1, 8081).await;
    assert_eq!(delivery(&own, &customer).await["state"], "PENDING");
    assert_eq!(delivered(&gateway.beat().await), Some(8081));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_refused_configuration_is_not_sent_again_and_its_reason_is_shown(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    save(&admin, &customer, 0, 8080).await;
    gateway.applied = Some(ConfigGeneration { incarnation: 1, number: 1 });
    gateway.beat().await;
    save(&admin, &customer, 1, 81).await;
    let refuse = |gateway: &mut TestGateway, number: u64, reason: &str| {
        let mut report = gateway.report();
        let generation = ConfigGeneration { incarnation: 1, number };
        report.rejected_config = Some(RejectedConfig { generation, reason: reason.to_owned() });
        serde_json::to_vec(&report).unwrap()
    };
    let reason = "Port 81 is in use by another program <b>nginx</b>.";
    let report = refuse(&mut gateway, 2, reason);
    assert_eq!(delivered(&gateway.send(report).await), None, "it has said no to this one");
    assert_eq!(delivery(&admin, &customer).await, json!({ "state": "REJECTED", "reason": reason }));
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    let found = fleet["attention"].as_array().unwrap().iter().find(|item| item["kind"] == "CONFIG_REJECTED");
    assert_eq!(found.expect("it needs attention")["detail"], reason);

    // A reason as long as it likes, with whatever in it.
    let long = format!("\u{0}\u{1b}[0m{}", "y".repeat(5_000));
    let report = refuse(&mut gateway, 2, &long);
    assert_eq!(delivered(&gateway.send(report).await), None);
    let shown = delivery(&admin, &customer).await["reason"].as_str().unwrap().to_owned();
    assert_eq!(shown.chars().count(), 1000);
    assert_eq!(shown, format!("{}…", "y".repeat(999)));

    save(&admin, &customer, 2, 8082).await;
    let report = refuse(&mut gateway, 2, reason);
    assert_eq!(delivered(&gateway.send(report).await), Some(8082), "the next one is another matter");
    assert_eq!(delivery(&admin, &customer).await, json!({ "state": "PENDING", "reason": null }));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_restored_database_supersedes_by_its_incarnation(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    save(&admin, &customer, 0, 8080).await;
    gateway.applied = Some(ConfigGeneration { incarnation: 1, number: 7 });
    assert_eq!(delivered(&gateway.beat().await), Some(8080), "a generation that this database does not know");
    sqlx::query("UPDATE settings SET incarnation = 2").execute(&app.db).await.unwrap();
    gateway.applied = Some(ConfigGeneration { incarnation: 1, number: 1 });
    let beat = gateway.beat().await;
    assert_eq!(delivered(&beat), Some(8080), "the same number of an older incarnation");
    assert_eq!(beat.body["config"]["generation"], json!({ "incarnation": 2, "number": 1 }));
    assert_eq!(delivery(&admin, &customer).await["state"], "PENDING");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_configuration_that_is_not_readable_is_not_sent(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    save(&admin, &customer, 0, 8080).await;
    sqlx::query(r#"UPDATE servers SET config = '{"listeners": "edited by hand"}'"#).execute(&app.db).await.unwrap();
    assert_eq!(delivered(&gateway.beat().await), None);
    admin.get(&path(&customer)).await.expect_status(200);
    save(&admin, &customer, 1, 8081).await;
    assert_eq!(delivered(&gateway.beat().await), Some(8081));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_expired_or_retired_gateway_is_told_so_and_the_settings_travel(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    let settings = |days: Value| json!({ "dashboardIpAllowlist": [], "offlineLimitDays": days });
    assert!(gateway.beat().await.body["offlineLimitDays"].is_null());
    admin.put("/api/v1/settings", &settings(json!(30))).await.expect_status(200);
    let beat = gateway.beat().await;
    assert_eq!((&beat.body["offlineLimitDays"], &beat.body["nextHeartbeatSeconds"]), (&json!(30), &json!(60)));
    admin.put("/api/v1/settings", &settings(Value::Null)).await.expect_status(200);
    let beat = gateway.beat().await;
    assert!(beat.body["offlineLimitDays"].is_null());
    let server_time: chrono::DateTime<chrono::Utc> = beat.body["serverTime"].as_str().unwrap().parse().unwrap();
    let since: f64 = sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp() - $1)::float8")
        .bind(server_time)
        .fetch_one(&app.db)
        .await
        .unwrap();
    assert!(since > 0.0, "the database's clock, read before now");
}
