//! The commands of the real program.

use crate::PROGRAM;
use proxima_test_support::{Finished, Folder, PASSWORD, TestApp, audited, database_url, rows_matching, run_program};
use proxima_types::Role;
use proxima_types::identity::GatewayIdentity;
use sqlx::{AssertSqlSafe, PgPool};
use std::os::unix::fs::PermissionsExt as _;

/// A command on a test's own database and data folder.
struct Bench {
    url: String,
    data: Folder,
}

impl Bench {
    fn new(db: &PgPool) -> Self {
        Self { url: database_url(db), data: Folder::new() }
    }

    async fn run(&self, args: &[&str], stdin: &str) -> Finished {
        let folder = ["--data-dir", self.data.path().to_str().unwrap(), "--database-url", &self.url];
        let finished = run_program(PROGRAM, &[args, &folder[..]].concat(), stdin).await;
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!shown.contains("panicked") && !shown.contains(&self.url), "{shown}");
        finished
    }
}

#[track_caller]
fn expect(finished: &Finished, code: i32) -> String {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    finished.stdout.trim_end().to_owned()
}

/// One clear sentence on standard error, and nothing else.
#[track_caller]
fn expect_sentence(finished: &Finished, code: i32, part: &str) {
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(code), ""), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(
        finished.stderr.starts_with("proxima-dashboard: ") && finished.stderr.contains(part),
        "{}",
        finished.stderr
    );
}

#[sqlx::test(migrations = false)]
async fn create_admin_makes_one_and_prints_its_password_once(db: PgPool) {
    let bench = Bench::new(&db);
    let first = bench.run(&["create-admin"], "").await;
    let password = expect(&first, 0);
    assert!(password.len() == 23 && !password.contains(char::is_whitespace), "alone on its line: {password:?}");
    assert!(!first.stderr.contains(&password));
    expect_sentence(&bench.run(&["create-admin"], "").await, 3, "taken");
    let second = expect(&bench.run(&["create-admin", "--username", "Second"], "").await, 0);
    assert_ne!(second, password);
    let chosen =
        bench.run(&["create-admin", "--username", "third", "--password-stdin"], &format!("{PASSWORD}\n")).await;
    assert!(!expect(&chosen, 0).contains(PASSWORD));
    for (weak, part) in
        [("password\n", "leaked"), ("short", "8 characters"), ("", "Enter a password"), (&"é".repeat(40), "72 bytes")]
    {
        let refused = bench.run(&["create-admin", "--username", "fourth", "--password-stdin"], weak).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let bad = bench.run(&["create-admin", "--username", "not a name"], "").await;
    assert_eq!(bad.code, Some(2), "{bad:?}");

    let app = TestApp::start(db).await;
    // What was made here was seen by whoever ran the command.
    for (username, password) in [("admin", password.as_str()), ("second", &second)] {
        let admin = app.sign_in(username, password).await;
        admin.get("/api/v1/users").await.problem(403, "password_change_required");
        let change = serde_json::json!({ "currentPassword": password, "newPassword": PASSWORD });
        admin.post("/api/v1/me/password", &change).await.expect_status(204);
        admin.get("/api/v1/users").await.expect_status(200);
    }
    app.sign_in("third", PASSWORD).await.get("/api/v1/users").await.expect_status(200);
    let rows = audited(&app.db, "user.create").await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.username == "console" && row.user_id.is_none()), "{rows:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn reset_password_sets_one_and_ends_the_sessions(db: PgPool) {
    let app = TestApp::start(db).await;
    let bench = Bench::new(&app.db);
    let alice = app.sign_in_new("alice", Role::Admin).await;
    let password = expect(&bench.run(&["reset-password", "--username", " Alice "], "").await, 0);
    alice.get("/api/v1/me").await.problem(401, "unauthenticated");
    let alice = app.sign_in("alice", &password).await;
    alice.get("/api/v1/users").await.problem(403, "password_change_required");
    let chosen = ["reset-password", "--username", "alice", "--password-stdin"];
    expect(&bench.run(&[&chosen[..], &["--temporary"]].concat(), PASSWORD).await, 0);
    alice.get("/api/v1/me").await.problem(401, "unauthenticated");
    app.sign_in("alice", PASSWORD).await.get("/api/v1/users").await.problem(403, "password_change_required");
    expect(&bench.run(&chosen, PASSWORD).await, 0);
    app.sign_in("alice", PASSWORD).await.get("/api/v1/users").await.expect_status(200);
    expect_sentence(&bench.run(&["reset-password", "--username", "nobody"], "").await, 4, "nobody");
    let weak = bench.run(&["reset-password", "--username", "alice", "--password-stdin"], "alicealice").await;
    assert_eq!(weak.code, Some(2), "{weak:?}");
    app.sign_in("alice", PASSWORD).await;
    let rows = audited(&app.db, "user.password.reset").await;
    let temporary: Vec<_> = rows.iter().map(|row| row.metadata["temporary"].as_bool()).collect();
    assert_eq!(
        (temporary.as_slice(), rows[0].username.as_str()),
        (&[Some(true), Some(true), Some(false)][..], "console")
    );
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn sign_out_ends_the_sessions_of_one_or_of_everybody(db: PgPool) {
    let app = TestApp::start(db).await;
    let bench = Bench::new(&app.db);
    let (admin, alice) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    app.sign_in("alice", PASSWORD).await;
    let said = expect(&bench.run(&["sign-out", "--username", " Alice "], "").await, 0);
    assert_eq!(said, "2 sessions have ended.");
    alice.get("/api/v1/me").await.problem(401, "unauthenticated");
    admin.get("/api/v1/me").await.expect_status(200);
    expect_sentence(&bench.run(&["sign-out", "--username", "nobody"], "").await, 4, "nobody");
    for neither in [&["sign-out"][..], &["sign-out", "--all", "--username", "alice"]] {
        assert_eq!(bench.run(neither, "").await.code, Some(2));
    }
    let alice = app.sign_in("alice", PASSWORD).await;
    assert_eq!(expect(&bench.run(&["sign-out", "--all"], "").await, 0), "2 sessions have ended.");
    for client in [&admin, &alice] {
        client.get("/api/v1/me").await.problem(401, "unauthenticated");
    }
    app.sign_in("admin", PASSWORD).await;
    let ended = serde_json::json!({ "endedSessions": 2 });
    for action in ["user.sign_out", "session.revoke_all"] {
        let rows = audited(&app.db, action).await;
        assert_eq!((rows.len(), rows[0].username.as_str(), &rows[0].metadata), (1, "console", &ended), "{action}");
    }
}

#[sqlx::test(migrations = false)]
async fn export_gateway_config_writes_a_private_identity_that_works(db: PgPool) {
    let bench = Bench::new(&db);
    expect(&bench.run(&["migrate"], "").await, 0);
    // A customer whose key this data folder's key file sealed.
    expect(&bench.run(&["create-admin", "--password-stdin"], PASSWORD).await, 0);
    let process = proxima_test_support::DashboardProcess::start(PROGRAM, &bench.url, &bench.data, &[]).await;
    let admin = process.client();
    let body = serde_json::json!({ "username": "admin", "password": PASSWORD });
    admin.post("/api/v1/auth/login", &body).await.expect_status(200);
    let form = serde_json::json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let user = admin.post("/api/v1/users", &form).await.expect(201);
    let settings = serde_json::json!({ "dashboardIpAllowlist": ["203.0.113.0/24"], "offlineLimitDays": null });
    admin.put("/api/v1/settings", &settings).await.expect_status(200);

    let file = bench.data.join("config.json");
    std::fs::write(&file, "an older file, readable by all").unwrap();
    let output = file.to_str().unwrap();
    let export = |username: &'static str, url: String| {
        let args = ["export-gateway-config", "--username", username, "--output", output, "--dashboard-url"];
        let args: Vec<String> = args.map(str::to_owned).into_iter().chain([url]).collect();
        let bench = &bench;
        async move { bench.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), "").await }
    };
    let said = expect(&export("Alice", process.url.clone()).await, 0);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let identity = GatewayIdentity::parse(&std::fs::read_to_string(&file).unwrap()).expect("it parses");
    assert!(!said.contains(identity.api_key.expose()), "{said}");
    assert_eq!(Some(identity.server_id.to_string().as_str()), user["server"]["id"].as_str());
    assert_eq!(identity.management_allow, Some(vec!["203.0.113.0/24".parse().unwrap()]));
    let key = identity.dashboard_public_keys[0];
    let mut gateway = proxima_test_support::TestGateway::new(&process.url, key, identity.server_id, identity.api_key);
    proxima_test_support::TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    let rows = audited(&db, "server.config.export").await;
    assert_eq!((rows.len(), rows[0].username.as_str(), rows[0].target), (1, "console", Some(identity.server_id.0)));
    assert_eq!(
        std::fs::read_dir(bench.data.path()).unwrap().count(),
        4,
        "the key file, the anchor's two and this one: no temporary"
    );

    expect_sentence(&export("nobody", process.url.clone()).await, 4, "nobody");
    expect_sentence(&export("admin", process.url.clone()).await, 4, "admin");
    for url in ["http://panel.example.com", "ftp://x", "nonsense", "https://user:password@panel.example.com"] {
        let refused = export("alice", url.to_owned()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert_eq!(audited(&db, "server.config.export").await.len(), 1);
}

/// What the operating system says comes in words, with the path and what to do.
#[tokio::test]
async fn a_file_that_is_not_there_is_said_in_words() {
    let data = Folder::new();
    let folder = data.path().to_str().unwrap();
    for (args, code, says) in [
        (
            &["restore", "/no/such.backup", "--data-dir", folder][..],
            1,
            "cannot read /no/such.backup: there is no such file",
        ),
        (&["audit", "public-key", "--data-dir", folder], 1, "keys.json: there is no such file"),
        (&["check-config", "--config", "/no/such.toml"], 2, "/no/such.toml: cannot be read: there is no such file"),
        (&["create-admin", "--data-dir", "/proc/no/data"], 1, "cannot make the data folder /proc/no/data"),
        (&["doctor", "--data-dir", "/no/data"], 1, "cannot read /no/data: there is no such file"),
        (&["backup"], 2, "backup --output FILE"),
    ] {
        let finished = run_program(PROGRAM, args, "").await;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code, Some(code), "{args:?}: {said}");
        assert!(said.contains(says) && !said.contains("os error"), "{args:?}: {said}");
    }
}

/// A large table takes minutes; one that somebody keeps locked is waited for no longer than others may wait behind it.
#[sqlx::test(migrations = false)]
async fn a_migration_takes_as_long_as_it_takes(db: PgPool) {
    let bench = Bench::new(&db);
    let witness = "CREATE SCHEMA witness; CREATE TABLE witness.seen (statements text, locks text);
                   CREATE FUNCTION witness.look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                   INSERT INTO witness.seen VALUES (current_setting('statement_timeout'), current_setting('lock_timeout')); END $$;
                   CREATE EVENT TRIGGER look ON ddl_command_end EXECUTE FUNCTION witness.look()";
    sqlx::raw_sql(witness).execute(&db).await.unwrap();
    expect(&bench.run(&["migrate"], "").await, 0);
    let seen: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT statements, locks FROM witness.seen").fetch_all(&db).await.unwrap();
    assert_eq!(seen, [("0".to_owned(), "10s".to_owned())]);
}

#[sqlx::test(migrations = false)]
async fn four_that_migrate_one_empty_database_at_once_all_succeed(db: PgPool) {
    let bench = Bench::new(&db);
    let migrate = || bench.run(&["migrate"], "");
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    for finished in [a, b, c, d] {
        assert!(expect(&finished, 0).contains("up to date"));
    }
    let applied = rows_matching(&db, "_sqlx_migrations", "success").await.len();
    assert_eq!(applied, proxima_db::pool::MIGRATOR.iter().count());
    expect(&migrate().await, 0);
    TestApp::start(db).await.customer("alice").await;
}

#[sqlx::test(migrations = false)]
async fn a_database_of_a_newer_version_is_left_alone(db: PgPool) {
    let bench = Bench::new(&db);
    expect(&bench.run(&["migrate"], "").await, 0);
    sqlx::query(
        "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    )
    .execute(&db)
    .await
    .unwrap();
    expect_sentence(&bench.run(&["migrate"], "").await, 1, "9999");
}

#[tokio::test]
async fn doctor_makes_no_database() {
    let folder = Folder::new();
    let finished = run_program(PROGRAM, &["doctor", "--data-dir", folder.path().to_str().unwrap()], "").await;
    let findings = expect(&finished, 0);
    assert!(findings.contains("database: none yet"), "{findings}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it only looked");
}

/// A mistyped folder or database is not made anew and found in order.
#[sqlx::test(migrations = false)]
async fn commands_of_an_installation_make_none(db: PgPool) {
    let bench = Bench::new(&db);
    for command in [
        &["audit", "verify"][..],
        &["backup", "--output", "/nonexistent/x"],
        &["rotate-signing-key", "--status"],
        &["rotate-master-key", "--status"],
        &["reset-password", "--username", "admin"],
        &["reset-factors", "--username", "admin"],
        &["sign-out", "--all"],
        &[
            "export-gateway-config",
            "--username",
            "alice",
            "--dashboard-url",
            "https://a.example",
            "--output",
            "/nonexistent/x",
        ],
        &["accept-restore"],
    ] {
        let folder = Folder::new();
        let mut args = command.to_vec();
        args.extend(["--data-dir", folder.path().to_str().unwrap()]);
        let refused = run_program(PROGRAM, &args, "").await;
        assert!(refused.code != Some(0) && refused.stdout.is_empty(), "{command:?}: {refused:?}");
        assert!(refused.stderr.contains("no dashboard has run with the data folder"), "{command:?}: {refused:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{command:?}");
    }
    let refused = bench.run(&["audit", "verify"], "").await;
    assert!(refused.stderr.contains("no dashboard has run on this database"), "{refused:?}");
    assert!(!proxima_db::pool::has_schema(&db).await.unwrap() && !bench.data.join("keys.json").exists());
}

#[sqlx::test(migrations = false)]
async fn doctor_says_what_to_mend_and_changes_nothing(db: PgPool) {
    let bench = Bench::new(&db);
    let findings = bench.run(&["doctor"], "").await;
    assert!(expect(&findings, 1).contains("PROBLEM  database"), "{findings:?}");
    assert!(findings.stdout.contains("proxima-dashboard migrate"), "{findings:?}");
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetch_one(&db).await.unwrap();
    assert_eq!(tables, 0, "it only looked");

    expect(&bench.run(&["migrate"], "").await, 0);
    assert!(expect(&bench.run(&["doctor"], "").await, 1).contains("PROBLEM  admins"));
    expect(&bench.run(&["create-admin"], "").await, 0);
    let fine = expect(&bench.run(&["doctor"], "").await, 0);
    assert!(!fine.contains("PROBLEM") && fine.ends_with("Nothing to mend."), "{fine}");

    let keys = bench.data.join("keys.json");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(expect(&bench.run(&["doctor"], "").await, 1).contains("chmod 600"));
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    sqlx::raw_sql(AssertSqlSafe(
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only; UPDATE audit_log SET username = 'innocent'"
            .to_owned(),
    ))
    .execute(&db)
    .await
    .unwrap();
    let broken = expect(&bench.run(&["doctor"], "").await, 1);
    assert!(broken.contains("PROBLEM  audit log: row 1"), "{broken}");
    assert_eq!(broken.lines().filter(|line| line.starts_with("PROBLEM")).count(), 1, "{broken}");
}

#[sqlx::test(migrations = false)]
async fn openapi_prints_the_document_and_needs_nothing(_db: PgPool) {
    let printed = run_program(PROGRAM, &["openapi"], "").await;
    let document: serde_json::Value = serde_json::from_str(&expect(&printed, 0)).unwrap();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert_eq!(
        document.to_string(),
        serde_json::from_str::<serde_json::Value>(&proxima_dashboard::http::openapi_json().unwrap())
            .unwrap()
            .to_string()
    );
}

#[tokio::test]
async fn a_database_that_is_not_there_is_one_sentence_without_its_password() {
    let data = Folder::new();
    let url = "postgres://somebody:canary-password@127.0.0.1:1/nothing";
    let args = ["migrate", "--data-dir", data.path().to_str().unwrap(), "--database-url", url];
    let finished = run_program(PROGRAM, &args, "").await;
    expect_sentence(&finished, 1, "DATABASE_URL");
    assert!(!finished.stderr.contains("canary-password"), "{}", finished.stderr);
}
