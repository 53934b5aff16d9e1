//! Keys that this dashboard remembers having retired, whoever retired them (product.md section 4).

use proxima_test_support::{Beat, Client, Customer, TestApp, TestGateway, rows_matching};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

async fn sql(db: &PgPool, query: &str) {
    sqlx::raw_sql(AssertSqlSafe(query.to_owned())).execute(db).await.unwrap();
}

#[track_caller]
fn expect_refusal(beat: &Beat, code: &str) {
    assert_eq!((beat.status, beat.body["code"].as_str()), (401, Some(code)), "{beat:?}");
}

async fn installed(app: &TestApp, name: &str) -> (Customer, TestGateway) {
    let customer = app.customer(name).await;
    let mut gateway = app.gateway(&customer).await;
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    (customer, gateway)
}

/// The signed 401 that stops a gateway, and what the table remembers of it.
async fn expect_retired(app: &TestApp, gateway: &mut TestGateway, reason: &str) {
    let beat = gateway.beat().await;
    expect_refusal(&beat, "license_key_retired");
    assert_eq!(beat.signature, Ok(()), "a verdict is signed, for this key and server");
    let condition = format!("server_id = '{}' AND reason = '{reason}'", gateway.server_id);
    assert_eq!(rows_matching(&app.db, "retired_keys", &condition).await.len(), 1, "{reason}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_is_retired_however_it_ends(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;

    let (customer, mut gateway) = installed(&app, "regenerated").await;
    let path = format!("/api/v1/servers/{}/license/regenerate", customer.server_id);
    admin.post(&path, &json!({})).await.expect_status(200);
    expect_retired(&app, &mut gateway, "REGENERATED").await;

    let (customer, mut gateway) = installed(&app, "deleted").await;
    let path = format!("/api/v1/users/{}?confirmUsername=deleted", customer.id);
    admin.delete(&path).await.expect_status(204);
    expect_retired(&app, &mut gateway, "DELETED").await;

    let (customer, mut gateway) = installed(&app, "hand-updated").await;
    let digest = format!("UPDATE servers SET api_key_digest = sha256('another') WHERE id = '{}'", customer.server_id);
    sql(&app.db, &digest).await;
    expect_retired(&app, &mut gateway, "REGENERATED").await;

    let (customer, mut gateway) = installed(&app, "hand-deleted-server").await;
    sql(&app.db, &format!("DELETE FROM servers WHERE id = '{}'", customer.server_id)).await;
    expect_retired(&app, &mut gateway, "DELETED").await;

    let (customer, mut gateway) = installed(&app, "hand-deleted-user").await;
    sql(&app.db, &format!("DELETE FROM users WHERE id = '{}'", customer.id)).await;
    expect_retired(&app, &mut gateway, "DELETED").await;

    let (customer, mut gateway) = installed(&app, "promoted").await;
    let change = json!({ "role": "ADMIN", "confirmServerDeletion": "promoted" });
    admin.patch(&format!("/api/v1/users/{}", customer.id), &change).await.expect_status(200);
    expect_retired(&app, &mut gateway, "DELETED").await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_leaves_the_key_alone_retires_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let (customer, mut gateway) = installed(&app, "alice").await;
    let server = format!("/api/v1/servers/{}", customer.server_id);
    admin.patch(&server, &json!({ "name": "Renamed" })).await.expect_status(200);
    admin.post(&format!("{server}/license/revoke"), &json!({})).await.expect_status(200);
    admin.post(&format!("{server}/license/reinstate"), &json!({})).await.expect_status(200);
    admin.patch(&format!("/api/v1/users/{}", customer.id), &json!({ "username": "alice2" })).await.expect_status(200);
    sql(&app.db, "UPDATE servers SET api_key_digest = api_key_digest").await;
    assert_eq!(rows_matching(&app.db, "retired_keys", "true").await.len(), 0);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_wiped_database_stops_nobody(db: PgPool) {
    let app = TestApp::start(db).await;
    let (_, mut gateway) = installed(&app, "alice").await;
    // TRUNCATE passes the triggers by: this dashboard has never known any key.
    sql(&app.db, "TRUNCATE users, servers, gateway_installs, retired_keys CASCADE").await;
    let beat = gateway.beat().await;
    expect_refusal(&beat, "license_key_unknown");
    // It is signed for no server, so even the signature does not hold for the gateway's own.
    assert_eq!(beat.signature, Err(proxima_signing::VerifyError::NoServer));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn regenerating_twice_keeps_both_tombstones_and_one_living_key(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin: Client = app.admin().await;
    let (customer, first) = installed(&app, "alice").await;
    let path = format!("/api/v1/servers/{}/license/regenerate", customer.server_id);
    admin.post(&path, &json!({})).await.expect_status(200);
    let second = app.gateway(&customer).await;
    admin.post(&path, &json!({})).await.expect_status(200);
    for mut gateway in [first, second] {
        expect_refusal(&gateway.beat().await, "license_key_retired");
    }
    TestGateway::expect_status(&app.gateway(&customer).await.beat().await, "ACTIVE");
}
