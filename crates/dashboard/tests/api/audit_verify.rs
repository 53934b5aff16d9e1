//! `audit verify`: whatever is done to the log behind the dashboard's back is named; exports are checked alone; what
//! retention removes leaves the rest verifiable.

use crate::PROGRAM;
use proxima_dashboard::app::audit_chain::{Tampering, verify};
use proxima_dashboard::app::audit_retention;
use proxima_dashboard::config::AppConfig;
use proxima_test_support::{Folder, TestApp, audited, rows_matching, run_program};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

async fn sql(db: &PgPool, script: &str) {
    sqlx::raw_sql(AssertSqlSafe(script.to_owned()))
        .execute(db)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
}

async fn rows(db: &PgPool, count: i64) {
    let append = "SELECT append_audit('user.login', 'SUCCESS', gen_random_uuid(), 'user', E'na\\u001fme \"' || i, NULL, 'ü', \
                  jsonb_build_object('zz', 0.000011574, 'a', i, 'text', E'\\n'), '192.0.2.1') FROM generate_series(1, $1) i";
    sqlx::query(append).bind(count).execute(db).await.unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn each_kind_of_tampering_is_named(db: PgPool) {
    let app = TestApp::start(db).await;
    rows(&app.db, 20).await;
    let whole = verify(&app.app, |_, _| {}).await.unwrap().expect("whole");
    assert_eq!((whole.from, whole.to), (1, 20));
    // The anchor knows row 20 from here on.
    assert!(proxima_dashboard::app::anchor::look(&app.app).await.unwrap().is_ok());
    let again = |id: i64| {
        format!(
            "hash = audit_row_hash(prev_hash, (id, time, action, outcome, target, target_type, target_name, user_id, \
             'innocent', metadata, ip, prev_hash, hash)::audit_log) WHERE id = {id}"
        )
    };
    let rewritten = format!("UPDATE audit_log SET username = 'innocent', {}", again(7));
    let rewritten_head = format!(
        "UPDATE audit_log SET username = 'innocent', {}; UPDATE audit_head SET hash = (SELECT hash FROM audit_log WHERE id = 20)",
        again(20)
    );
    let tampering = [
        ("UPDATE audit_log SET username = 'innocent' WHERE id = 7", Tampering::Edited { id: 7 }),
        ("UPDATE audit_log SET metadata = '{}' WHERE id = 20", Tampering::Edited { id: 20 }),
        (&rewritten, Tampering::Rewritten { id: 7 }),
        ("DELETE FROM audit_log WHERE id IN (7, 8)", Tampering::Missing { from: 7, to: 8 }),
        ("DELETE FROM audit_log WHERE id = 1", Tampering::Missing { from: 1, to: 1 }),
        (
            "DELETE FROM audit_log WHERE id = 7; UPDATE audit_log SET id = -id WHERE id > 7; UPDATE audit_log SET id = -id - 1 \
             WHERE id < 0; UPDATE audit_head SET id = 19",
            Tampering::Missing { from: 7, to: 7 },
        ),
        (
            "UPDATE audit_log SET id = -id WHERE id >= 7; UPDATE audit_log SET id = -id + 1 WHERE id < 0; \
             INSERT INTO audit_log SELECT 7, time, action, outcome, target, target_type, target_name, user_id, 'forged', \
             metadata, ip, prev_hash, hash FROM audit_log WHERE id = 6; UPDATE audit_head SET id = 21",
            Tampering::Inserted { id: 7 },
        ),
        (
            "UPDATE audit_log SET id = -id WHERE id IN (7, 9); UPDATE audit_log SET id = 16 + id WHERE id < 0",
            Tampering::Reordered { id: 7, was: 9 },
        ),
        ("DELETE FROM audit_log WHERE id > 15", Tampering::Truncated { from: 16, head: 20 }),
        ("UPDATE audit_head SET hash = sha256('x')", Tampering::HeadMoved { head: 20, last: 20 }),
        (
            "DELETE FROM audit_log WHERE id > 15; UPDATE audit_head SET (id, hash) = (SELECT id, hash FROM audit_log WHERE id = 15)",
            Tampering::BehindAnchor { anchored: 20 },
        ),
        (&rewritten_head, Tampering::BehindAnchor { anchored: 20 }),
        (
            "INSERT INTO audit_checkpoint (id, hash, document) SELECT id, hash, '{}' FROM audit_log WHERE id = 5; \
             DELETE FROM audit_log WHERE id <= 5",
            Tampering::Checkpoint { id: 5 },
        ),
        (
            "INSERT INTO audit_log SELECT 0, time, action, outcome, target, target_type, target_name, user_id, username, \
             metadata, ip, prev_hash, hash FROM audit_log WHERE id = 1",
            Tampering::Inserted { id: 0 },
        ),
    ];
    sql(&app.db, "CREATE TABLE kept AS TABLE audit_log; CREATE TABLE kept_head AS TABLE audit_head").await;
    for (script, found) in tampering {
        sql(
            &app.db,
            &format!("SET session_replication_role = replica; {script}; SET session_replication_role = origin"),
        )
        .await;
        assert_eq!(verify(&app.app, |_, _| {}).await.unwrap().expect_err(script), found, "{script}");
        sql(
            &app.db,
            "SET session_replication_role = replica; DELETE FROM audit_log; DELETE FROM audit_head; DELETE FROM audit_checkpoint; \
             INSERT INTO audit_log SELECT * FROM kept; INSERT INTO audit_head SELECT * FROM kept_head; \
             SET session_replication_role = origin",
        )
        .await;
    }
    verify(&app.app, |_, _| {}).await.unwrap().expect("whole again");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_export_is_checked_with_the_public_key_alone(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    rows(&app.db, 1200).await;
    let folder = Folder::new();
    let key = admin.get("/api/v1/audit/integrity").await.expect(200)["publicKey"]["key"].as_str().unwrap().to_owned();
    let check = async |text: &str| {
        let path = folder.join("export");
        std::fs::write(&path, text).unwrap();
        run_program(PROGRAM, &["audit", "verify", "--export", path.to_str().unwrap(), "--public-key", &key], "").await
    };
    for (format, filter) in [("csv", ""), ("jsonl", ""), ("jsonl", "&action=user.login"), ("csv", "&outcome=FAILURE")] {
        let text = admin.get(&format!("/api/v1/audit/export?format={format}{filter}")).await.text;
        let good = check(&text).await;
        assert_eq!(good.code, Some(0), "{format} {filter}: {good:?}");
        if !filter.is_empty() {
            continue;
        }
        let cut: String = text.lines().take(100).flat_map(|line| [line, "\n"]).collect();
        let without: String =
            text.lines().enumerate().filter(|(n, _)| *n != 50).flat_map(|(_, line)| [line, "\r\n"]).collect();
        for (spoilt, says) in [
            (text.replacen("user.login", "user.logout", 1), "edited"),
            (cut, "cut off"),
            (without, "changed"),
            (format!("{text}more"), "added"),
        ] {
            let found = check(&spoilt).await;
            assert_eq!(found.code, Some(3), "{format} {says}: {found:?}");
            assert!(found.stderr.contains(says), "{format} {says}: {found:?}");
        }
        let other = run_program(
            PROGRAM,
            &[
                "audit",
                "verify",
                "--export",
                folder.join("export").to_str().unwrap(),
                "--public-key",
                &"A".repeat(43).add_pad(),
            ],
            "",
        )
        .await;
        assert_eq!(other.code, Some(3), "{other:?}");
    }
    // What is no export was not tampered with, and a key's id is no key.
    for (text, says) in [("root:x:0:0:root:/root:/bin/sh\n", "no export of the audit log"), ("", "no export")] {
        let found = check(text).await;
        assert_eq!(found.code, Some(2), "{found:?}");
        assert!(found.stderr.contains(says) && !found.stderr.contains("tampered"), "{found:?}");
    }
    let nowhere = folder.join("nowhere").display().to_string();
    for (file, key, says) in [
        (nowhere.as_str(), key.as_str(), "there is no such file"),
        (folder.path().to_str().unwrap(), &key, "it is a folder"),
        (&nowhere, "0mIGqRPAzlDpQnHgGcZ8Lw", "audit public-key"),
    ] {
        let found = run_program(PROGRAM, &["audit", "verify", "--export", file, "--public-key", key], "").await;
        assert_eq!(found.code, Some(2), "{found:?}");
        assert!(found.stderr.contains(says) && !found.stderr.contains("os error"), "{found:?}");
    }
    assert_eq!(audited(&app.db, "audit.export").await.len(), 4);
}

trait AddPad {
    fn add_pad(self) -> String;
}

impl AddPad for String {
    /// Base64 of 32 bytes ends with one `=`.
    fn add_pad(self) -> String {
        self + "="
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_too_old_leaves_and_the_rest_stays_verifiable(db: PgPool) {
    let folder = Folder::new();
    let config = AppConfig { bcrypt_cost: 4, anchor_folder: Some(folder.path().to_owned()), ..AppConfig::default() };
    let app = TestApp::start_with(db, config).await;
    // Rows of long ago, rightly chained: the clock of their time wrote them.
    sql(
        &app.db,
        "DO $$ BEGIN FOR i IN 1..30 LOOP PERFORM append_audit('user.login', 'SUCCESS', NULL, 'user', 'old', NULL, 'u', '{}', NULL); \
         END LOOP; END $$; SET session_replication_role = replica; \
         DO $$ DECLARE r audit_log; h bytea := decode(repeat('00', 32), 'hex'); BEGIN FOR r IN SELECT * FROM audit_log ORDER BY id LOOP \
           r.time := now() - interval '100 days' + r.id * interval '1 second'; r.prev_hash := h; r.hash := audit_row_hash(h, r); h := r.hash; \
           UPDATE audit_log SET time = r.time, prev_hash = r.prev_hash, hash = r.hash WHERE id = r.id; END LOOP; \
         UPDATE audit_head SET hash = h; END $$; SET session_replication_role = origin",
    )
    .await;
    let admin = app.admin().await;
    assert_eq!(audit_retention::prune(&app.app).await.unwrap(), 0, "kept for ever by default");
    admin.put("/api/v1/audit/retention", &json!({ "days": 89 })).await.problem(422, "validation_failed");
    admin.put("/api/v1/audit/retention", &json!({})).await.problem(422, "validation_failed");
    admin.put("/api/v1/audit/retention", &json!({ "days": 120 })).await.expect_status(200);
    assert_eq!(audit_retention::prune(&app.app).await.unwrap(), 0);
    let set = admin.put("/api/v1/audit/retention", &json!({ "days": 90 })).await.expect(200);
    assert_eq!((&set["days"], &set["pruned"]), (&json!(90), &json!(null)));
    assert_eq!(audit_retention::prune(&app.app).await.unwrap(), 30);
    assert_eq!(audit_retention::prune(&app.app).await.unwrap(), 0);
    let left = verify(&app.app, |_, _| {}).await.unwrap().expect("whole from its checkpoint on");
    assert_eq!(left.from, 31);
    let row = &audited(&app.db, "audit.prune").await[0];
    assert_eq!((row.username.as_str(), &row.metadata["rows"]), ("system", &json!(30)));
    assert_eq!(admin.get("/api/v1/audit/retention").await.expect(200)["pruned"]["throughId"], 30);
    assert_eq!(rows_matching(&app.db, "audit_names", "name = 'old'").await.len(), 0);
    assert!(proxima_dashboard::app::anchor::look(&app.app).await.unwrap().is_ok());
    // Nothing else leaves, whatever a session says.
    let refused = "SET proxima.audit_prune = 'on'; DELETE FROM audit_log WHERE id = 31";
    let error = sqlx::raw_sql(refused).execute(&app.db).await.expect_err("append-only").to_string();
    assert!(error.contains("append-only"), "{error}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn refused_privileged_acts_are_on_record_and_bounded(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, alice) = (app.admin().await, app.customer("alice").await);
    let customer = app.sign_in("alice", proxima_test_support::PASSWORD).await;
    let license = format!("/api/v1/servers/{}/license", alice.server_id);
    customer.post(&format!("{license}/reveal"), &json!({})).await.problem(403, "forbidden");
    let row = &audited(&app.db, "server.license.reveal").await[0];
    assert_eq!((row.username.as_str(), row.outcome.as_str()), ("alice", "FAILURE"));
    assert_eq!((row.target, row.metadata["refused"].as_str()), (Some(alice.server_id.0), Some("forbidden")));
    customer.get("/api/v1/audit").await.problem(403, "forbidden");
    assert_eq!(audited(&app.db, "api.refused").await.len(), 1);
    for _ in 0..30 {
        admin.post(&format!("{license}/reinstate"), &json!({})).await.problem(409, "license_state_conflict");
    }
    let rows = audited(&app.db, "server.license.reinstate").await;
    assert_eq!(rows.len(), 10, "a loop does not fill the log");
    assert_eq!(rows[0].metadata["licenseStatus"], "ACTIVE");
    let own = rows_matching(&app.db, "users", "username = 'admin'").await[0]["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/api/v1/users/{own}")).await.problem(409, "self_delete");
    assert_eq!(audited(&app.db, "user.delete").await[0].metadata["refused"], "self_delete");
}
