//! A server's name and configuration, by its owner and by an admin.

use proxima_test_support::{PASSWORD, TestApp, audited};
use serde_json::{Value, json};
use sqlx::PgPool;

fn listener(port: u32, backend: &str) -> Value {
    json!({ "port": port, "backendUrl": backend })
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_owner_and_an_admin_rename_it_and_the_log_says_who(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let own = app.sign_in("alice", PASSWORD).await;
    let path = format!("/api/v1/servers/{}", customer.server_id);
    assert_eq!(own.patch(&path, &json!({ "name": " Box 🦦 " })).await.expect(200)["name"], "Box 🦦");
    assert_eq!(admin.patch(&path, &json!({ "name": "Box 2" })).await.expect(200)["name"], "Box 2");
    for (name, code) in [("", "required"), ("  ", "required"), ("a\u{0}", "invalid"), (&"x".repeat(65), "too_long")] {
        own.patch(&path, &json!({ "name": name })).await.refuses(&[("name", code)]);
    }
    own.patch(&path, &json!({ "name": "é".repeat(64) })).await.expect_status(200);
    let rows = audited(&app.db, "server.rename").await;
    let who: Vec<_> = rows.iter().map(|row| row.username.as_str()).collect();
    assert_eq!(who, ["alice", "admin", "alice"]);
    assert_eq!(rows[1].metadata, json!({ "name": { "from": "Box 🦦", "to": "Box 2" } }));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_configuration_names_every_problem_at_once(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let own = app.sign_in("alice", PASSWORD).await;
    let path = format!("/api/v1/servers/{}/config", customer.server_id);
    let save = |generation: i64, listeners: Value| {
        let (own, path) = (own.clone(), path.clone());
        async move { own.put(&path, &json!({ "generation": generation, "listeners": listeners })).await }
    };
    save(
        0,
        json!([
            listener(0, "http://127.0.0.1:3000"),
            listener(65536, "ftp://127.0.0.1"),
            listener(6060, "nonsense"),
            listener(80, "http://127.0.0.1:3000/path"),
            listener(u32::MAX, "http://user:password@host"),
        ]),
    )
    .await
    .refuses(&[
        ("listeners[0].port", "out_of_range"),
        ("listeners[1].port", "out_of_range"),
        ("listeners[1].backendUrl", "invalid"),
        ("listeners[2].port", "reserved"),
        ("listeners[2].backendUrl", "invalid"),
        ("listeners[3].backendUrl", "invalid"),
        ("listeners[4].port", "out_of_range"),
        ("listeners[4].backendUrl", "invalid"),
    ]);
    save(0, json!([listener(80, "http://127.0.0.1:3000"), listener(80, "http://127.0.0.1:80")]))
        .await
        .refuses(&[("listeners[1].port", "duplicate"), ("listeners[1].backendUrl", "loop")]);
    let many: Vec<Value> = (1..=65).map(|port| listener(port, "http://127.0.0.1:3000")).collect();
    save(0, json!(many)).await.refuses(&[("listeners", "too_many")]);
    let saved = save(0, json!(many[..64])).await.expect(200);
    assert_eq!((&saved["generation"], saved["listeners"].as_array().unwrap().len()), (&json!(1), 64));
    assert!(saved["updatedAt"].is_string());
    for stale in [0, 2, -1] {
        save(stale, json!([])).await.problem(409, "stale");
    }
    assert_eq!(save(1, json!([])).await.expect(200)["generation"], 2);
    let row = audited(&app.db, "server.config.update").await.pop().unwrap();
    assert_eq!((row.username.as_str(), &row.metadata["generation"]), ("alice", &json!(2)));
    assert_eq!(row.metadata["config"]["from"]["listeners"].as_array().unwrap().len(), 64);
}
