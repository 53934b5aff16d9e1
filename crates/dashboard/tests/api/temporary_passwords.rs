//! Passwords that somebody else chose: what they open, and when they end.

use crate::authenticator::Authenticator;
use proxima_dashboard::config::{AppConfig, SecondFactorPolicy};
use proxima_test_support::{Client, PASSWORD, TestApp, audited};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

const LOGIN: &str = "/api/v1/auth/login";
const OWN: &str = "another-heron-sings-8";
const ORIGIN: &str = "http://localhost:8080";

fn login(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

fn change(current: &str, new: &str) -> Value {
    json!({ "currentPassword": current, "newPassword": new })
}

/// Makes a user whose password is a temporary one; returns their path.
async fn create(admin: &Client, username: &str, role: Role) -> String {
    let form = json!({ "username": username, "password": PASSWORD, "temporaryPassword": true, "role": role });
    let made = admin.post("/api/v1/users", &form).await.expect(201);
    assert!(made["passwordTemporaryUntil"].is_string(), "{made}");
    format!("/api/v1/users/{}", made["id"].as_str().unwrap())
}

async fn days_left(db: &PgPool, username: &str) -> Option<i32> {
    let left = "SELECT extract(day FROM password_temporary_until - updated_at)::integer FROM users WHERE username = $1";
    sqlx::query_scalar(left).bind(username).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_temporary_password_opens_nothing_but_the_choice_of_another(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let path = create(&admin, "alice", Role::Customer).await;
    assert_eq!(days_left(&app.db, "alice").await, Some(7));
    let alice = app.sign_in("alice", PASSWORD).await;
    assert_eq!(alice.get("/api/v1/me").await.expect(200)["mustChangePassword"], true);
    for closed in ["/api/v1/servers", "/api/v1/me/sessions", "/api/v1/me/security", "/api/v1/users"] {
        alice.get(closed).await.problem(403, "password_change_required");
    }
    let proof = json!({ "method": "PASSWORD", "password": PASSWORD });
    for (closed, body) in [
        ("/api/v1/auth/step-up", &proof),
        ("/api/v1/me/totp", &json!({})),
        ("/api/v1/me/passkeys/options", &json!({})),
        ("/api/v1/me/recovery-codes", &json!({})),
    ] {
        alice.post(closed, body).await.problem(403, "password_change_required");
    }
    let own = "/api/v1/me/password";
    alice.post(own, &change("wrong", OWN)).await.refuses(&[("currentPassword", "wrong")]);
    alice.post(own, &change(PASSWORD, PASSWORD)).await.refuses(&[("newPassword", "same")]);
    alice.get("/api/v1/servers").await.problem(403, "password_change_required");
    alice.post(own, &change(PASSWORD, OWN)).await.expect_status(204);
    assert_eq!(alice.get("/api/v1/me").await.expect(200)["mustChangePassword"], false);
    assert_eq!(alice.get("/api/v1/servers").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(admin.get(&path).await.expect(200)["passwordTemporaryUntil"], Value::Null);
    app.anonymous().post(LOGIN, &login("alice", PASSWORD)).await.problem(401, "invalid_credentials");

    // An admin may set one later too, and one that is good until it is changed.
    admin.patch(&path, &json!({ "password": PASSWORD, "temporaryPassword": true })).await.expect_status(200);
    alice.get("/api/v1/me").await.problem(401, "unauthenticated");
    let alice = app.sign_in("alice", PASSWORD).await;
    alice.get("/api/v1/servers").await.problem(403, "password_change_required");
    alice.post("/api/v1/auth/logout", &json!({})).await.expect_status(204);
    admin.patch(&path, &json!({ "password": PASSWORD })).await.expect_status(200);
    assert_eq!(days_left(&app.db, "alice").await, None);
    app.sign_in("alice", PASSWORD).await.get("/api/v1/servers").await.expect_status(200);
    let told: Vec<Value> = audited(&app.db, "user.update").await.into_iter().map(|row| row.metadata).collect();
    assert_eq!(told[0], json!({ "password": "changed", "temporaryPassword": true }));
    assert_eq!(told[1], json!({ "password": "changed", "temporaryPassword": false }));

    admin
        .patch(&path, &json!({ "temporaryPassword": true }))
        .await
        .refuses(&[("temporaryPassword", "without_password")]);
    let me = admin.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    let mine = json!({ "password": OWN, "temporaryPassword": true });
    admin.patch(&format!("/api/v1/users/{me}"), &mine).await.refuses(&[("temporaryPassword", "own")]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_temporary_password_expires_unused(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let path = create(&admin, "alice", Role::Customer).await;
    sqlx::query("UPDATE users SET password_temporary_until = now()").execute(&app.db).await.unwrap();
    // Nobody learns from outside whether there was one.
    app.anonymous().post(LOGIN, &login("alice", "wrong")).await.problem(401, "invalid_credentials");
    let answer = app.anonymous().post(LOGIN, &login("alice", PASSWORD)).await;
    answer.problem(401, "temporary_password_expired");
    assert_eq!(answer.session_token(), None);
    let failed = audited(&app.db, "user.login.failed").await;
    assert_eq!(failed[1].metadata, json!({ "step": "PASSWORD", "expired": true }));
    admin.patch(&path, &json!({ "password": OWN, "temporaryPassword": true })).await.expect_status(200);
    app.sign_in("alice", OWN).await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_admin_chooses_a_password_before_adding_a_second_factor(db: PgPool) {
    let required = SecondFactorPolicy::Required;
    let app = TestApp::start(db).await;
    create(&app.admin().await, "second", Role::Admin).await;
    let config = AppConfig { bcrypt_cost: 4, admin_second_factor: required, ..AppConfig::default() };
    let app = TestApp::start_with(app.db, config).await;
    let second = app.sign_in("second", PASSWORD).await;
    let me = second.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["mustChangePassword"], &me["mustEnroll"]), (&json!(true), &json!(true)));
    second.post("/api/v1/me/totp", &json!({})).await.problem(403, "password_change_required");
    second.post("/api/v1/me/password", &change(PASSWORD, OWN)).await.expect_status(204);
    second.get("/api/v1/users").await.problem(403, "enrollment_required");
    second.post("/api/v1/me/password", &change(OWN, PASSWORD)).await.problem(403, "enrollment_required");
    second.post("/api/v1/me/totp", &json!({})).await.expect_status(201);
}

/// Whoever set the password knows it, and no passkey of its owner's.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_passkey_alone_owes_nothing_to_a_temporary_password(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, alice) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    let mut key = Authenticator::new(ORIGIN);
    let options = alice.post("/api/v1/me/passkeys/options", &json!({})).await.expect(200);
    let made = key.create(&options["publicKey"]);
    let body = json!({ "ceremonyId": options["ceremonyId"], "name": "Laptop", "credential": made });
    alice.post("/api/v1/me/passkeys", &body).await.expect_status(201);
    let id = alice.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    let set = json!({ "password": OWN, "temporaryPassword": true });
    admin.patch(&format!("/api/v1/users/{id}"), &set).await.expect_status(200);

    let browser = app.anonymous();
    let options = browser.post("/api/v1/auth/passkey/options", &json!({})).await.expect(200);
    let body = json!({ "ceremonyId": options["ceremonyId"], "credential": key.get(&options["publicKey"]) });
    let me = browser.post("/api/v1/auth/passkey", &body).await.expect(200);
    assert_eq!(me["mustChangePassword"], false);
    browser.get("/api/v1/servers").await.expect_status(200);

    // As the second factor after that password it is only the second.
    let browser = app.anonymous();
    browser.post(LOGIN, &login("alice", OWN)).await.expect_status(202);
    let options = browser.post("/api/v1/auth/second-factor/passkey", &json!({})).await.expect(200);
    let credential = key.get(&options["publicKey"]);
    let body = json!({ "method": "PASSKEY", "ceremonyId": options["ceremonyId"], "credential": credential });
    let me = browser.post("/api/v1/auth/second-factor", &body).await.expect(200);
    assert_eq!(me["mustChangePassword"], true);
    browser.get("/api/v1/servers").await.problem(403, "password_change_required");
}
