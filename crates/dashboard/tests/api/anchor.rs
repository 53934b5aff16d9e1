//! A database that was restored, emptied or exchanged gives no verdict, until it is accepted (invariant 13).

use crate::PROGRAM;
use proxima_dashboard::app::{Actor, App, anchor, licenses};
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::entropy::OsEntropy;
use proxima_dashboard::jobs;
use proxima_dashboard::keyring::Keyring;
use proxima_signing::VerifyError;
use proxima_test_support::{
    DashboardProcess, Folder, TestApp, TestGateway, audited, database_url, first_broken, rows_matching, run_program,
};
use proxima_types::{LicenseKey, Role};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;

async fn sql(db: &PgPool, script: &str) {
    sqlx::raw_sql(AssertSqlSafe(script.to_owned()))
        .execute(db)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
}

const EACH_TABLE: &str =
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'";

/// Keeps a copy of all that is in the database.
async fn back_up(db: &PgPool) {
    sql(
        db,
        &format!(
            "CREATE SCHEMA backup; DO $$ DECLARE t text; BEGIN FOR t IN {EACH_TABLE} LOOP \
             EXECUTE format('CREATE TABLE backup.%I AS TABLE public.%I', t, t); END LOOP; END $$"
        ),
    )
    .await;
}

/// Puts it back in one step, under whoever is connected, as if another database were there.
async fn restore(db: &PgPool) {
    sql(
        db,
        &format!(
            "BEGIN; SET LOCAL session_replication_role = replica; DO $$ DECLARE t text; c text; BEGIN FOR t IN {EACH_TABLE} LOOP \
             EXECUTE format('DELETE FROM public.%I', t); \
             SELECT string_agg(quote_ident(attname), ', ') INTO c FROM pg_attribute \
             WHERE attrelid = format('public.%I', t)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''; \
             EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM backup.%I', t, c, c, t); \
             END LOOP; END $$; COMMIT"
        ),
    )
    .await;
}

/// A dashboard without a port, with its key file and anchor in a folder.
fn dashboard_in(db: &PgPool, folder: &Folder) -> Arc<App> {
    let keys = folder.join("keys.json");
    let keyring = if keys.exists() { Keyring::load(&keys) } else { Keyring::create(&keys, &OsEntropy) }.unwrap();
    let config = AppConfig { bcrypt_cost: 4, anchor_folder: Some(folder.path().to_owned()), ..AppConfig::default() };
    App::new(db.clone(), keyring, Arc::new(OsEntropy), config).unwrap()
}

fn config_in(folder: &Folder) -> AppConfig {
    AppConfig { bcrypt_cost: 4, anchor_folder: Some(folder.path().to_owned()), ..AppConfig::default() }
}

async fn expect_behind(gateway: &mut TestGateway) {
    let beat = gateway.beat().await;
    assert_eq!((beat.status, &beat.body["code"]), (503, &json!("database_behind_anchor")), "{beat:?}");
    // It names no server: nothing was judged.
    assert_eq!(beat.signature, Err(VerifyError::NoServer));
}

async fn expect_retired(gateway: &mut TestGateway) {
    let beat = gateway.beat().await;
    assert_eq!((beat.status, &beat.body["code"]), (401, &json!("license_key_retired")), "{beat:?}");
    assert!(beat.signature.is_ok());
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_restored_database_gives_no_verdict_until_it_is_accepted(db: PgPool) {
    let folder = Folder::new();
    let app = TestApp::start_with(db, config_in(&folder)).await;
    let (admin, alice, bob) = (app.admin().await, app.customer("alice").await, app.customer("bob").await);
    let (mut old, mut other) = (app.gateway(&alice).await, app.gateway(&bob).await);
    TestGateway::expect_status(&old.beat().await, "ACTIVE");
    back_up(&app.db).await;
    let license = format!("/api/v1/servers/{}/license", alice.server_id);
    admin.post(&format!("{license}/regenerate"), &json!({})).await.expect_status(200);
    expect_retired(&mut old).await;

    restore(&app.db).await;
    // Under the running dashboard, with the very next heartbeat.
    expect_behind(&mut old).await;
    expect_behind(&mut other).await;
    // What grows on top of the old state changes nothing.
    let admin = app.sign_in("admin", proxima_test_support::PASSWORD).await;
    for act in ["revoke", "regenerate", "reinstate", "rotate"] {
        admin.post(&format!("{license}/{act}"), &json!({})).await.problem(409, "database_behind_anchor");
    }
    let refused = audited(&app.db, "server.license.revoke").await;
    assert_eq!(
        (refused[0].outcome.as_str(), &refused[0].metadata["refused"]),
        ("FAILURE", &json!("database_behind_anchor"))
    );
    let form = json!({ "username": "carol", "password": proxima_test_support::PASSWORD, "role": "CUSTOMER" });
    admin.post("/api/v1/users", &form).await.problem(409, "database_behind_anchor");
    admin.get("/api/v1/users").await.expect_status(200);
    // Told once.
    let mut told = None;
    for _ in 0..2 {
        jobs::look_and_tell(&app.app, &mut told).await.unwrap();
        let open = "kind = 'database.behind_anchor'";
        assert_eq!((told, rows_matching(&app.db, "notification_episodes", open).await.len()), (Some(true), 1));
    }
    let state = admin.get("/api/v1/audit/integrity").await.expect(200);
    assert_eq!(state["state"], "BEHIND", "{state}");
    assert!(state["sentence"].as_str().unwrap().contains("accept-restore"), "{state}");
    expect_behind(&mut old).await;

    let plan = anchor::plan(&app.app).await.unwrap().expect("something to accept");
    assert_eq!((plan.forgotten.len(), plan.carriers.len()), (1, 1));
    let accepted = anchor::accept(&app.app, &Actor::console(), &plan).await.unwrap();
    assert_eq!(accepted.retirements, 1);
    assert!(accepted.incarnation > 1, "{}", accepted.incarnation);
    assert!(anchor::plan(&app.app).await.unwrap().is_none());
    jobs::look_and_tell(&app.app, &mut told).await.unwrap();
    assert_eq!(rows_matching(&app.db, "notification_episodes", "kind = 'database.behind_anchor'").await.len(), 0);
    let row = &audited(&app.db, "database.restore.accept").await[0];
    assert_eq!(row.metadata["known"]["id"].as_i64(), plan.known.as_ref().map(|mark| mark.audit_id));
    assert_eq!(first_broken(&app.db).await.unwrap(), None);
    // The key that the backup believed to be alive is retired again, with a signed word; the other customer is served.
    expect_retired(&mut old).await;
    TestGateway::expect_status(&other.beat().await, "ACTIVE");
    admin.get("/api/v1/users").await.problem(401, "unauthenticated");
    let key = licenses::reveal(&app.app, &Actor::console(), alice.server_id).await.unwrap();
    let mut fresh = TestGateway::new(&app.url, old.public_key(), alice.server_id, key);
    TestGateway::expect_status(&fresh.beat().await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_a_gateway_was_told_is_in_the_anchor_when_the_dashboard_dies(db: PgPool) {
    let (folder, url) = (Folder::new(), database_url(&db));
    let app = TestApp::start(db.clone()).await;
    let process = DashboardProcess::start(PROGRAM, &url, &folder, &[]).await;
    let (admin, alice) = (app.admin().await, app.customer("alice").await);
    let public_key = Keyring::load(&folder.join("keys.json")).unwrap().public_key().unwrap();
    let key: LicenseKey = licenses::reveal(&app.app, &Actor::console(), alice.server_id).await.unwrap();
    let mut gateway = TestGateway::new(&process.url, public_key, alice.server_id, key.clone());
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    back_up(&app.db).await;
    // By another dashboard: this one learns of it from the heartbeat itself.
    let license = format!("/api/v1/servers/{}/license", alice.server_id);
    admin.post(&format!("{license}/regenerate"), &json!({})).await.expect_status(200);
    expect_retired(&mut gateway).await;
    process.kill().await;
    restore(&app.db).await;
    let process = DashboardProcess::start(PROGRAM, &url, &folder, &[]).await;
    let mut gateway = TestGateway::new(&process.url, public_key, alice.server_id, key);
    expect_behind(&mut gateway).await;
    let data = folder.path().to_str().unwrap();
    let args = ["accept-restore", "--data-dir", data, "--database-url", &url];
    let unasked = run_program(PROGRAM, &args, "").await;
    assert_eq!(unasked.code, Some(4), "{unasked:?}");
    assert!(unasked.stdout.contains("alice's Server (of alice)"), "{unasked:?}");
    expect_behind(&mut gateway).await;
    let accepted = run_program(PROGRAM, &[&args[..], &["--yes"]].concat(), "").await;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    // The dashboard that runs follows by itself.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while gateway.beat().await.status == 503 {
        assert!(tokio::time::Instant::now() < deadline, "it does not follow: {}", process.output());
    }
    expect_retired(&mut gateway).await;
    let again = run_program(PROGRAM, &args, "").await;
    assert!(again.stdout.contains("nothing to accept"), "{again:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn another_dashboard_follows_and_brings_what_only_it_knows(db: PgPool) {
    let (one, two) = (Folder::new(), Folder::new());
    let first = dashboard_in(&db, &one);
    std::fs::copy(one.join("keys.json"), two.join("keys.json")).unwrap();
    let second = dashboard_in(&db, &two);
    let app = TestApp::start(db).await;
    let (admin, alice, bob) = (app.admin().await, app.customer("alice").await, app.customer("bob").await);
    for dashboard in [&first, &second] {
        assert!(anchor::look(dashboard).await.unwrap().is_ok());
    }
    back_up(&app.db).await;
    let license = format!("/api/v1/servers/{}/license", alice.server_id);
    admin.post(&format!("{license}/regenerate"), &json!({})).await.expect_status(200);
    // Only the second one hears of it.
    assert!(anchor::look(&second).await.unwrap().is_ok());
    restore(&app.db).await;
    assert!(anchor::look(&second).await.unwrap().is_err());
    // The first one knows no more than the backup: to it the database is whole, and a newer incarnation is no surprise.
    let plan = anchor::plan(&second).await.unwrap().expect("something to accept");
    anchor::accept(&second, &Actor::console(), &plan).await.unwrap();
    assert!(anchor::look(&first).await.unwrap().is_ok());
    assert_eq!(rows_matching(&app.db, "retired_keys", "true").await.len(), 1);

    // Now the other way round: the one that accepts knows less.
    sql(&app.db, "DROP SCHEMA backup CASCADE").await;
    back_up(&app.db).await;
    sql(&app.db, "SELECT append_audit('user.login', 'SUCCESS', NULL, NULL, NULL, NULL, 'u', '{}', NULL)").await;
    assert!(anchor::look(&first).await.unwrap().is_ok());
    let before = rows_matching(&app.db, "retired_keys", "true").await.len();
    sql(&app.db, &format!("DELETE FROM servers WHERE id = '{}'", bob.server_id)).await;
    assert!(anchor::look(&second).await.unwrap().is_ok(), "a retirement by hand is known, too");
    restore(&app.db).await;
    let plan = anchor::plan(&first).await.unwrap().expect("something to accept");
    assert_eq!(plan.forgotten.len(), 0);
    anchor::accept(&first, &Actor::console(), &plan).await.unwrap();
    assert!(anchor::look(&second).await.unwrap().is_ok(), "it follows without being asked");
    assert_eq!(rows_matching(&app.db, "retired_keys", "true").await.len(), before + 1, "and brings what it knew");
    assert_eq!(audited(&app.db, "database.restore.follow").await.len(), 1);
    assert!(anchor::look(&first).await.unwrap().is_ok());
    assert_eq!(first_broken(&app.db).await.unwrap(), None);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_emptied_or_foreign_database_makes_no_new_admin(db: PgPool) {
    let (folder, url) = (Folder::new(), database_url(&db));
    let env = [("PROXIMA_FIRST_ADMIN", "auto")];
    let process = DashboardProcess::start(PROGRAM, &url, &folder, &env).await;
    assert!(process.output().contains("First admin"), "{}", process.output());
    process.stop().await;
    sql(
        &db,
        "SET session_replication_role = replica; DELETE FROM users; DELETE FROM audit_log; DELETE FROM audit_head; \
         DELETE FROM settings; INSERT INTO settings DEFAULT VALUES; \
         INSERT INTO audit_head (id, hash) VALUES (0, decode(repeat('00', 32), 'hex')); SET session_replication_role = origin",
    )
    .await;
    let process = DashboardProcess::start(PROGRAM, &url, &folder, &env).await;
    assert!(!process.output().contains("First admin"), "{}", process.output());
    assert!(process.output().contains("new and empty"), "{}", process.output());
    assert_eq!(rows_matching(&db, "users", "true").await.len(), 0);
    process.stop().await;
    TestApp::start(db.clone()).await.sign_in_new("admin", Role::Admin).await;
    let app = dashboard_in(&db, &folder);
    let lag = anchor::look(&app).await.unwrap().expect_err("another installation");
    assert_eq!(lag.standing, anchor::Standing::Foreign);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_anchor_that_was_touched_is_not_believed_and_one_that_cannot_be_written_is_told(db: PgPool) {
    let folder = Folder::new();
    let app = dashboard_in(&db, &folder);
    sql(&db, "SELECT append_audit('user.login', 'SUCCESS', NULL, NULL, NULL, NULL, 'u', '{}', NULL)").await;
    assert!(anchor::look(&app).await.unwrap().is_ok());
    let path = folder.join("anchor.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\\\"auditId\\\":1", "\\\"auditId\\\":0", 1)).unwrap();
    let lag = anchor::look(&dashboard_in(&db, &folder)).await.unwrap().expect_err("not what was signed");
    assert_eq!(lag.standing, anchor::Standing::AnchorUnreadable);
    std::fs::write(&path, text).unwrap();
    // A folder in the place of the file that is exchanged: nobody can write there, not even root.
    std::fs::create_dir(folder.join("anchor.json.tmp")).unwrap();
    let app = dashboard_in(&db, &folder);
    sql(&db, "SELECT append_audit('user.login', 'SUCCESS', NULL, NULL, NULL, NULL, 'u', '{}', NULL)").await;
    assert!(anchor::look(&app).await.unwrap().is_ok(), "it goes on");
    assert!(app.anchor.report().trouble.is_some_and(|sentence| sentence.contains("cannot be written")));
}
