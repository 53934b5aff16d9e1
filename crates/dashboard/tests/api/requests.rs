//! Requests that are not well-formed: refused as problem documents, whatever is wrong with them.

use proxima_test_support::{Method, PASSWORD, TestApp, rows_matching};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

/// The routes that take JSON, from the OpenAPI document, with ids that exist.
fn json_routes(user: &str, server: &str) -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&proxima_dashboard::http::openapi_json().unwrap()).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            // Those are asked by machines, with credentials of their own.
            let of_machines = path.ends_with("/heartbeat") || path.starts_with("/api/v1/install/");
            let Some(schema) = schema.as_str().filter(|_| !of_machines) else { continue };
            let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
            // Of a choice, the first.
            let schema = schema.pointer("/oneOf/0").unwrap_or(schema).clone();
            let path = path
                .replace("{userId}", user)
                .replace("{serverId}", server)
                .replace("{passkeyId}", user)
                .replace("{endpointId}", user);
            routes.push((Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path, schema));
        }
    }
    routes
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn bodies_that_are_not_the_documented_json_are_refused(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let before = (rows_matching(&app.db, "users", "true").await, rows_matching(&app.db, "servers", "true").await);
    let routes = json_routes(&customer.id.to_string(), &customer.server_id.to_string());
    assert!(routes.len() >= 9, "{}", routes.len());
    let json = Some("application/json");
    for (method, path, schema) in routes {
        let malformed: [&[u8]; 9] =
            [b"", b"{", b"{]", b"nonsense", b"\xff\xfe", b"[]", b"null", b"\"text\"", br#"{"username":"\ud800"}"#];
        for body in malformed {
            let answer = admin.send_bytes(method.clone(), &path, json, body.to_vec()).await;
            answer.refuses(&[("body", "invalid")]);
        }
        for kind in [None, Some("text/plain"), Some("text/html")] {
            admin.send_bytes(method.clone(), &path, kind, b"{}".to_vec()).await.refuses(&[("body", "invalid")]);
        }
        // A field that the API does not have is not silently dropped.
        let mut required = serde_json::Map::new();
        for (name, kind) in schema["properties"].as_object().unwrap() {
            let value = match kind.to_string() {
                _ if kind["enum"].is_array() => kind["enum"][0].clone(),
                _ if kind["type"] == "object" => json!({}),
                text if text.contains("uuid") => json!(customer.id),
                text if text.contains("roles") || text.contains("Role") => json!("CUSTOMER"),
                text if text.contains("\"array\"") => json!([]),
                text if text.contains("\"integer\"") => json!(1),
                text if text.contains("\"boolean\"") => json!(true),
                _ => json!("fine-otter-8-words"),
            };
            required.insert(name.clone(), value);
        }
        required.insert("isAdmin".to_owned(), json!(true));
        let answer = admin.send(method.clone(), &path, Some(&Value::Object(required))).await;
        answer.refuses(&[("body", "invalid")]);
        assert!(answer.text.contains("isAdmin"), "{method} {path}: {}", answer.text);
        // Wrong types.
        for (name, _) in schema["properties"].as_object().unwrap() {
            let answer = admin.send(method.clone(), &path, Some(&json!({ name: { "a": [1] } }))).await;
            answer.problem(422, "validation_failed");
        }
    }
    let after = (rows_matching(&app.db, "users", "true").await, rows_matching(&app.db, "servers", "true").await);
    assert_eq!(before, after, "what was refused changed nothing");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_forgotten_display_name_clears_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in(&app.customer("alice").await.username, PASSWORD).await;
    alice.patch("/api/v1/me", &json!({ "displayName": "Alice" })).await.expect_status(200);
    alice.patch("/api/v1/me", &json!({})).await.refuses(&[("body", "invalid")]);
    assert_eq!(alice.get("/api/v1/me").await.expect(200)["displayName"], "Alice");
    alice.patch("/api/v1/me", &json!({ "displayName": null })).await.expect_status(200);
    assert_eq!(alice.get("/api/v1/me").await.expect(200)["displayName"], Value::Null);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_unknown_parameter_is_refused_by_every_list(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for list in ["users", "servers", "audit", "audit/export"] {
        admin.get(&format!("/api/v1/{list}?serach=x")).await.refuses(&[("query", "invalid")]);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_huge_body_is_too_large_for_every_route(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    for (method, path, _) in json_routes(&customer.id.to_string(), &customer.server_id.to_string()) {
        let body = format!(r#"{{"x":"{}"}}"#, "y".repeat(300 * 1024)).into_bytes();
        admin.send_bytes(method, &path, Some("application/json"), body).await.problem(413, "too_large");
    }
    // And somebody without a session is not read at all.
    let body = vec![b' '; 300 * 1024];
    let answer = app.anonymous().send_bytes(Method::POST, "/api/v1/users", Some("application/json"), body).await;
    answer.problem(401, "unauthenticated");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn deep_nesting_and_repeated_fields_are_refused(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let json = Some("application/json");
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes();
    admin.send_bytes(Method::POST, "/api/v1/users", json, deep).await.problem(422, "validation_failed");
    let twice = format!(r#"{{"username":"alice","username":"admin2","password":"{PASSWORD}","role":"CUSTOMER"}}"#);
    admin.send_bytes(Method::POST, "/api/v1/users", json, twice.into_bytes()).await.refuses(&[("body", "invalid")]);
    assert_eq!(rows_matching(&app.db, "users", "true").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_error_says_more_than_its_caller_may_know(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    sqlx::query("ALTER TABLE settings RENAME TO settings_elsewhere").execute(&app.db).await.unwrap();
    for client in [&admin, &customer] {
        let answer = client.get("/api/v1/platform").await;
        answer.problem(500, "internal");
        for inside in ["settings", "relation", "sqlx", "SELECT", "src/"] {
            assert!(!answer.text.contains(inside), "{}", answer.text);
        }
    }
    sqlx::query("ALTER TABLE settings_elsewhere RENAME TO settings").execute(&app.db).await.unwrap();
    admin.get("/api/v1/platform").await.expect_status(200);
}

/// A change whose audit row cannot be written does not take place (invariant 8).
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_its_audit_row_nothing_happens(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    sqlx::query("ALTER TABLE audit_log ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
        .execute(&app.db)
        .await
        .unwrap();
    let tables = ["users", "servers", "settings", "retired_keys"];
    let mut before = Vec::new();
    for table in tables {
        before.push(rows_matching(&app.db, table, "true").await);
    }
    let (user, server) = (format!("/api/v1/users/{}", customer.id), format!("/api/v1/servers/{}", customer.server_id));
    let attempts = [
        (
            Method::POST,
            "/api/v1/users".to_owned(),
            json!({ "username": "bob", "password": PASSWORD, "role": "CUSTOMER" }),
        ),
        (Method::PATCH, user.clone(), json!({ "username": "bob" })),
        (Method::PATCH, user.clone(), json!({ "role": "ADMIN", "confirmServerDeletion": "alice" })),
        (Method::DELETE, format!("{user}?confirmUsername=alice"), json!({})),
        (Method::PATCH, server.clone(), json!({ "name": "Renamed" })),
        (Method::PUT, format!("{server}/config"), json!({ "generation": 0, "listeners": [] })),
        (Method::POST, format!("{server}/license/revoke"), json!({})),
        (Method::POST, format!("{server}/license/regenerate"), json!({})),
        (
            Method::PUT,
            "/api/v1/settings".to_owned(),
            json!({ "dashboardIpAllowlist": ["1.2.3.4"], "offlineLimitDays": 1 }),
        ),
        (Method::PATCH, "/api/v1/me".to_owned(), json!({ "displayName": "Changed" })),
        (
            Method::POST,
            "/api/v1/me/password".to_owned(),
            json!({ "currentPassword": PASSWORD, "newPassword": "another-heron-sings-8" }),
        ),
    ];
    for (method, path, body) in attempts {
        admin.send(method, &path, Some(&body)).await.problem(500, "internal");
    }
    let revealed = admin.post(&format!("{server}/license/reveal"), &json!({})).await;
    revealed.problem(500, "internal");
    assert!(!revealed.text.contains("pk_"), "what cannot be logged is not shown");
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(rows_matching(&app.db, table, "true").await, before, "{table}");
    }
}
