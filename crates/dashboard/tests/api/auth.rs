//! Signing in: cookies, tokens, personal pages, unknown names, passwords changed meanwhile.

use crate::PROGRAM;
use proxima_dashboard::config::AppConfig;
use proxima_test_support::{
    Blocker, Client, DashboardProcess, Folder, PASSWORD, TestApp, audited, database_url, dump, rows_matching,
};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

const LOGIN: &str = "/api/v1/auth/login";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let answer = app.anonymous().post(LOGIN, &json!({ "username": " ALICE ", "password": PASSWORD })).await;
    let me = answer.expect(200);
    assert_eq!((me["username"].as_str(), me["role"].as_str()), (Some("alice"), Some("CUSTOMER")));
    let cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let mut names = Vec::new();
    for cookie in cookies {
        let attributes: Vec<&str> = cookie.split("; ").collect();
        names.push(attributes[0].split_once('=').unwrap().0);
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(attributes.contains(&attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        // The session ends with the browser.
        assert_eq!(cookie.contains("Max-Age"), !cookie.starts_with("proxima_session="), "{cookie}");
    }
    names.sort_unstable();
    assert_eq!(names, ["proxima_device", "proxima_login", "proxima_session"]);
    // 256 random bits, another one each time, and nowhere in the answer's body.
    let token = answer.session_token().unwrap();
    assert_eq!(token.len(), 43);
    assert!(!answer.text.contains(&token));
    assert_ne!(app.session_token("alice").await, token);
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn over_https_the_cookie_is_bound_to_the_host(db: PgPool) {
    let config = AppConfig {
        bcrypt_cost: 4,
        secure_cookies: true,
        public_origin: Some("https://panel.example.com".to_owned()),
        ..AppConfig::default()
    };
    let app = TestApp::start_with(db, config).await;
    app.customer("alice").await;
    let answer = app.anonymous().post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await;
    answer.expect_status(200);
    for cookie in answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()) {
        assert!(cookie.starts_with("__Host-proxima_"), "{cookie}");
        for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(cookie.split("; ").any(|found| found == attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    let token = answer.session_token().unwrap();
    let with = |name: &'static str| Client::with_token(&app.url, name, &token);
    with("__Host-proxima_session").get("/api/v1/me").await.expect_status(200);
    // A name that a subdomain or plain HTTP could set is not read.
    with("proxima_session").get("/api/v1/me").await.problem(401, "unauthenticated");
    // Behind a proxy, the public origin is the one that counts.
    let from = |origin: &str| with("__Host-proxima_session").with_header("origin", origin);
    from("https://panel.example.com").patch("/api/v1/me", &json!({ "displayName": null })).await.expect_status(200);
    from("https://evil.example.com").patch("/api/v1/me", &json!({})).await.problem(403, "cross_origin");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_database_holds_a_digest_of_the_token_only(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let token = app.session_token("alice").await;
    app.with_token(&token).get("/api/v1/me").await.expect_status(200);
    let text = dump(&app.db).await;
    assert!(text.contains("token_digest"), "the sessions are in the dump");
    assert!(!text.contains(&token));
    let hex = token.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert!(!text.contains(&hex));
    // What the database holds opens nothing.
    let rows = rows_matching(&app.db, "sessions", "true").await;
    let digest = rows[0]["token_digest"].as_str().unwrap().trim_start_matches("\\x").to_owned();
    app.with_token(&digest).get("/api/v1/me").await.problem(401, "unauthenticated");
    for odd in ["", "x", "%00", "\"quoted\"", &token[..42], &format!("{token}A"), &"A".repeat(8_000)] {
        app.with_token(odd).get("/api/v1/me").await.problem(401, "unauthenticated");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_unknown_name_is_answered_like_a_wrong_password(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let form = json!({ "username": "alice", "loginSlug": "acme", "password": PASSWORD, "role": "CUSTOMER" });
    admin.post("/api/v1/users", &form).await.expect_status(201);
    app.customer("bob").await;
    let wrong = app.anonymous().post(LOGIN, &json!({ "username": "alice", "password": "wrong" })).await;
    let mut expected = wrong.problem(401, "invalid_credentials");
    expected["requestId"].take();
    for (username, slug, password) in [
        (Some("nobody"), None, PASSWORD),
        (Some(""), Some("nobody"), PASSWORD),
        (None, Some("acme"), "wrong"),
        (None, Some("nobody"), PASSWORD),
        (Some("bob"), Some("acme"), PASSWORD),
        (Some("alice"), Some("nobody"), PASSWORD),
        (Some("alice"), Some(" acme"), PASSWORD),
        (Some("alice' OR true --"), None, PASSWORD),
        (Some("ali%"), None, PASSWORD),
        (Some("alice\u{0}"), None, PASSWORD),
        (None, Some("acme\u{0}"), PASSWORD),
        (Some("alice"), None, "\u{0}"),
        (Some("alice"), None, &"x".repeat(10_000)),
    ] {
        // What throttles is tested in throttles.rs.
        sqlx::query("DELETE FROM throttles").execute(&app.db).await.unwrap();
        let body = json!({ "username": username, "slug": slug, "password": password });
        let answer = app.anonymous().post(LOGIN, &body).await;
        let mut problem = answer.problem(401, "invalid_credentials");
        problem["requestId"].take();
        assert_eq!(problem, expected, "{username:?} {slug:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    for body in [json!({ "password": "x" }), json!({ "username": "  ", "slug": " ", "password": "x" })] {
        app.anonymous().post(LOGIN, &body).await.refuses(&[("username", "required")]);
    }
    let empty = json!({ "username": "", "password": "" });
    app.anonymous().post(LOGIN, &empty).await.refuses(&[("username", "required"), ("password", "required")]);
    // People type passwords into the name's field: a name that nobody has is not written down.
    let failed = audited(&app.db, "user.login.failed").await;
    let known = ["alice", "anonymous"];
    assert!(failed.iter().all(|row| known.contains(&row.username.as_str()) && row.outcome == "FAILURE"), "{failed:?}");
    assert!(!dump(&app.db).await.contains("nobody"));
}

/// bcrypt's share of the CPU time shows whether the work was done; the clock on the wall is not asked.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_unknown_name_costs_as_much_work_as_a_known_one(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[("PROXIMA_BCRYPT_COST", "11")]).await;
    let hash = bcrypt_at_cost_11(&process, &db).await;
    assert!(hash.starts_with("$2b$11$"), "{hash}");
    let mut ticks = Vec::new();
    for username in ["known", "nobody"] {
        let before = process.cpu_ticks();
        for _ in 0..4 {
            let body = json!({ "username": username, "password": "not-the-password" });
            process.client().post(LOGIN, &body).await.problem(401, "invalid_credentials");
        }
        ticks.push(process.cpu_ticks() - before);
    }
    assert!(ticks[1] * 2 > ticks[0] && ticks[0] > 8, "CPU ticks of known and unknown: {ticks:?}");
}

/// A user whose password this process hashed.
async fn bcrypt_at_cost_11(process: &DashboardProcess, db: &PgPool) -> String {
    let admin = process.client();
    admin.post(LOGIN, &json!({ "username": "admin", "password": PASSWORD })).await.expect_status(200);
    let form = json!({ "username": "known", "password": PASSWORD, "role": "CUSTOMER" });
    admin.post("/api/v1/users", &form).await.expect_status(201);
    sqlx::query_scalar("SELECT password_hash FROM users WHERE username = 'known'").fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_personal_page_greets_and_signs_in_that_customer_only(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for (username, slug, name) in [("alice", "acme", json!("Alice & <b>Co</b>")), ("bob", "bobs", Value::Null)] {
        let form = json!({ "username": username, "loginSlug": slug, "displayName": name, "password": PASSWORD, "role": "CUSTOMER" });
        admin.post("/api/v1/users", &form).await.expect_status(201);
    }
    let page = |slug: &'static str| {
        let client = app.anonymous();
        async move { client.get(&format!("/api/v1/login-pages/{slug}")).await.expect(200) }
    };
    assert_eq!(page("acme").await, json!({ "displayName": "Alice & <b>Co</b>" }));
    assert_eq!(page("bobs").await, json!({ "displayName": "bob" }));
    for unknown in ["nobody", "ACME", "acme%20", "%00", "a%2Fb", "%F0%9F%98%80", "login", "alice"] {
        assert_eq!(page(unknown).await, json!({ "displayName": null }), "{unknown}");
    }
    let sign_in = |slug: &'static str, username: Option<&'static str>| {
        let client = app.anonymous();
        async move { client.post(LOGIN, &json!({ "slug": slug, "username": username, "password": PASSWORD })).await }
    };
    assert_eq!(sign_in("acme", None).await.expect(200)["username"], "alice");
    assert_eq!(sign_in("bobs", Some("bob")).await.expect(200)["username"], "bob");
    // The right password of somebody else does not open this page.
    sign_in("acme", Some("bob")).await.problem(401, "invalid_credentials");
    sign_in("acme", Some("admin")).await.problem(401, "invalid_credentials");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_hash_of_a_lower_cost_is_renewed_at_the_next_sign_in(db: PgPool) {
    let app = TestApp::start_with(db, AppConfig { bcrypt_cost: 5, ..AppConfig::default() }).await;
    app.customer("alice").await;
    let store = |cost| {
        let set = sqlx::query("UPDATE users SET password_hash = $1").bind(bcrypt::hash(PASSWORD, cost).unwrap());
        set.execute(&app.db)
    };
    let stored = || async {
        let hash = sqlx::query_scalar::<_, String>("SELECT password_hash FROM users").fetch_one(&app.db).await.unwrap();
        hash[..7].to_owned()
    };
    store(4).await.unwrap();
    let wrong = json!({ "username": "alice", "password": "not-the-password" });
    app.anonymous().post(LOGIN, &wrong).await.problem(401, "invalid_credentials");
    assert_eq!(stored().await, "$2b$04$", "only a right password can be hashed anew");
    let alice = app.sign_in("alice", PASSWORD).await;
    assert_eq!(stored().await, "$2b$05$");
    alice.get("/api/v1/me").await.expect_status(200);
    app.sign_in("alice", PASSWORD).await;
    store(6).await.unwrap();
    app.sign_in("alice", PASSWORD).await;
    assert_eq!(stored().await, "$2b$06$", "a higher one stays");
}

/// A login that read the old password, and a change of it that comes in between (one transaction after the other).
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_login_with_the_old_password_does_not_outlive_its_change(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    let mut blocker = Blocker::hold(&app.db, "SELECT FROM audit_head FOR UPDATE").await;
    // The login has checked the old password, and waits with its session not yet committed.
    let late = app.anonymous();
    let login = tokio::spawn({
        let late = late.clone();
        async move { late.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await.status.as_u16() }
    });
    blocker.wait_for("SELECT append_audit").await;
    let change = tokio::spawn({
        let alice = alice.clone();
        let body = json!({ "currentPassword": PASSWORD, "newPassword": "another-heron-sings-8" });
        async move { alice.post("/api/v1/me/password", &body).await.status.as_u16() }
    });
    // The change waits too: for the login, or for the log.
    blocker.wait_for("UPDATE users SET password_hash").await;
    blocker.release().await;
    let (login, change) = (login.await.unwrap(), change.await.unwrap());
    assert_eq!((login, change), (200, 204));
    late.get("/api/v1/me").await.problem(401, "unauthenticated");
    alice.get("/api/v1/me").await.expect_status(200);
    app.sign_in("alice", "another-heron-sings-8").await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_login_while_the_account_is_deleted_is_refused_like_any_other(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let mut blocker = Blocker::hold(&app.db, "DELETE FROM users WHERE username = 'alice'").await;
    let login = tokio::spawn({
        let client = app.anonymous();
        async move { client.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await }
    });
    blocker.wait_for("SELECT password_hash FROM users").await;
    sqlx::raw_sql("COMMIT").execute(blocker.connection()).await.unwrap();
    login.await.unwrap().problem(401, "invalid_credentials");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_flood_of_logins_leaves_everybody_an_answer(db: PgPool) {
    let app = TestApp::start(db).await;
    let mut logins = tokio::task::JoinSet::new();
    for i in 0..40 {
        let name = format!("customer-{i}");
        app.customer(&name).await;
        let client = app.anonymous();
        let password = if i % 2 == 0 { PASSWORD } else { "wrong" };
        logins.spawn(async move {
            let answer = client.post(LOGIN, &json!({ "username": name, "password": password })).await;
            assert_eq!(answer.status.as_u16(), if i % 2 == 0 { 200 } else { 401 }, "{answer:?}");
        });
    }
    logins.join_all().await;
    assert_eq!(audited(&app.db, "user.login").await.len(), 20);
    assert_eq!(audited(&app.db, "user.login.failed").await.len(), 20);
}
