//! Admin → Audit Log: filters, pages, and the export.

use proxima_test_support::{Client, PASSWORD, TestApp};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn page(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/api/v1/audit?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

/// Every page of the log, from the newest row on.
async fn walk(client: &Client, query: &str, limit: usize) -> Vec<i64> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/audit?{query}&limit={limit}{cursor}")).await.expect(200);
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

/// Rows as other people's work makes them.
async fn rows(app: &TestApp, count: i64) {
    sqlx::query(
        "SELECT append_audit('user.login', 'SUCCESS', gen_random_uuid(), 'user', 'somebody' || i, NULL, 'somebody', \
                             '{}', '192.0.2.1') FROM generate_series(1, $1) i",
    )
    .bind(count)
    .execute(&app.db)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn pages_have_no_gaps_or_repeats_while_rows_are_appended(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    rows(&app, 200).await;
    let newest: i64 = sqlx::query_scalar("SELECT id FROM audit_head").fetch_one(&app.db).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (done, customer) = (Arc::clone(&done), app.customer("alice").await);
        let app = TestApp { app: Arc::clone(&app.app), db: app.db.clone(), url: app.url.clone() };
        async move {
            let client = app.sign_in(&customer.username, PASSWORD).await;
            while !done.load(Ordering::Relaxed) {
                client.patch("/api/v1/me", &json!({ "displayName": "Alice" })).await.expect_status(200);
            }
        }
    });
    for limit in [7, 50, 200] {
        let ids = walk(&admin, "", limit).await;
        let first = *ids.first().unwrap();
        assert!(first >= newest);
        assert_eq!(ids, (1..=first).rev().collect::<Vec<_>>(), "by {limit}");
    }
    done.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    let whole = walk(&admin, "", 200).await;
    assert!(*whole.first().unwrap() > newest + 1, "rows were appended meanwhile");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn filters_find_what_they_name(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let own = app.sign_in("alice", PASSWORD).await;
    let server = format!("/api/v1/servers/{}", customer.server_id);
    own.patch(&server, &json!({ "name": "50%_off" })).await.expect_status(200);
    admin.post(&format!("{server}/license/revoke"), &json!({})).await.expect_status(200);
    admin.post(&format!("{server}/license/revoke"), &json!({})).await.problem(409, "license_state_conflict");
    app.anonymous()
        .post("/api/v1/auth/login", &json!({ "username": "alice", "password": "x" }))
        .await
        .expect_status(401);
    let actions =
        |items: &[Value]| items.iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();

    let found = page(&admin, "action=server.license.revoke").await;
    let outcomes: Vec<_> = found.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["FAILURE", "SUCCESS"], "newest first");
    assert_eq!(found[1]["metadata"]["graceDays"].as_f64(), Some(5.0));
    assert_eq!(actions(&page(&admin, "actor=ALICE").await), ["user.login.failed", "server.rename", "user.login"]);
    assert_eq!(page(&admin, "actor=console").await.len(), 2);
    assert_eq!(page(&admin, "actor=ali").await.len(), 0, "an actor is named whole");
    let by_id = page(&admin, &format!("target={}", customer.server_id)).await;
    assert_eq!(by_id.len(), 3);
    assert!(by_id.iter().all(|item| item["target"] == json!(customer.server_id.to_string())));
    assert_eq!(actions(&page(&admin, "target=%25_OFF").await).len(), 3, "a part of the name, literally");
    assert_eq!(page(&admin, "target=%25").await.len(), 3);
    assert_eq!(page(&admin, "action=server.license.revoke&actor=alice").await.len(), 0);
    assert_eq!(page(&admin, "action=no.such.action").await.len(), 0);

    let whole = page(&admin, "limit=200").await;
    let time = |item: &Value| item["time"].as_str().unwrap().replace('+', "%2B");
    let (middle, after) = (&whole[2], whole.len() - 3);
    assert_eq!(page(&admin, &format!("from={}", time(middle))).await.len(), 3, "not before");
    assert_eq!(page(&admin, &format!("to={}", time(middle))).await.len(), after, "before");
    assert_eq!(page(&admin, &format!("from={0}&to={0}", time(middle))).await.len(), 0);
    admin.get("/api/v1/audit?from=yesterday").await.refuses(&[("query", "invalid")]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_action_that_is_written_can_be_filtered_by(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let known = admin.get("/api/v1/audit/actions").await.expect(200)["items"].as_array().unwrap().clone();
    let mut sorted = known.iter().map(|action| action.as_str().unwrap()).collect::<Vec<_>>();
    sorted.dedup();
    assert_eq!(sorted.len(), known.len());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app");
    let mut written = std::collections::BTreeSet::new();
    for file in files(std::path::Path::new(source)) {
        if file.ends_with("audit.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        // The words of the log stand in the use cases, in quotes.
        for word in text.split('"').skip(1).step_by(2) {
            let prefix = ["user.", "server.", "session.", "settings."].iter().any(|prefix| word.starts_with(prefix));
            if prefix && !word.contains(' ') {
                written.insert(word.to_owned());
            }
        }
    }
    assert!(written.len() > 12, "{written:?}");
    for word in &written {
        assert!(known.contains(&json!(word)), "{word} is written, and not in the filter");
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A CSV text as rows of cells (RFC 4180), read here without the writer's library.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quoted, character) {
            (true, '"') if characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            (_, '"') => quoted = !quoted,
            (false, ',') => row.push(std::mem::take(&mut cell)),
            (false, '\r') if characters.peek() == Some(&'\n') => {
                characters.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (_, other) => cell.push(other),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted, "the text ends with a whole row");
    rows
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_export_equals_the_list_and_its_formulas_are_inert(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let server = format!("/api/v1/servers/{}", customer.server_id);
    let names = ["=HYPERLINK(\"http://evil\",\"x\")", "+1+1", "-2+3", "@SUM(A1)", "plain, \"quoted\"", "Zoë; 山田"];
    for name in names {
        admin.patch(&server, &json!({ "name": name })).await.expect_status(200);
    }
    // More rows than one page of the export.
    rows(&app, 1_500).await;
    let answer = admin.get("/api/v1/audit/export").await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"audit-log.csv\""));
    let mut csv = read_csv(&answer.text);
    let manifest = csv.pop().unwrap();
    assert_eq!(manifest[0], "manifest");
    let mut list = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/api/v1/audit?limit=200{cursor}")).await.expect(200);
        list.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    // The export's own row came after it began.
    assert_eq!(list.remove(0)["action"], "audit.export");
    assert_eq!(csv.len(), list.len() + 1);
    let columns = &csv[0];
    assert_eq!(columns.len(), list[0].as_object().unwrap().len());
    for (row, item) in csv[1..].iter().zip(&list) {
        for (column, cell) in columns.iter().zip(row) {
            let expected = match &item[column] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            let formula = expected.starts_with(['=', '+', '-', '@']);
            let same = match column.as_str() {
                "time" => cell.parse::<chrono::DateTime<chrono::Utc>>() == expected.parse(),
                "metadata" => serde_json::from_str::<Value>(cell).unwrap() == item[column],
                _ => *cell == if formula { format!("'{expected}") } else { expected.clone() },
            };
            assert!(same, "{column}: {cell:?} is not {expected:?}");
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell:?}");
        }
    }
    let inert: Vec<_> = csv.iter().flatten().filter(|cell| cell.starts_with('\'')).collect();
    assert!(inert.len() >= 4, "{inert:?}");
    let filtered = read_csv(&admin.get("/api/v1/audit/export?action=server.rename").await.text);
    assert_eq!(filtered.len(), names.len() + 2);
    admin.get("/api/v1/audit/export?limit=201").await.problem(422, "validation_failed");
    admin.get("/api/v1/audit/export?from=yesterday").await.problem(422, "validation_failed");
}
