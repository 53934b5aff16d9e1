//! Sessions: how they end, and what ends them.

use proxima_dashboard::jobs;
use proxima_test_support::{Client, PASSWORD, TestApp, audited, rows_matching};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

const NEW: &str = "another-heron-sings-8";
const LOGIN: &str = "/api/v1/auth/login";
const STEP_UP: &str = "/api/v1/auth/step-up";

async fn shift(db: &PgPool, change: &str) {
    sqlx::query(AssertSqlSafe(format!("UPDATE sessions SET {change}"))).execute(db).await.unwrap();
}

async fn signed_in(client: &Client) -> bool {
    let answer = client.get("/api/v1/me").await;
    if answer.status == 401 {
        answer.problem(401, "unauthenticated");
    } else {
        answer.expect_status(200);
    }
    answer.status == 200
}

async fn id_of(client: &Client) -> String {
    let list = client.get("/api/v1/me/sessions").await.expect(200);
    let current = list["items"].as_array().unwrap().iter().find(|item| item["current"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_session_ends_when_idle_and_in_any_case_after_a_week(db: PgPool) {
    let app = TestApp::start(db).await;
    let client = app.sign_in_new("alice", Role::Customer).await;
    shift(&app.db, "last_seen_at = now() - interval '11 hours 59 minutes'").await;
    assert!(signed_in(&client).await);
    // That was a sign of life, so the next twelve hours count from it.
    shift(&app.db, "last_seen_at = last_seen_at - interval '11 hours 59 minutes'").await;
    assert!(signed_in(&client).await);
    shift(&app.db, "last_seen_at = now() - interval '12 hours'").await;
    assert!(!signed_in(&client).await);
    assert!(!signed_in(&client).await, "asking does not revive it");

    let client = app.sign_in("alice", PASSWORD).await;
    let lifetime: bool = sqlx::query_scalar(
        "SELECT expires_at - created_at = interval '7 days' FROM sessions ORDER BY created_at DESC LIMIT 1",
    )
    .fetch_one(&app.db)
    .await
    .unwrap();
    assert!(lifetime);
    shift(&app.db, "expires_at = now() + interval '1 minute', last_seen_at = now() - interval '1 hour'").await;
    assert!(signed_in(&client).await);
    let listed = client.get("/api/v1/me/sessions").await.expect(200)["items"].as_array().unwrap().len();
    assert_eq!(listed, 2);
    shift(&app.db, "expires_at = now()").await;
    assert!(!signed_in(&client).await, "being seen does not move the absolute end");
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(rows_matching(&app.db, "sessions", "true").await.len(), 0, "ended sessions are forgotten");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn signing_out_ends_the_session_and_no_other(db: PgPool) {
    let app = TestApp::start(db).await;
    let first = app.sign_in_new("alice", Role::Customer).await;
    let token = app.session_token("alice").await;
    let second = app.with_token(&token);
    assert!(signed_in(&second).await);
    let answer = second.post("/api/v1/auth/logout", &json!({})).await;
    answer.expect_status(204);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("proxima_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert!(!signed_in(&app.with_token(&token)).await, "a kept cookie opens nothing");
    assert!(signed_in(&first).await);
    assert_eq!(audited(&app.db, "user.logout").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn sessions_are_listed_and_revoked_by_their_owner_only(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    let agent = app.anonymous().with_header("user-agent", &format!("Firefox/<b>{}", "x".repeat(400)));
    agent.post("/api/v1/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await.expect_status(200);
    let bob = app.sign_in_new("bob", Role::Customer).await;
    let admin = app.admin().await;

    let list = alice.get("/api/v1/me/sessions").await;
    assert!(!list.text.contains("token") && !list.text.contains("digest"), "{}", list.text);
    let items = list.expect(200)["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2);
    assert_eq!(items.iter().filter(|item| item["current"] == true).count(), 1);
    assert!(items.iter().all(|item| item["ip"] == "127.0.0.1"));
    let other = items.iter().find(|item| item["current"] == false).unwrap();
    assert_eq!(other["userAgent"].as_str().unwrap().chars().count(), 256);

    let path = format!("/api/v1/me/sessions/{}", other["id"].as_str().unwrap());
    for stranger in [&bob, &admin] {
        stranger.delete(&path).await.problem(404, "not_found");
    }
    assert!(signed_in(&agent).await);
    alice.delete(&path).await.expect_status(204);
    assert!(!signed_in(&agent).await);
    alice.delete(&path).await.problem(404, "not_found");
    let rows = audited(&app.db, "session.revoke").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].username.as_str(), rows[0].target.map(|id| id.to_string()).as_deref()),
        ("alice", other["id"].as_str())
    );
    // One's own present session, too.
    let own = format!("/api/v1/me/sessions/{}", id_of(&alice).await);
    alice.delete(&own).await.expect_status(204);
    assert!(!signed_in(&alice).await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn changing_ones_password_ends_the_other_sessions_at_once(db: PgPool) {
    let app = TestApp::start(db).await;
    let (own, bob) = (app.sign_in_new("alice", Role::Customer).await, app.sign_in_new("bob", Role::Customer).await);
    let others = [app.sign_in("alice", PASSWORD).await, app.sign_in("alice", PASSWORD).await];
    let change = |current: &str, new: &str| json!({ "currentPassword": current, "newPassword": new });
    let password = "/api/v1/me/password";
    own.post(password, &change("wrong", NEW)).await.refuses(&[("currentPassword", "wrong")]);
    own.post(password, &change(PASSWORD, "short")).await.refuses(&[("newPassword", "too_short")]);
    own.post(password, &change(PASSWORD, "alicealice")).await.refuses(&[("newPassword", "weak")]);
    assert!(signed_in(&others[0]).await, "what was refused ends nothing");
    own.post(password, &change(PASSWORD, NEW)).await.expect_status(204);
    assert!(signed_in(&own).await);
    assert!(signed_in(&bob).await);
    for other in &others {
        assert!(!signed_in(other).await);
    }
    app.anonymous()
        .post("/api/v1/auth/login", &json!({ "username": "alice", "password": PASSWORD }))
        .await
        .problem(401, "invalid_credentials");
    app.sign_in("alice", NEW).await;
    assert_eq!(audited(&app.db, "user.password.change").await[0].metadata, json!({ "endedSessions": 2 }));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_sign_in_ends_the_session_that_the_browser_had(db: PgPool) {
    let app = TestApp::start(db).await;
    let elsewhere = app.sign_in_new("alice", Role::Customer).await;
    app.customer("bob").await;
    let login = |username: &str, password: &str| json!({ "username": username, "password": password });
    let first = app.session_token("alice").await;
    let browser = app.with_token(&first);
    browser.post(LOGIN, &login("alice", "wrong")).await.problem(401, "invalid_credentials");
    assert!(signed_in(&app.with_token(&first)).await, "a sign-in that failed ends nothing");
    let second = browser.post(LOGIN, &login("alice", PASSWORD)).await;
    second.expect_status(200);
    assert!(!signed_in(&app.with_token(&first)).await, "the former token is no use to whoever copied it");
    // Somebody else at the same browser: its session was still open.
    let browser = app.with_token(&second.session_token().unwrap());
    let third = browser.post(LOGIN, &login("bob", PASSWORD)).await.session_token().unwrap();
    assert!(!signed_in(&browser).await);
    // A token that was just changed is the same session.
    let stepped = app.with_token(&third).post(STEP_UP, &json!({ "method": "PASSWORD", "password": PASSWORD })).await;
    let fourth = stepped.session_token().unwrap();
    app.with_token(&third).post(LOGIN, &login("bob", PASSWORD)).await.expect_status(200);
    assert!(!signed_in(&app.with_token(&fourth)).await);

    assert!(signed_in(&elsewhere).await, "other browsers' sessions stay");
    let replaced = audited(&app.db, "session.replace").await;
    let who: Vec<_> = replaced.iter().map(|row| row.username.as_str()).collect();
    assert_eq!(who, ["alice", "bob", "bob"]);
    assert_eq!(audited(&app.db, "user.login").await.len(), 5);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_admin_signs_somebody_out_everywhere(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let sessions = [app.sign_in("alice", PASSWORD).await, app.sign_in("alice", PASSWORD).await];
    let bob = app.sign_in_new("bob", Role::Customer).await;
    let path = format!("/api/v1/users/{}/sessions", customer.id);
    assert_eq!(admin.delete(&path).await.expect(200), json!({ "ended": 2 }));
    for session in &sessions {
        assert!(!signed_in(session).await);
    }
    assert!(signed_in(&bob).await && signed_in(&admin).await);
    app.sign_in("alice", PASSWORD).await;
    // One's own are ended on one's own page, where this one stays.
    let own = admin.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/api/v1/users/{own}/sessions")).await.problem(409, "own_sessions");
    assert!(signed_in(&admin).await);
    let rows = audited(&app.db, "user.sign_out").await;
    let outcomes: Vec<_> = rows.iter().map(|row| (row.username.as_str(), row.outcome.as_str())).collect();
    assert_eq!(outcomes, [("admin", "SUCCESS"), ("admin", "FAILURE")]);
    assert_eq!((rows[0].target, &rows[0].metadata), (Some(customer.id.0), &json!({ "endedSessions": 2 })));
}

async fn patch(client: &Client, user: &str, change: Value) {
    client.patch(&format!("/api/v1/users/{user}"), &change).await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_admins_change_of_password_or_role_ends_that_users_sessions(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let admin_elsewhere = app.sign_in("admin", PASSWORD).await;
    let customer = app.customer("alice").await;
    let id = customer.id.to_string();

    let alice = app.sign_in("alice", PASSWORD).await;
    patch(&admin, &id, json!({ "displayName": "Alice", "loginSlug": "alice", "username": "alice2" })).await;
    assert!(signed_in(&alice).await, "a new name ends nothing");
    patch(&admin, &id, json!({ "password": NEW })).await;
    assert!(!signed_in(&alice).await);

    let alice = app.sign_in("alice2", NEW).await;
    patch(&admin, &id, json!({ "role": "CUSTOMER" })).await;
    assert!(signed_in(&alice).await, "the same role is no change");
    patch(&admin, &id, json!({ "role": "ADMIN", "confirmServerDeletion": "alice2" })).await;
    assert!(!signed_in(&alice).await);
    let alice = app.sign_in("alice2", NEW).await;
    alice.get("/api/v1/users").await.expect_status(200);
    patch(&admin, &id, json!({ "role": "CUSTOMER" })).await;
    assert!(!signed_in(&alice).await, "a former admin's session is no admin's any more");

    // One's own, by the same form: this session stays, the others end.
    let own = admin.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    patch(&admin, &own, json!({ "password": NEW })).await;
    assert!(signed_in(&admin).await);
    assert!(!signed_in(&admin_elsewhere).await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn deleting_a_user_ends_all_their_sessions(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let sessions = [app.sign_in("alice", PASSWORD).await, app.sign_in("alice", PASSWORD).await];
    let bob = app.sign_in_new("bob", Role::Customer).await;
    admin.delete(&format!("/api/v1/users/{}?confirmUsername=alice", customer.id)).await.expect_status(204);
    for session in &sessions {
        assert!(!signed_in(session).await);
    }
    assert!(signed_in(&bob).await);
    // Somebody new of the same name is somebody else.
    app.customer("alice").await;
    assert!(!signed_in(&sessions[0]).await);
}
