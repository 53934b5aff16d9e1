//! Customer → Admin deletes the server, Admin → Customer provisions one (product.md section 2).

use proxima_test_support::{TestApp, TestGateway, audited, rows_matching};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_customer_becomes_an_admin_only_when_the_loss_is_confirmed(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    gateway.beat().await;
    let path = format!("/api/v1/users/{}", customer.id);
    for unconfirmed in [
        json!({ "role": "ADMIN" }),
        json!({ "role": "ADMIN", "confirmServerDeletion": "" }),
        json!({ "role": "ADMIN", "confirmServerDeletion": "Alice" }),
        json!({ "role": "ADMIN", "confirmServerDeletion": "alice's Server" }),
        // The name that is confirmed is the present one.
        json!({ "role": "ADMIN", "username": "alice2", "confirmServerDeletion": "alice2" }),
    ] {
        let problem = admin.patch(&path, &unconfirmed).await.problem(409, "confirmation_required");
        assert!(problem["detail"].as_str().unwrap().contains("alice"), "{problem}");
        assert_eq!(admin.get(&path).await.expect(200)["role"], "CUSTOMER");
        assert_eq!(admin.get(&path).await.expect(200)["username"], "alice", "nothing of it was done");
    }
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");

    let confirmed = json!({ "role": "ADMIN", "confirmServerDeletion": "alice" });
    let user = admin.patch(&path, &confirmed).await.expect(200);
    assert_eq!((&user["role"], &user["server"]), (&json!("ADMIN"), &Value::Null));
    assert_eq!(rows_matching(&app.db, "servers", "true").await.len(), 0);
    let beat = gateway.beat().await;
    assert_eq!((beat.status, beat.body["code"].as_str()), (401, Some("license_key_retired")));
    assert_eq!(beat.signature, Ok(()));
    let row = audited(&app.db, "user.update").await.pop().unwrap();
    assert_eq!(row.metadata["role"], json!({ "from": "CUSTOMER", "to": "ADMIN" }));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_admin_becomes_a_customer_with_a_server_of_their_own(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for (username, name, expected) in [("bob", Value::Null, "bob's Server"), ("carol", json!(" Box 7 "), "Box 7")] {
        let other = app.sign_in_new(username, Role::Admin).await;
        let id = other.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/users/{id}");
        let refused = json!({ "role": "CUSTOMER", "serverName": "a\nb" });
        admin.patch(&path, &refused).await.refuses(&[("serverName", "invalid")]);
        let change = json!({ "role": "CUSTOMER", "serverName": name });
        let user = admin.patch(&path, &change).await.expect(200);
        assert_eq!((&user["role"], &user["server"]["name"]), (&json!("CUSTOMER"), &json!(expected)));
        assert_eq!(user["server"]["status"], "NOT_INSTALLED");
        // The key that was made for it is one that works.
        let server = user["server"]["id"].as_str().unwrap().to_owned();
        let revealed = admin.post(&format!("/api/v1/servers/{server}/license/reveal"), &json!({})).await.expect(200);
        let key = proxima_types::LicenseKey::parse(revealed["apiKey"].as_str().unwrap()).unwrap();
        let public = app.app.keyring.public_key().expect("a signing key");
        let mut gateway = TestGateway::new(&app.url, public, server.parse().unwrap(), key);
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn there_and_back_again_is_a_new_server_with_a_new_key(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut old = app.gateway(&customer).await;
    let path = format!("/api/v1/users/{}", customer.id);
    let promote = json!({ "role": "ADMIN", "confirmServerDeletion": "alice" });
    admin.patch(&path, &promote).await.expect_status(200);
    let user = admin.patch(&path, &json!({ "role": "CUSTOMER" })).await.expect(200);
    assert_ne!(user["server"]["id"], json!(customer.server_id.to_string()));
    assert_eq!(old.beat().await.body["code"], "license_key_retired");
}

/// A promotion and everything with it, or nothing: here the username is taken.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_role_change_that_fails_leaves_the_server(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    app.customer("bob").await;
    let mut gateway = app.gateway(&customer).await;
    let change = json!({ "role": "ADMIN", "confirmServerDeletion": "alice", "username": "bob" });
    let answer = admin.patch(&format!("/api/v1/users/{}", customer.id), &change).await;
    answer.problem(409, "conflict");
    assert_eq!(answer.bad_fields(), ["username"]);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    assert_eq!(rows_matching(&app.db, "retired_keys", "true").await.len(), 0);
}
