//! What is told, and how often.

use super::receiver::Receiver;
use super::{execute, send_due, start, states, webhook};
use proxima_dashboard::app::notifications::{self, database_behind_anchor};
use proxima_dashboard::jobs;
use proxima_db::notifications::unheard;
use proxima_db::servers::interval;
use proxima_test_support::{Blocker, TestApp, TestGateway, rows_matching};
use serde_json::json;
use sqlx::PgPool;
use std::collections::BTreeSet;

const ALL: &[&str] = &[
    "license.ending",
    "license.expired",
    "gateway.offline",
    "gateway.online",
    "gateway.silent",
    "key.shared",
    "database.behind_anchor",
];

/// Looks through the fleet, whenever it was looked through last.
async fn look(app: &TestApp) {
    execute(&app.db, "UPDATE notification_watch SET scanned_at = '-infinity'").await;
    jobs::sweep(&app.app).await.unwrap();
}

async fn told(app: &TestApp) -> Vec<String> {
    let mut rows: Vec<(String, String)> =
        sqlx::query_as("SELECT created_at::text, type FROM notification_events ORDER BY created_at")
            .fetch_all(&app.db)
            .await
            .unwrap();
    rows.drain(..).map(|(_, kind)| kind).collect()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_offline_gateway_is_told_once_and_its_return_once(db: PgPool) {
    let app = start(db).await;
    let (admin, customer, receiver) = (app.admin().await, app.customer("alice").await, Receiver::start("200 OK").await);
    webhook(&admin, &receiver.url, ALL).await;
    let mut gateway = app.gateway(&customer).await;
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    execute(&app.db, "UPDATE gateway_installs SET last_heartbeat_at = now() - interval '7 min'").await;
    execute(&app.db, "UPDATE notification_watch SET since = now() - interval '1 day'").await;
    look(&app).await;
    assert!(told(&app).await.is_empty(), "within the settling time");
    execute(&app.db, "UPDATE gateway_installs SET last_heartbeat_at = now() - interval '9 min'").await;
    // The dashboards themselves were away, and are back for a minute: it may have been heard by nobody.
    execute(&app.db, "UPDATE notification_watch SET seen_at = now() - interval '1 hour'").await;
    look(&app).await;
    assert!(told(&app).await.is_empty(), "an outage of the dashboards is nobody else's");
    execute(&app.db, "UPDATE notification_watch SET since = now() - interval '1 day'").await;
    look(&app).await;
    look(&app).await;
    assert_eq!(told(&app).await, ["gateway.offline"]);
    execute(&app.db, "UPDATE gateway_installs SET last_heartbeat_at = now() - interval '25 hours'").await;
    look(&app).await;
    look(&app).await;
    assert_eq!(told(&app).await, ["gateway.offline", "gateway.silent"]);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    look(&app).await;
    look(&app).await;
    assert_eq!(told(&app).await, ["gateway.offline", "gateway.silent", "gateway.online"]);
    while send_due(&app.app).await > 0 {}
    let body: serde_json::Value = serde_json::from_str(&receiver.requests()[0].body).unwrap();
    assert_eq!(body["data"]["servers"][0]["id"], customer.server_id.to_string());
    assert_eq!(
        (body["data"]["count"].as_i64(), body["data"]["servers"][0]["ownerUsername"].as_str()),
        (Some(1), Some("alice"))
    );
    assert_eq!(rows_matching(&app.db, "notification_episodes", "true").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_fleet_that_falls_silent_at_once_is_one_message(db: PgPool) {
    let app = start(db).await;
    let (admin, receiver) = (app.admin().await, Receiver::start("200 OK").await);
    webhook(&admin, &receiver.url, ALL).await;
    for number in 0..21 {
        let customer = app.customer(&format!("c{number}")).await;
        app.gateway(&customer).await.beat().await;
    }
    execute(&app.db, "UPDATE gateway_installs SET last_heartbeat_at = now() - interval '9 min'").await;
    execute(&app.db, "UPDATE notification_watch SET since = now() - interval '1 day', scanned_at = '-infinity'").await;
    // Several dashboards look at once.
    let (a, b, c) =
        tokio::join!(notifications::look(&app.app), notifications::look(&app.app), notifications::look(&app.app));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    look(&app).await;
    assert_eq!(told(&app).await, ["gateway.offline"]);
    assert_eq!(send_due(&app.app).await, 1);
    let body: serde_json::Value = serde_json::from_str(&receiver.requests()[0].body).unwrap();
    assert_eq!((body["data"]["count"].as_i64(), body["data"]["servers"].as_array().unwrap().len()), (Some(21), 21));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_licenses_end_is_told_before_and_when_it_comes(db: PgPool) {
    let app = start(db).await;
    let (admin, customer, receiver) = (app.admin().await, app.customer("alice").await, Receiver::start("200 OK").await);
    webhook(&admin, &receiver.url, ALL).await;
    let license = format!("/api/v1/servers/{}/license", customer.server_id);
    admin.post(&format!("{license}/revoke"), &json!({})).await.expect_status(200);
    look(&app).await;
    assert!(told(&app).await.is_empty(), "five days are not near");
    execute(&app.db, "UPDATE servers SET grace_expires_at = now() + interval '23 hours'").await;
    look(&app).await;
    look(&app).await;
    assert_eq!(told(&app).await, ["license.ending"]);
    admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
    look(&app).await;
    assert_eq!(states(&app.db).await, ["CANCELLED"], "what was not sent yet is not true any more");
    for times in 1..=2 {
        execute(&app.db, "UPDATE servers SET license_status = 'GRACE', grace_expires_at = now() - interval '1 s'")
            .await;
        look(&app).await;
        look(&app).await;
        assert_eq!(told(&app).await.iter().filter(|kind| *kind == "license.expired").count(), times);
        admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
        look(&app).await;
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn shared_keys_and_a_database_behind_its_anchor_are_told_once(db: PgPool) {
    let app = start(db).await;
    let (admin, customer, receiver) = (app.admin().await, app.customer("alice").await, Receiver::start("200 OK").await);
    webhook(&admin, &receiver.url, ALL).await;
    let mut one = app.gateway(&customer).await;
    let mut two = one.on_another_host(customer.server_id, one.key.clone());
    one.beat().await;
    two.beat().await;
    one.beat().await;
    look(&app).await;
    look(&app).await;
    assert_eq!(told(&app).await, ["key.shared"]);
    for (behind, times) in [(true, 1), (true, 1), (false, 1), (true, 2)] {
        database_behind_anchor(&app.app, behind).await.unwrap();
        assert_eq!(told(&app).await.iter().filter(|kind| *kind == "database.behind_anchor").count(), times);
    }
}

/// A heartbeat neither reads nor writes any of these tables.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn heartbeats_do_not_wait_for_notifications(db: PgPool) {
    let app = start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    webhook(&admin, "http://127.0.0.1:9/", ALL).await;
    let mut gateway = app.gateway(&customer).await;
    let blocker = Blocker::hold(
        &app.db,
        "LOCK TABLE notification_endpoints, notification_events, notification_deliveries, notification_attempts, \
         notification_episodes, notification_watch, notification_settings IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    let mut twin = gateway.on_another_host(customer.server_id, gateway.key.clone());
    TestGateway::expect_status(&twin.beat().await, "ACTIVE");
    execute(&app.db, "UPDATE servers SET license_status = 'GRACE', grace_expires_at = now() - interval '1 s'").await;
    TestGateway::expect_status(&gateway.beat().await, "EXPIRED");
    blocker.release().await;
}

/// The table of installs is read in slices: those in the last one are found like those in the first one.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn unheard_gateways_are_found_in_every_slice_of_the_table(db: PgPool) {
    let app = start(db).await;
    let mut late = BTreeSet::new();
    for number in 0..40 {
        let customer = app.customer(&format!("c{number}")).await;
        app.gateway(&customer).await.beat().await;
        late.insert(customer.server_id.0);
    }
    let pages: i64 =
        sqlx::query_scalar("SELECT pg_relation_size('gateway_installs') / 8192").fetch_one(&app.db).await.unwrap();
    assert!(pages > 2, "{pages} pages are not several slices");
    execute(&app.db, "UPDATE gateway_installs SET last_heartbeat_at = now() - interval '9 min'").await;
    let heard = *late.first().unwrap();
    execute(&app.db, &format!("UPDATE gateway_installs SET last_heartbeat_at = now() WHERE server_id = '{heard}'"))
        .await;
    late.remove(&heard);
    let silence = interval(chrono::Duration::minutes(8));
    for slice in [1, 2, 1000] {
        let found = unheard::in_slices(&app.db, "gateway.offline", silence, slice).await.unwrap();
        assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), late, "slices of {slice}");
        assert_eq!(found.len(), late.len(), "each one once");
    }
}
