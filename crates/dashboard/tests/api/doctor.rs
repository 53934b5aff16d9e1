//! `doctor` against a dashboard that runs.

use crate::PROGRAM;
use proxima_test_support::{DashboardProcess, Finished, Folder, PASSWORD, database_url, run_program};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

async fn doctor(url: &str, data: &Folder, more: &[&str]) -> (Finished, Vec<(String, String, String)>) {
    let args = ["doctor", "--json", "--database-url", url, "--data-dir", data.path().to_str().unwrap()];
    let finished = run_program(PROGRAM, &[&args[..], more].concat(), "").await;
    let findings: Value = serde_json::from_str(&finished.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = findings.as_array().unwrap().iter();
    let findings = findings.map(|one| (text(one, "level"), text(one, "name"), text(one, "text"))).collect();
    (finished, findings)
}

/// A dashboard that runs, and has an admin.
async fn with_an_admin(url: &str, data: &Folder) -> DashboardProcess {
    let process = DashboardProcess::start(PROGRAM, url, data, &[]).await;
    let folder = data.path().to_str().unwrap();
    let made = ["create-admin", "--password-stdin", "--database-url", url, "--data-dir", folder];
    assert_eq!(run_program(PROGRAM, &made, PASSWORD).await.code, Some(0));
    process
}

#[track_caller]
fn expect(findings: &[(String, String, String)], level: &str, name: &str, part: &str) {
    let found = findings.iter().any(|(l, n, text)| l == level && n == name && text.contains(part));
    assert!(found, "no {level} of {name} with {part:?}: {findings:#?}");
}

#[sqlx::test(migrations = false)]
async fn it_finds_whether_the_public_url_leads_here(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let process = with_an_admin(&url, &data).await;

    let (finished, findings) = doctor(&url, &data, &["--public-url", &process.url]).await;
    assert_eq!(finished.code, Some(0), "{findings:#?}");
    expect(&findings, "ok", "public URL", "leads to a dashboard with this key file");
    expect(&findings, "ok", "PostgreSQL", "MiB, answers in");
    expect(&findings, "ok", "clocks", "agree");
    expect(&findings, "note", "gateway programs", "nothing can be installed");
    expect(&findings, "ok", "client address", "taken for 127.0.0.1");

    // Somebody else's dashboard, something else, and nothing.
    let (other, elsewhere) = (Folder::new(), format!("{}_other", data.path().file_name().unwrap().to_str().unwrap()));
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE \"{elsewhere}\""))).execute(&db).await.unwrap();
    let own: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&db).await.unwrap();
    let stranger = DashboardProcess::start(PROGRAM, &url.replace(&own, &elsewhere), &other, &[]).await;
    let (finished, findings) = doctor(&url, &data, &["--public-url", &stranger.url]).await;
    assert_eq!(finished.code, Some(1), "{findings:#?}");
    expect(&findings, "problem", "public URL", "another key file");
    process.stop().await;
    stranger.stop().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE \"{elsewhere}\""))).execute(&db).await.unwrap();
    let (_, findings) = doctor(&url, &data, &["--public-url", "http://127.0.0.1:1"]).await;
    expect(&findings, "problem", "public URL", "cannot be reached from here");
    let (_, findings) = doctor(&url, &data, &["--public-url", "https://127.0.0.1:1"]).await;
    expect(&findings, "problem", "proxies", "trusted_proxies is empty");
}

#[sqlx::test(migrations = false)]
async fn it_looks_at_the_certificate(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let made = rcgen::generate_simple_self_signed(vec!["panel.example.com".to_owned()]).unwrap();
    let (cert, key) = (data.join("cert.pem"), data.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap(), "--public-url"];
    let (_, findings) = doctor(&url, &data, &[&tls[..], &["https://panel.example.com:1"]].concat()).await;
    expect(&findings, "ok", "certificate", "is good for");
    let (_, findings) = doctor(&url, &data, &[&tls[..], &["https://localhost:1"]].concat()).await;
    expect(&findings, "problem", "certificate", "is not for localhost");
    // `check-config` says the same.
    let check = [&["check-config"], &tls[..], &["https://localhost:1"]].concat();
    let checked = run_program(PROGRAM, &check, "").await;
    assert!(checked.code == Some(2) && checked.stderr.contains("is not for localhost"), "{checked:?}");
}

async fn sql(db: &PgPool, script: &str) {
    sqlx::raw_sql(AssertSqlSafe(script.to_owned()))
        .execute(db)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
}

#[sqlx::test(migrations = false)]
async fn it_looks_at_the_dashboards_admins_receivers_and_backups(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let process = with_an_admin(&url, &data).await;
    let (finished, findings) = doctor(&url, &data, &["--public-url", &process.url]).await;
    assert_eq!(finished.code, Some(0), "nothing is broken: {findings:#?}");
    expect(&findings, "ok", "dashboards", "1 run: ");
    expect(&findings, "note", "second factors", "admin can do nothing before");
    expect(&findings, "note", "notifications", "nobody is told");
    expect(&findings, "note", "backups", "none yet");
    let (_, findings) = doctor(&url, &data, &["--admin-second-factor", "optional"]).await;
    expect(&findings, "note", "second factors", "a password alone");
    sql(
        &db,
        "INSERT INTO users (id, username, password_hash, role) VALUES (gen_random_uuid(), 'alice', '-', 'CUSTOMER')",
    )
    .await;
    let (_, findings) = doctor(&url, &data, &["--customer-second-factor", "required"]).await;
    expect(&findings, "note", "second factors of customers", "alice can do nothing before");

    let (file, folder) = (data.join("a.backup"), data.path().to_str().unwrap());
    let backup = ["backup", "--output", file.to_str().unwrap(), "--database-url", &url, "--data-dir", folder];
    assert_eq!(run_program(PROGRAM, &backup, "").await.code, Some(0));
    sql(
        &db,
        "INSERT INTO notification_endpoints (id, kind, description, recipients, events, enabled, failing_since)
         VALUES (gen_random_uuid(), 'EMAIL', 'the night shift', '{a@example.com}', '{}', true, now() - interval '1 day');
         INSERT INTO dashboards (instance, hostname, version, master_key_ids, signing_key_ids, problems)
         VALUES (gen_random_uuid(), 'forgotten', '0.0.9', '{}', '{}', '{}');
         INSERT INTO totp_factors (user_id, secret_ciphertext, used_step) SELECT id, '\\x00', 0 FROM users",
    )
    .await;
    let (finished, findings) = doctor(&url, &data, &["--public-url", &process.url]).await;
    assert_eq!(finished.code, Some(1), "{findings:#?}");
    expect(&findings, "ok", "backups", "0 hours old");
    expect(&findings, "ok", "second factors", "every admin");
    expect(&findings, "problem", "dashboards", "forgotten (version 0.0.9)");
    expect(&findings, "problem", "notifications", "\"the night shift\" has reached nobody since");
    // It cannot be written: that is remembered.
    let nowhere = ["backup", "--output", "/nowhere/a.backup", "--database-url", &url, "--data-dir", folder];
    assert_eq!(run_program(PROGRAM, &nowhere, "").await.code, Some(1));
    let (_, findings) = doctor(&url, &data, &[]).await;
    expect(&findings, "problem", "backups", "failed");
}

/// A client that is believed to be a proxy can call itself whatever it likes.
#[sqlx::test(migrations = false)]
async fn it_finds_that_a_client_can_choose_its_address(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[("PROXIMA_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let (_, findings) = doctor(&url, &data, &["--public-url", &process.url]).await;
    expect(&findings, "problem", "client address", "anybody can choose the address");
    // Nobody else is told whom they are taken for.
    let lie = process.client().with_header("x-forwarded-for", "192.0.2.7").get("/healthz").await;
    assert_eq!(lie.text, "ok\n");
    let forged = process.client().with_header("x-proxima-who-am-i", "e30").get("/healthz").await;
    assert_eq!(forged.text, "ok\n");
}
