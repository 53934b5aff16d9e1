//! Webhooks and e-mail: real receivers, the database's own clock moved instead of waiting.

mod email;
mod episodes;
mod receiver;
mod webhooks;

use proxima_dashboard::app::App;
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::jobs;
use proxima_test_support::{Client, TestApp, rows_matching};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;

fn config() -> AppConfig {
    let outbound_allowed = vec!["127.0.0.0/8".parse().unwrap()];
    AppConfig { bcrypt_cost: 4, outbound_allowed, ..AppConfig::default() }
}

async fn start(db: PgPool) -> TestApp {
    TestApp::start_with(db, config()).await
}

/// Makes a webhook; returns its id and secret.
async fn webhook(admin: &Client, url: &str, events: &[&str]) -> (String, String) {
    let form = json!({ "kind": "WEBHOOK", "description": "Hook", "url": url, "events": events, "enabled": true });
    let made = admin.post("/api/v1/notifications/endpoints", &form).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["endpoint"]["id"]), text(&made["secret"]))
}

async fn send_due(app: &Arc<App>) -> usize {
    jobs::notifications::send_due(app).await.unwrap()
}

async fn execute(db: &PgPool, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(db).await.unwrap();
}

/// All that waits is due now.
async fn make_due(db: &PgPool) {
    execute(db, "UPDATE notification_deliveries SET next_attempt_at = clock_timestamp() WHERE state = 'WAITING'").await;
    execute(db, "UPDATE notification_endpoints SET not_before = NULL").await;
}

async fn states(db: &PgPool) -> Vec<String> {
    let rows = rows_matching(db, "notification_deliveries", "true").await;
    let mut states: Vec<String> = rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
    states.sort();
    states
}
