//! Tokens and what they open are in no log and no table.

use super::{FakeBox, identity_of, job_of, line, releases};
use crate::PROGRAM;
use proxima_test_support::{DashboardProcess, Folder, PASSWORD, TestApp, database_url, dump};
use serde_json::{Value, json};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_token_and_nothing_of_config_json_is_logged_or_stored_in_clear(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data, releases) = (database_url(&db), Folder::new(), releases());
    let env = [
        ("RUST_LOG", "debug"),
        ("PROXIMA_GATEWAY_URL", "https://panel.example.com"),
        ("PROXIMA_GATEWAY_BINARIES", releases.path().to_str().unwrap()),
    ];
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    let admin = process.client();
    admin.post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await.expect_status(200);
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let user = admin.post("/api/v1/users", &form).await.expect(201);
    let path = format!("/api/v1/servers/{}/install-token", user["server"]["id"].as_str().unwrap());
    let made = admin.post(&path, &json!({})).await.expect(201);
    let mut fake = FakeBox::new(process.client(), made["token"].as_str().unwrap());
    fake.download("x86_64").await.expect_status(200);
    let claimed = fake.claim().await.expect(200);
    let (identity, job) = (identity_of(&claimed), job_of(&claimed));
    let secrets = [fake.token.as_str(), &fake.report_token, identity.api_key.expose(), identity.api_secret.expose()]
        .map(str::to_owned);
    let news: Vec<Value> = secrets.iter().map(|secret| line("CONFIG", &format!("wrote {secret}."))).collect();
    let problem = json!({ "code": "X", "sentence": format!("it holds {}", secrets[3]), "remedy": "" });
    let end = json!({ "state": "FAILED", "step": "CONFIG", "problem": problem, "remains": [secrets[2]] });
    // Whatever is wrong with a request, it is not quoted.
    fake.report(&job, json!([{ "kind": secrets[2] }]), Value::Null).await.expect_status(422);
    fake.report_as(&job, 1, json!(news), end).await.expect_status(200);
    fake.claim().await.expect_status(401);
    let (code, log) = process.stop().await;
    assert_eq!(code, Some(0));
    assert!(log.contains("\"DEBUG\""), "something was logged");
    let stored = dump(&db).await;
    assert!(stored.contains("wrote [hidden]."), "the lines are there");
    for secret in &secrets[1..] {
        for (what, text) in [("the log", &log), ("the database", &stored)] {
            assert!(!text.contains(&secret[3..]), "{what} holds a secret");
        }
    }
    // The used token may stand in what the box says, like any word; it opens nothing. It is not in the log.
    assert!(!log.contains(&secrets[0][3..]));
}
