//! The license's life, as the operator works it and as a gateway hears it (product.md section 3).

use proxima_test_support::{TestApp, TestGateway};
use serde_json::json;
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn revoke_expire_reinstate_regenerate(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    let license = format!("/api/v1/servers/{}/license", customer.server_id);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");

    let revoked = admin.post(&format!("{license}/revoke"), &json!({ "graceSeconds": 1 })).await.expect(200);
    assert_eq!(revoked["status"], "GRACE");
    let beat = gateway.beat().await;
    TestGateway::expect_status(&beat, "GRACE");
    assert_eq!(beat.body["graceExpiresAt"], revoked["graceExpiresAt"]);

    // Nobody looks while the grace passes; the database's clock is what counts.
    sqlx::query("UPDATE servers SET grace_expires_at = now()").execute(&app.db).await.unwrap();
    let beat = gateway.beat().await;
    TestGateway::expect_status(&beat, "EXPIRED");
    assert!(beat.body["graceExpiresAt"].is_null());
    assert_eq!(admin.get(&license).await.expect(200)["status"], "EXPIRED");

    admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");

    admin.post(&format!("{license}/regenerate"), &json!({})).await.expect_status(200);
    let beat = gateway.beat().await;
    assert_eq!((beat.status, beat.body["code"].as_str()), (401, Some("license_key_retired")));
    assert_eq!(beat.signature, Ok(()), "the 401 that stops a gateway is signed");
    TestGateway::expect_status(&app.gateway(&customer).await.beat().await, "ACTIVE");
}
