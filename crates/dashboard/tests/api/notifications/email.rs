//! E-mail, handed to a small SMTP server.

use super::receiver::MailReceiver;
use super::{make_due, send_due, start, states};
use proxima_test_support::dump;
use serde_json::{Value, json};
use sqlx::PgPool;

fn settings(smtp: &Value) -> Value {
    json!({ "licenseEndingHours": 24, "offlineSettleMinutes": 5, "silentHours": 24, "smtp": smtp })
}

const SETTINGS: &str = "/api/v1/notifications/settings";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_happens_together_is_one_mail_and_the_password_stays_with_its_server(db: PgPool) {
    let app = start(db).await;
    let (admin, server) = (app.admin().await, MailReceiver::start("250 queued as 7").await);
    let endpoint = json!({ "kind": "EMAIL", "description": "Ops", "recipients": ["ops@example.com", "ops@example.com"],
        "events": ["gateway.offline"], "enabled": true });
    admin.post("/api/v1/notifications/endpoints", &endpoint).await.problem(409, "smtp_not_configured");
    let smtp = json!({ "host": "127.0.0.1", "port": server.port, "tls": "NONE", "username": "u", "password": "hunter-2-x",
        "from": "Proxima <p@example.com>" });
    let saved = admin.put(SETTINGS, &settings(&smtp)).await.expect(200);
    assert_eq!(saved["smtp"]["passwordStored"], true);
    let tried = admin.post(&format!("{SETTINGS}/test"), &json!({ "recipient": "me@example.com" })).await.expect(200);
    assert_eq!((tried["accepted"].as_bool(), tried["answer"].as_str()), (Some(true), Some("queued as 7")), "{tried}");

    let made = admin.post("/api/v1/notifications/endpoints", &endpoint).await.expect(201);
    assert!(made["secret"].is_null());
    assert_eq!(made["endpoint"]["recipients"], json!(["ops@example.com"]));
    let path = format!("/api/v1/notifications/endpoints/{}", made["endpoint"]["id"].as_str().unwrap());
    for _ in 0..3 {
        admin.post(&format!("{path}/test"), &json!({})).await.expect_status(202);
    }
    assert_eq!((send_due(&app.app).await, server.mails().len()), (1, 2), "one mail, after the test's");
    assert_eq!(states(&app.db).await, ["DELIVERED"; 3]);
    let mail = server.mails().pop().unwrap();
    assert!(mail.contains("Subject: Proxima: 3 notifications") && mail.contains("To: ops@example.com"), "{mail}");
    // The next one goes out a minute later.
    admin.post(&format!("{path}/test"), &json!({})).await.expect_status(202);
    assert_eq!(send_due(&app.app).await, 0);
    make_due(&app.db).await;
    assert_eq!(send_due(&app.app).await, 1);
    admin.post(&format!("{path}/secret/reveal"), &json!({})).await.problem(404, "not_found");

    let text = dump(&app.db).await;
    assert!(!text.contains("hunter-2-x"));
    let mut other = smtp.clone();
    other.as_object_mut().unwrap().remove("password");
    assert_eq!(admin.put(SETTINGS, &settings(&other)).await.expect(200)["smtp"]["passwordStored"], true);
    other["port"] = json!(26);
    admin.put(SETTINGS, &settings(&other)).await.refuses(&[("smtp.password", "required")]);
    other["tls"] = json!("NONE");
    other["host"] = json!("mail.example.com");
    other["from"] = json!("p@example.com\r\nBcc: x@example.com");
    let refused = admin.put(SETTINGS, &settings(&other)).await;
    refused.refuses(&[("smtp.from", "invalid"), ("smtp.password", "required"), ("smtp.tls", "insecure")]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_server_that_refuses_or_cannot_encrypt_is_told_in_its_own_words(db: PgPool) {
    let app = start(db).await;
    let (admin, server) = (app.admin().await, MailReceiver::start("554 no thanks").await);
    let mut smtp =
        json!({ "host": "127.0.0.1", "port": server.port, "tls": "NONE", "username": null, "from": "p@example.com" });
    let recipient = json!({ "recipient": "me@example.com" });
    admin.put(SETTINGS, &settings(&smtp)).await.expect_status(200);
    let tried = admin.post(&format!("{SETTINGS}/test"), &recipient).await.expect(200);
    assert_eq!(tried["accepted"], false);
    assert!(tried["answer"].as_str().unwrap().contains("no thanks"), "{tried}");
    smtp["tls"] = json!("STARTTLS");
    admin.put(SETTINGS, &settings(&smtp)).await.expect_status(200);
    let tried = admin.post(&format!("{SETTINGS}/test"), &recipient).await.expect(200);
    assert_eq!(tried["accepted"], false);
    assert!(tried["message"].as_str().unwrap().contains("does not offer STARTTLS"), "{tried}");
    assert_eq!(server.mails().len(), 1, "nothing was handed in without encryption");
}
