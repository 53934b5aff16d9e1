//! Signatures, retries, and what ends an endpoint.

use super::receiver::Receiver;
use super::{config, execute, make_due, send_due, start, states, webhook};
use proxima_dashboard::app::App;
use proxima_dashboard::app::notifications::{batches, deliver};
use proxima_dashboard::entropy::OsEntropy;
use proxima_dashboard::jobs;
use proxima_dashboard::keyring::Keyring;
use proxima_test_support::{Folder, TestApp, audited, dump, rows_matching};
use serde_json::json;
use sqlx::PgPool;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs the receiver of docs/notifications.md in Python.
async fn verifies(secret: &str, request: &super::receiver::Request) -> bool {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/notifications.md")).unwrap();
    let (_, rest) = guide.split_once("```python\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let ask = "\nimport json, sys\nasked = json.load(sys.stdin)\n\
               print(verify(asked['secret'], asked['headers'], asked['body'].encode()))\n";
    let mut child = Command::new("python3")
        .args(["-c", &format!("{example}{ask}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let asked = json!({ "secret": secret, "headers": request.headers, "body": request.body }).to_string();
    let mut input = child.stdin.take().unwrap();
    input.write_all(asked.as_bytes()).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim() == "True"
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_webhook_is_signed_as_the_guide_says_and_logged(db: PgPool) {
    let app = start(db).await;
    let (admin, receiver) = (app.admin().await, Receiver::start("204 No Content").await);
    let (id, secret) = webhook(&admin, &receiver.url, &["gateway.offline"]).await;
    let endpoint = format!("/api/v1/notifications/endpoints/{id}");
    let queued = admin.post(&format!("{endpoint}/test"), &json!({})).await.expect(202);
    assert_eq!((queued["state"].as_str(), queued["attempts"].as_i64()), (Some("WAITING"), Some(0)));
    assert_eq!(send_due(&app.app).await, 1);
    let request = receiver.requests().pop().expect("one");
    assert_eq!(request.head, "POST /hook?a=b HTTP/1.1");
    assert_eq!(request.headers["webhook-id"], queued["eventId"].as_str().unwrap());
    assert!(verifies(&secret, &request).await);
    let mut forged = request.clone();
    forged.body = forged.body.replace("webhook.test", "key.shared");
    assert!(!verifies(&secret, &forged).await, "another body");
    let mut replayed = request.clone();
    replayed.headers.insert("webhook-timestamp".to_owned(), "1600000000".to_owned());
    assert!(!verifies(&secret, &replayed).await, "another time");

    let detail = admin.get(&format!("/api/v1/notifications/deliveries/{}", queued["id"].as_str().unwrap())).await;
    let detail = detail.expect(200);
    assert_eq!(detail["state"], "DELIVERED");
    assert_eq!((detail["log"][0]["statusCode"].as_i64(), detail["log"][0]["number"].as_i64()), (Some(204), Some(1)));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(detail["payload"], body);

    // Both secrets sign after a rotation, and neither is in the database in clear.
    let rotated = admin.post(&format!("{endpoint}/secret/rotate"), &json!({})).await.expect(200);
    let fresh = rotated["secret"].as_str().unwrap();
    assert_eq!(rotated["previousSecret"], secret.as_str());
    admin.post(&format!("{endpoint}/test"), &json!({})).await.expect_status(202);
    send_due(&app.app).await;
    let request = receiver.requests().pop().unwrap();
    assert!(verifies(&secret, &request).await && verifies(fresh, &request).await);
    execute(&app.db, "UPDATE notification_endpoints SET previous_secret_until = clock_timestamp()").await;
    admin.post(&format!("{endpoint}/test"), &json!({})).await.expect_status(202);
    send_due(&app.app).await;
    let request = receiver.requests().pop().unwrap();
    assert!(!verifies(&secret, &request).await && verifies(fresh, &request).await);
    let shown = admin.post(&format!("{endpoint}/secret/reveal"), &json!({})).await.expect(200);
    assert_eq!((shown["secret"].as_str(), shown["previousSecret"].is_null()), (Some(fresh), true));
    let text = dump(&app.db).await;
    assert!(!text.contains(&secret) && !text.contains(fresh));
    // Nor in what the log of deliveries shows, of one and of all.
    let log = admin.get(&format!("{endpoint}/deliveries")).await;
    let one = admin.get(&format!("/api/v1/notifications/deliveries/{}", queued["id"].as_str().unwrap())).await;
    for shown in [&log, &one] {
        shown.expect_status(200);
        assert!(shown.text.contains("webhook.test"), "{}", shown.text);
        for secret in [secret.as_str(), fresh] {
            assert!(!shown.text.contains(secret.trim_start_matches("whsec_")));
        }
    }
    for action in ["create", "test", "secret.rotate", "secret.reveal"] {
        assert!(!audited(&app.db, &format!("notification.endpoint.{action}")).await.is_empty(), "{action}");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_fails_is_tried_again_with_the_same_id_and_then_given_up(db: PgPool) {
    let app = start(db).await;
    let (admin, receiver) = (app.admin().await, Receiver::start("302 Found\r\nLocation: http://127.0.0.1:1/").await);
    let (id, _) = webhook(&admin, &receiver.url, &["gateway.offline"]).await;
    let queued = admin.post(&format!("/api/v1/notifications/endpoints/{id}/test"), &json!({})).await.expect(202);
    let path = format!("/api/v1/notifications/deliveries/{}", queued["id"].as_str().unwrap());
    for attempt in 1..=8 {
        assert_eq!(send_due(&app.app).await, 1);
        assert_eq!(send_due(&app.app).await, 0, "not before its time");
        let row = admin.get(&path).await.expect(200);
        assert_eq!(row["attempts"], attempt);
        assert_eq!(row["lastAttempt"]["outcome"], "http_status", "a redirect is not followed");
        assert_eq!(row["lastAttempt"]["response"], "thanks", "cleaned");
        assert_eq!(row["state"], if attempt == 8 { "FAILED" } else { "WAITING" });
        make_due(&app.db).await;
    }
    assert_eq!(send_due(&app.app).await, 0);
    receiver.answers("200 OK");
    admin.post(&format!("{path}/redeliver"), &json!({})).await.expect_status(202);
    assert_eq!(send_due(&app.app).await, 1);
    let row = admin.get(&path).await.expect(200);
    assert_eq!((row["state"].as_str(), row["log"].as_array().unwrap().len()), (Some("DELIVERED"), 9));
    let mut ids = receiver.ids();
    ids.dedup();
    assert_eq!(ids, [queued["eventId"].as_str().unwrap()], "one id in all nine");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_attempt_whose_dashboard_died_is_made_again_and_records_nothing_late(db: PgPool) {
    let app = start(db).await;
    let (admin, receiver) = (app.admin().await, Receiver::start("200 OK").await);
    let (id, _) = webhook(&admin, &receiver.url, &["gateway.offline"]).await;
    admin.post(&format!("/api/v1/notifications/endpoints/{id}/test"), &json!({})).await.expect_status(202);
    let lost = batches(&app.app).await.unwrap();
    assert_eq!((lost.len(), send_due(&app.app).await), (1, 0), "it is held");
    execute(&app.db, "UPDATE notification_deliveries SET lease_until = clock_timestamp() - interval '1 s'").await;
    let again = batches(&app.app).await.unwrap();
    // It was only paused: it sends, and its record is refused.
    deliver(&app.app, &lost[0]).await.unwrap();
    assert_eq!(states(&app.db).await, ["WAITING"]);
    deliver(&app.app, &again[0]).await.unwrap();
    assert_eq!(states(&app.db).await, ["DELIVERED"]);
    let ids = receiver.ids();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]), "receivers see that it is the same");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn two_dashboards_send_each_event_once(db: PgPool) {
    let folder = Folder::new();
    let path = folder.join("keys.json");
    let rings = [Keyring::create(&path, &OsEntropy).unwrap(), Keyring::load(&path).unwrap()];
    let [a, b] = rings.map(|ring| App::new(db.clone(), ring, Arc::new(OsEntropy), config()).unwrap());
    let receiver = Receiver::start("200 OK").await;
    let admin = proxima_dashboard::app::Actor::console();
    let events = ["gateway.offline".to_owned()];
    let form = proxima_dashboard::app::notifications::EndpointForm {
        description: "Hook",
        url: Some(&receiver.url),
        recipients: &[],
        events: &events,
        enabled: true,
    };
    let (row, _) = proxima_dashboard::app::notifications::create(&a, &admin, true, &form).await.unwrap();
    for _ in 0..10 {
        proxima_dashboard::app::notifications::test(&a, &admin, row.id).await.unwrap();
    }
    while states(&db).await.contains(&"WAITING".to_owned()) {
        let (first, second) = tokio::join!(jobs::notifications::send_due(&a), jobs::notifications::send_due(&b));
        assert!(first.unwrap() + second.unwrap() <= 8, "4 places each");
    }
    let mut ids = receiver.ids();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.requests().len()), (10, 10));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn receivers_end_it_pause_it_or_are_given_up(db: PgPool) {
    let app = start(db).await;
    let admin = app.admin().await;
    let receiver = Receiver::start("429 Slow\r\nRetry-After: 3600").await;
    let (id, _) = webhook(&admin, &receiver.url, &["gateway.offline"]).await;
    let endpoint = format!("/api/v1/notifications/endpoints/{id}");
    admin.post(&format!("{endpoint}/test"), &json!({})).await.expect_status(202);
    send_due(&app.app).await;
    admin.post(&format!("{endpoint}/test"), &json!({})).await.expect_status(202);
    assert_eq!(send_due(&app.app).await, 0, "the whole endpoint is left alone");
    let later = rows_matching(&app.db, "notification_endpoints", "not_before > now() + interval '55 min'").await;
    assert_eq!(later.len(), 1);

    make_due(&app.db).await;
    receiver.answers("410 Gone");
    send_due(&app.app).await;
    let row = admin.get(&endpoint).await.expect(200);
    assert_eq!((row["enabled"].as_bool(), row["disabledReason"].as_str()), (Some(false), Some("GONE")));
    assert!(!states(&app.db).await.contains(&"WAITING".to_owned()), "nothing waits any more");
    assert_eq!(audited(&app.db, "notification.endpoint.disable").await[0].username, "system");
    admin.post(&format!("{endpoint}/test"), &json!({})).await.problem(409, "endpoint_disabled");

    let form = json!({ "description": "Hook", "url": receiver.url, "events": ["key.shared"], "enabled": true });
    admin.put(&endpoint, &form).await.expect_status(200);
    receiver.answers("500 Broken");
    for days in ["4 days", "6 days"] {
        admin.post(&format!("{endpoint}/test"), &json!({})).await.expect_status(202);
        make_due(&app.db).await;
        let since = format!("UPDATE notification_endpoints SET failing_since = now() - interval '{days}'");
        execute(&app.db, &since).await;
        send_due(&app.app).await;
        assert_eq!(admin.get(&endpoint).await.expect(200)["enabled"], days == "4 days", "{days}");
    }
}

/// By name, the refusal comes when it is connected to; by address, when it is typed.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn nothing_inner_is_reached_unless_the_operator_allows_it(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, receiver) = (app.admin().await, Receiver::start("200 OK").await);
    let port = receiver.url.split([':', '/']).nth(4).unwrap();
    let form = |url: &str| json!({ "kind": "WEBHOOK", "description": "x", "url": url, "events": ["key.shared"], "enabled": true });
    for url in
        ["https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "https://10.0.0.1/", "https://0x7f.1/"]
    {
        admin.post("/api/v1/notifications/endpoints", &form(url)).await.refuses(&[("url", "not_allowed")]);
    }
    // In the clear only where the operator says so, also by a name.
    let plain = form(&format!("http://localhost:{port}/"));
    admin.post("/api/v1/notifications/endpoints", &plain).await.refuses(&[("url", "not_allowed")]);
    for url in ["http://1.1.1.1/", "http://no-such-host.invalid/"] {
        admin.post("/api/v1/notifications/endpoints", &form(url)).await.refuses(&[("url", "insecure")]);
    }
    for url in [format!("https://localhost:{port}/"), format!("http://localhost:{port}/")] {
        // As one was saved when the ranges were other ones.
        let (id, _) = webhook(&admin, "https://localhost/", &["key.shared"]).await;
        sqlx::query("UPDATE notification_endpoints SET url = $1 WHERE id = $2::uuid")
            .bind(&url)
            .bind(&id)
            .execute(&app.db)
            .await
            .unwrap();
        let path = format!("/api/v1/notifications/endpoints/{id}");
        admin.post(&format!("{path}/test"), &json!({})).await.expect_status(202);
        send_due(&app.app).await;
        let log = admin.get(&format!("{path}/deliveries")).await.expect(200);
        assert_eq!(log["items"][0]["lastAttempt"]["outcome"], "not_allowed", "{log}");
    }
    assert!(receiver.requests().is_empty());
    // One whose name leads nowhere any more can be switched off, and not on again.
    let (id, _) = webhook(&admin, "https://localhost/", &["key.shared"]).await;
    let path = format!("/api/v1/notifications/endpoints/{id}");
    for (enabled, status) in [(false, 200), (true, 422)] {
        let gone = json!({ "description": "x", "url": "http://no-such-host.invalid/", "events": ["key.shared"], "enabled": enabled });
        admin.put(&path, &gone).await.expect_status(status);
    }
    let bad = json!({ "kind": "WEBHOOK", "description": " ", "url": "ftp://x", "recipients": ["a@b.c"],
        "events": ["no.such"], "enabled": true });
    admin.post("/api/v1/notifications/endpoints", &bad).await.refuses(&[
        ("description", "required"),
        ("events[0]", "invalid"),
        ("recipients", "unexpected"),
        ("url", "invalid"),
    ]);
}
