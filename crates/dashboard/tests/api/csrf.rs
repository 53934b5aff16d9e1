//! Requests that another site makes a browser send, and what every answer tells a browser.

use crate::routes::operations;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{Client, Method, TestApp, TestGateway};
use proxima_types::Role;
use serde_json::json;
use sqlx::PgPool;

fn addressed(path: &str) -> String {
    let id = OsEntropy.uuid().to_string();
    path.replace("{userId}", &id).replace("{serverId}", &id).replace("{sessionId}", &id).replace("{slug}", "nobody")
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_unsafe_route_takes_a_request_from_another_site(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let host = app.url.trim_start_matches("http://").to_owned();
    let foreign = |client: &Client| {
        vec![
            client.with_header("sec-fetch-site", "cross-site"),
            client.with_header("sec-fetch-site", "same-site"),
            client.with_header("origin", "https://evil.example.com"),
            client.with_header("origin", "null"),
            client.with_header("origin", &format!("http://{host}.evil.example.com")),
            client.with_header("origin", "http://127.0.0.1:1"),
            client.with_header("sec-fetch-site", "cross-site").with_header("origin", &format!("http://{host}")),
        ]
    };
    let mut unsafe_routes = 0;
    for (method, path) in operations() {
        if method == "GET" {
            continue;
        }
        unsafe_routes += 1;
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for client in foreign(&admin).into_iter().chain(foreign(&app.anonymous())) {
            client.send(method.clone(), &addressed(&path), Some(&json!({}))).await.problem(403, "cross_origin");
        }
        // The same from our own page gets as far as the route itself.
        for own in [
            admin.with_header("sec-fetch-site", "same-origin"),
            admin.with_header("origin", &app.url),
            admin.with_header("sec-fetch-site", "none"),
        ] {
            if path.ends_with("/logout") {
                continue;
            }
            let answer = own.send(method.clone(), &addressed(&path), Some(&json!({}))).await;
            assert_ne!(answer.json()["code"], "cross_origin", "{method} {path}");
        }
    }
    assert!(unsafe_routes > 10, "{unsafe_routes}");
    admin.get("/api/v1/me").await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_form_of_another_site_cannot_pose_as_json(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let body = br#"{"dashboardIpAllowlist":["203.0.113.7"],"offlineLimitDays":null}"#.to_vec();
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data; boundary=x")]
    {
        let answer = admin.send_bytes(Method::PUT, "/api/v1/settings", kind, body.clone()).await;
        answer.refuses(&[("body", "invalid")]);
    }
    let kind = Some("application/json; charset=utf-8");
    admin.send_bytes(Method::PUT, "/api/v1/settings", kind, body).await.expect_status(200);
}

const HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_answer_carries_the_security_headers(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let customer = app.sign_in_new("alice", Role::Customer).await;
    let anonymous = app.anonymous();
    let large = vec![b' '; 300 * 1024];
    let answers = [
        admin.get("/api/v1/users").await,
        admin.get("/api/v1/audit/export").await,
        anonymous.get("/api/v1/users").await,
        customer.get("/api/v1/users").await,
        admin.get("/api/v1/nothing-here").await,
        admin.post("/api/v1/users", &json!({})).await,
        admin.delete("/api/v1/fleet").await,
        admin.with_header("sec-fetch-site", "cross-site").put("/api/v1/settings", &json!({})).await,
        admin.send_bytes(Method::POST, "/api/v1/users", Some("application/json"), large).await,
        anonymous.get("/").await,
        anonymous.get("/login/acme").await,
        anonymous.get("/assets/nothing-here.js").await,
        anonymous.get("/healthz").await,
        anonymous.post("/api/v1/heartbeat", &json!({})).await,
        anonymous.with_header("proxima-nonce", &TestGateway::nonce()).post("/api/v1/heartbeat", &json!({})).await,
    ];
    for answer in answers {
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), Some(*value), "{answer:?}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{part}: {policy}");
        }
        let scripts = policy.split("; ").find(|part| part.starts_with("script-src")).unwrap();
        assert!(!scripts.contains("unsafe"), "{scripts}");
        assert!(answer.header("permissions-policy").is_some());
        assert!(answer.header("cache-control").is_some());
        assert_eq!(answer.header("server"), None);
        let ids: Vec<_> = answer.headers.get_all("x-request-id").iter().collect();
        assert_eq!(ids.len(), 1);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_request_id_is_ours_and_each_is_another(db: PgPool) {
    let app = TestApp::start(db).await;
    let client = app.anonymous().with_header("x-request-id", "forged\tid");
    let first = client.get("/api/v1/me").await;
    let second = client.get("/api/v1/me").await;
    let ids = [first.problem(401, "unauthenticated"), second.problem(401, "unauthenticated")]
        .map(|json| json["requestId"].clone());
    assert_ne!(ids[0], ids[1]);
    assert!(!first.text.contains("forged"));
}
