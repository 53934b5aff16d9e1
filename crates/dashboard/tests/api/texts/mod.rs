//! Hostile texts in every text field of every endpoint: stored as they are, or refused with the field's
//! name; never a 500. A field of the OpenAPI document that is not covered here fails the test.

mod fields;

use fields::{FIELDS, Field};
use proxima_test_support::{Answer, Client, Method, TestApp};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeSet;

fn hostile() -> Vec<String> {
    [
        "a\u{0}b",
        "\u{0}",
        "a\u{1}b\u{7f}",
        "\u{1b}[31mred\u{1b}[0m",
        "line\r\nSet-Cookie: a=b",
        "tab\tseparated",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE users; --",
        "\\'; SELECT pg_sleep(10) --",
        "\u{202e}gnp.exe",
        "zero\u{200b}width",
        "=HYPERLINK(\"http://evil\")",
        "{{7*7}} ${7*7} %s %n",
        "../../../etc/passwd",
        "%00 \\u0000 &#0;",
        "Zoë 山田 Ωμέγα عربى 🦦",
        "e\u{301} vs é",
        "\u{feff}bom",
        "\u{fffe}\u{10ffff}",
        "   ",
        "",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(["x".repeat(100_000), "é".repeat(65), "🦦".repeat(64)])
    .collect()
}

fn schema_texts() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&proxima_dashboard::http::openapi_json().unwrap()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // The heartbeat's are of the gateway (heartbeat/refusals.rs), a claim's and a report's of a box that installs itself
    // (install_tokens); the others are answers.
    let of_machines = ["HeartbeatRequest", "ClaimRequest", "ReportRequest"];
    let requests = schemas.iter().filter(|(name, _)| {
        (name.ends_with("Request") || *name == "ListenerInput") && !of_machines.contains(&name.as_str())
    });
    let mut texts = BTreeSet::new();
    for (name, schema) in requests {
        let choices = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for (property, kind) in choices.iter().flat_map(|choice| choice["properties"].as_object().unwrap()) {
            let text = kind.to_string();
            // A passkey's credential, which only the browser writes; the words of a list are the document's own.
            let free = kind["type"] == "object";
            if !free && text.contains("\"string\"") && !text.contains("\"enum\"") && !text.contains("\"uuid\"") {
                texts.insert((name.clone(), property.clone()));
            }
        }
    }
    texts
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn hostile_texts_are_stored_as_they_are_or_refused_by_name(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let covered: BTreeSet<_> =
        FIELDS.iter().map(|field| (field.schema.to_owned(), field.property.to_owned())).collect();
    assert_eq!(covered, schema_texts(), "a text field of the API is not covered here, or is gone");
    let (user, server) = (customer.id.to_string(), customer.server_id.to_string());
    let hook = json!({ "kind": "WEBHOOK", "description": "x", "url": "https://a.example/", "events": ["key.shared"],
        "enabled": true });
    let hook = admin.post("/api/v1/notifications/endpoints", &hook).await.expect(201);
    let endpoint = hook["endpoint"]["id"].as_str().unwrap();
    admin.post("/api/v1/me/totp", &json!({})).await.expect_status(201);
    let passkey = "INSERT INTO passkeys (id, user_id, credential_id, credential, name, synced) \
                   SELECT $1, id, '', '{}', 'Key', false FROM users WHERE username = 'admin'";
    sqlx::query(passkey).bind(customer.id.0).execute(&app.db).await.unwrap();
    for field in FIELDS {
        let method = Method::from_bytes(field.method.as_bytes()).unwrap();
        let path = field.path.replace("{user}", &user).replace("{server}", &server).replace("{endpoint}", endpoint);
        let (mut stored, mut refused) = (0, 0);
        for text in hostile() {
            // What too many of them are answered with is tested in throttles.rs.
            sqlx::query("DELETE FROM throttles").execute(&app.db).await.unwrap();
            let answer = admin.send(method.clone(), &path, Some(&field.body(&text))).await;
            if answer.status.is_success() {
                stored += 1
            } else {
                refused += 1
            }
            check(field, &text, &answer);
        }
        assert!(stored + refused == hostile().len() && refused > 0, "{} {}", field.schema, field.property);
    }
    // The texts are all in the log and the lists by now.
    for path in [
        "/api/v1/users?limit=200",
        "/api/v1/servers?limit=200",
        "/api/v1/audit?limit=200",
        "/api/v1/audit/export",
        "/api/v1/fleet",
    ] {
        admin.get(path).await.expect_status(200);
    }
    assert_eq!(proxima_test_support::first_broken(&app.db).await.unwrap(), None);
}

#[track_caller]
fn check(field: &Field, text: &str, answer: &Answer) {
    let shown: String = text.chars().take(40).collect();
    let what = format!("{}.{} {shown:?}: {} {}", field.schema, field.property, answer.status, answer.text);
    if answer.status.is_success() {
        if let Some(pointer) = field.read_back.filter(|_| answer.status != 204) {
            let body = answer.json();
            let kept = body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let blank = text.trim().is_empty();
            assert!(blank || kept.to_lowercase() == text.trim().to_lowercase(), "changed: {what}");
        }
        return;
    }
    assert!(answer.header("content-type") == Some("application/problem+json"), "{what}");
    match answer.status.as_u16() {
        // Of accounts that the text before it made; and credentials that are nobody's.
        409 | 422 => {
            let fields = answer.bad_fields();
            let known = |name: &String| field.named.contains(&name.as_str());
            let code = answer.json()["code"].clone();
            let whole = (code == "confirmation_required" || code == "host_key_other") && field.named.is_empty();
            assert!(whole || (!fields.is_empty() && fields.iter().all(known)), "not named: {what}");
        }
        401 => {
            let expected = if field.schema == "LoginRequest" { "invalid_credentials" } else { "login_expired" };
            assert_eq!(answer.json()["code"], expected, "{what}");
            assert!(["LoginRequest", "SecondFactorRequest"].contains(&field.schema), "{what}");
        }
        _ => panic!("{what}"),
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn script_tags_come_back_as_json_texts_only(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let script = "<script>alert(1)</script>";
    admin.patch(&format!("/api/v1/users/{}", customer.id), &json!({ "displayName": script })).await.expect_status(200);
    admin
        .patch(&format!("/api/v1/servers/{}", customer.server_id), &json!({ "name": script }))
        .await
        .expect_status(200);
    for path in ["/api/v1/users", "/api/v1/servers", "/api/v1/audit"] {
        let answer = admin.get(path).await;
        assert!(answer.text.contains(script), "{path}: it is stored as it was typed");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let export = admin.get("/api/v1/audit/export").await;
    assert!(export.header("content-disposition").unwrap().starts_with("attachment"));
}

/// Texts in the address: what the list and the log are asked for.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn hostile_texts_in_the_address_are_no_500(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let document: Value = serde_json::from_str(&proxima_dashboard::http::openapi_json().unwrap()).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for parameter in operations["get"]["parameters"].as_array().unwrap_or(&Vec::new()) {
            let name = parameter["name"].as_str().unwrap();
            for text in hostile().into_iter().filter(|text| text.len() < 1_000) {
                let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let address = match parameter["in"].as_str() {
                    Some("path") => {
                        path.replace(&format!("{{{name}}}"), if encoded.is_empty() { "%20" } else { &encoded })
                    }
                    _ => format!("{path}?{name}={encoded}"),
                };
                // A box with its install token asks: install_tokens.
                if !address.starts_with("/api/v1/install/") {
                    answered(&admin, &address).await;
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
    for date in [
        "-200000-01-01T00:00:00Z",
        "%2B262142-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "yesterday",
    ] {
        for side in ["from", "to"] {
            answered(&admin, &format!("/api/v1/audit?{side}={date}")).await;
        }
    }
}

async fn answered(client: &Client, address: &str) {
    let answer = client.get(address).await;
    let status = answer.status.as_u16();
    assert!([200, 404, 422].contains(&status), "{address}: {} {}", answer.status, answer.text);
    if status != 200 {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{address}");
    }
}
