//! The chain of the audit log: whole under load, and broken by whoever changes it behind our back.

use proxima_test_support::{TestApp, audited, first_broken};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

async fn rows(db: &PgPool, count: i64) {
    sqlx::query(
        "SELECT append_audit('user.login', 'SUCCESS', gen_random_uuid(), 'user', 'n' || i, gen_random_uuid(), 'u', \
                             jsonb_build_object('i', i), '192.0.2.1') FROM generate_series(1, $1) i",
    )
    .bind(count)
    .execute(db)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_row_is_written_once(db: PgPool) {
    rows(&db, 3).await;
    for statement in [
        "UPDATE audit_log SET username = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DELETE FROM audit_log WHERE false",
    ] {
        let refused = sqlx::query(statement).execute(&db).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(first_broken(&db).await.unwrap(), None);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_done_behind_the_triggers_back_is_found(db: PgPool) {
    assert_eq!(first_broken(&db).await.unwrap(), None, "an empty log is whole");
    rows(&db, 20).await;
    assert_eq!(first_broken(&db).await.unwrap(), None);
    let again = "INSERT INTO audit_log SELECT (r).* FROM (SELECT audit_log AS r FROM audit_log WHERE id = 20) x";
    let tampering = [
        ("UPDATE audit_log SET action = 'user.logout' WHERE id = 7", 7),
        ("UPDATE audit_log SET outcome = 'FAILURE' WHERE id = 7", 7),
        ("UPDATE audit_log SET username = 'innocent' WHERE id = 7", 7),
        ("UPDATE audit_log SET user_id = NULL WHERE id = 7", 7),
        ("UPDATE audit_log SET target = gen_random_uuid() WHERE id = 7", 7),
        ("UPDATE audit_log SET target_type = 'server' WHERE id = 7", 7),
        ("UPDATE audit_log SET target_name = NULL WHERE id = 7", 7),
        ("UPDATE audit_log SET metadata = '{\"i\": 8}' WHERE id = 7", 7),
        ("UPDATE audit_log SET time = time + interval '1 microsecond' WHERE id = 7", 7),
        ("UPDATE audit_log SET ip = '192.0.2.2' WHERE id = 7", 7),
        ("UPDATE audit_log SET ip = NULL WHERE id = 7", 7),
        ("UPDATE audit_log SET hash = sha256('x') WHERE id = 7", 7),
        // Hashed anew, it no longer fits its successor.
        (
            "UPDATE audit_log a SET username = 'innocent', hash = audit_row_hash(prev_hash, (id, time, action, outcome, target, \
          target_type, target_name, user_id, 'innocent', metadata, ip, prev_hash, hash)::audit_log) WHERE id = 7",
            8,
        ),
        ("DELETE FROM audit_log WHERE id = 7", 8),
        ("DELETE FROM audit_log WHERE id = 1", 2),
        ("DELETE FROM audit_log WHERE id > 15", 20),
        ("DELETE FROM audit_log", 20),
        ("UPDATE audit_log SET id = id + 100 WHERE id > 10", 20),
        ("UPDATE audit_head SET id = 19", 19),
        ("UPDATE audit_head SET hash = sha256('x')", 20),
    ];
    for (statement, found) in tampering {
        let script = format!("ALTER TABLE audit_log DISABLE TRIGGER USER; {statement}");
        check(&db, &script, Some(found)).await;
    }
    // Put in behind the last one, correctly chained, but not by append_audit.
    let forged = format!(
        "ALTER TABLE audit_log DISABLE TRIGGER USER; {again} WHERE false; \
         INSERT INTO audit_log SELECT 21, time, action, outcome, target, target_type, target_name, user_id, 'forged', metadata, ip, hash, \
         audit_row_hash(hash, (21, time, action, outcome, target, target_type, target_name, user_id, 'forged', metadata, ip, hash, hash)::audit_log) \
         FROM audit_log WHERE id = 20"
    );
    check(&db, &forged, Some(21)).await;
    let before_all = "INSERT INTO audit_log SELECT 0, time, action, outcome, target, target_type, target_name, user_id, \
                      username, metadata, ip, prev_hash, hash FROM audit_log WHERE id = 1";
    check(&db, before_all, Some(0)).await;
    assert_eq!(first_broken(&db).await.unwrap(), None, "every trial was undone");
}

/// Tampers with a copy of the database's state, looks, and undoes it.
async fn check(db: &PgPool, script: &str, found: Option<i64>) {
    let save = "CREATE TABLE kept AS SELECT * FROM audit_log; CREATE TABLE kept_head AS SELECT * FROM audit_head;";
    sqlx::raw_sql(AssertSqlSafe(format!("{save} {script}")))
        .execute(db)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
    assert_eq!(first_broken(db).await.unwrap(), found, "{script}");
    let restore = "ALTER TABLE audit_log DISABLE TRIGGER USER; \
                   DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept; \
                   DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head; DROP TABLE kept, kept_head; \
                   ALTER TABLE audit_log ENABLE TRIGGER USER;";
    sqlx::raw_sql(restore).execute(db).await.unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn fifty_who_write_at_once_keep_one_chain(db: PgPool) {
    // More connections than a test's own pool shares with the other tests.
    let options = (*db.connect_options()).clone();
    let db = PgPoolOptions::new().max_connections(20).connect_with(options).await.unwrap();
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let start: i64 = sqlx::query_scalar("SELECT id FROM audit_head").fetch_one(&app.db).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for i in 0..50 {
        let (admin, db) = (admin.clone(), app.db.clone());
        writers.spawn(async move {
            for j in 0..2 {
                let name = json!({ "displayName": format!("{i} {j}") });
                admin.patch("/api/v1/me", &name).await.expect_status(200);
            }
            // One who changes their mind leaves no gap.
            let mut tx = db.begin().await.unwrap();
            let append = "SELECT append_audit('x', 'SUCCESS', NULL, NULL, NULL, NULL, 'u', '{}', NULL)";
            sqlx::query(append).execute(&mut *tx).await.unwrap();
            tx.rollback().await.unwrap();
        });
    }
    writers.join_all().await;
    let (count, newest): (i64, i64) =
        sqlx::query_as("SELECT count(*), max(id) FROM audit_log").fetch_one(&app.db).await.unwrap();
    assert_eq!((count, newest), (start + 100, start + 100));
    assert_eq!(first_broken(&app.db).await.unwrap(), None);
    // And in the order of their times.
    let ordered: bool =
        sqlx::query_scalar("SELECT bool_and(a.time >= p.time) FROM audit_log a JOIN audit_log p ON p.id = a.id - 1")
            .fetch_one(&app.db)
            .await
            .unwrap();
    assert!(ordered);
    assert_eq!(audited(&app.db, "x").await.len(), 0);
    app.db.close().await;
}

/// The hash depends on the row alone, not on what a session prefers to see.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_chain_holds_in_every_session(db: PgPool) {
    rows(&db, 5).await;
    let settings = "SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'; \
                    SET bytea_output = 'escape'; SET extra_float_digits = 0";
    let mut connection = db.acquire().await.unwrap();
    sqlx::raw_sql(settings).execute(&mut *connection).await.unwrap();
    let wrong: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log a WHERE a.hash <> audit_row_hash(a.prev_hash, a)")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    assert_eq!(wrong, 0);
}
