//! `serve`, as a process: how it starts, refuses to, and stops.

use crate::PROGRAM;
use proxima_test_support::{
    Client, DashboardProcess, Folder, PASSWORD, TestApp, database_url, rows_matching, run_program,
};
use serde_json::json;
use sqlx::PgPool;

fn first_admin_password(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.starts_with("First admin: username admin, password "))?;
    line.split("password ").nth(1)?.split(' ').next().map(str::to_owned)
}

#[sqlx::test(migrations = false)]
async fn a_first_start_makes_the_schema_the_key_file_and_one_admin(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let auto = [("PROXIMA_FIRST_ADMIN", "auto")];
    let process = DashboardProcess::start(PROGRAM, &url, &data, &auto).await;
    let client = process.client();
    client.get("/readyz").await.expect_status(200);
    let address = process.url.clone();
    let (code, output) = process.stop().await;
    assert_eq!(code, Some(0), "SIGTERM is a clean stop: {output}");
    let password = first_admin_password(&output).expect("the password is printed once");
    assert_eq!(output.matches(password.as_str()).count(), 1, "once");
    let refused = reqwest_fails(&address).await;
    assert!(refused, "nothing listens any more");

    let process = DashboardProcess::start(PROGRAM, &url, &data, &auto).await;
    assert_eq!(first_admin_password(&process.output()), None, "not at the second start");
    let body = json!({ "username": "admin", "password": password });
    process.client().post("/api/v1/auth/login", &body).await.expect_status(200);
    assert_eq!(rows_matching(&db, "users", "true").await.len(), 1);
}

async fn reqwest_fails(address: &str) -> bool {
    Client::new(address).try_post("/api/v1/auth/login", &json!({})).await.is_err()
}

#[sqlx::test(migrations = false)]
async fn several_that_start_at_once_make_one_admin_and_share_one_key_file(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let auto = [("PROXIMA_FIRST_ADMIN", "auto")];
    let start = || DashboardProcess::start(PROGRAM, &url, &data, &auto);
    let (a, b, c) = tokio::join!(start(), start(), start());
    let passwords: Vec<String> = [&a, &b, &c].iter().filter_map(|one| first_admin_password(&one.output())).collect();
    assert_eq!(passwords.len(), 1, "one of them made it");
    let change = json!({ "currentPassword": passwords[0], "newPassword": PASSWORD });
    let first = a.client();
    first
        .post("/api/v1/auth/login", &json!({ "username": "admin", "password": passwords[0] }))
        .await
        .expect_status(200);
    first.post("/api/v1/me/password", &change).await.expect_status(204);
    let login = json!({ "username": "admin", "password": PASSWORD });
    let mut made = Vec::new();
    for (process, username) in [(&a, "on-a"), (&b, "on-b"), (&c, "on-c")] {
        let admin = process.client();
        admin.post("/api/v1/auth/login", &login).await.expect_status(200);
        let form = json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER" });
        let user = admin.post("/api/v1/users", &form).await.expect(201);
        made.push(user["server"]["id"].as_str().unwrap().to_owned());
    }
    // What one of them sealed, the others open.
    for process in [&a, &b, &c] {
        let admin = process.client();
        admin.post("/api/v1/auth/login", &login).await.expect_status(200);
        for server in &made {
            admin.post(&format!("/api/v1/servers/{server}/license/reveal"), &json!({})).await.expect_status(200);
        }
    }
    let tables = std::fs::read_dir(data.path()).unwrap().count();
    assert_eq!(tables, 3, "the key file, the anchor's two, and no temporary one");
}

async fn refuses(url: &str, data: &Folder, extra: &[&str], part: &str) {
    let args = ["serve", "--database-url", url, "--data-dir", data.path().to_str().unwrap()];
    let finished = run_program(PROGRAM, &[&args[..], extra].concat(), "").await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let sentence: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("proxima-dashboard: ")).collect();
    assert_eq!(sentence.len(), 1, "{finished:?}");
    assert!(sentence[0].contains(part), "{finished:?}");
    assert_eq!(finished.stdout, "");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn with_a_key_file_that_it_cannot_read_it_does_not_start(db: PgPool) {
    let app = TestApp::start(db).await;
    let (url, data) = (database_url(&app.db), Folder::new());
    app.customer("alice").await;
    let listen = ["--listen", "127.0.0.1:0"];
    std::fs::write(data.join("keys.json"), "{}").unwrap();
    refuses(&url, &data, &listen, "chmod 600").await;
    std::fs::remove_file(data.join("keys.json")).unwrap();
    for content in ["{}", "", "nonsense", r#"{"version":2,"master_keys":[],"signing_keys":[]}"#] {
        write_private(&data, content);
        refuses(&url, &data, &listen, "malformed").await;
        std::fs::remove_file(data.join("keys.json")).unwrap();
    }
}

fn write_private(data: &Folder, content: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = data.join("keys.json");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_taken_port_is_one_clear_sentence(db: PgPool) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (url, data) = (database_url(&db), Folder::new());
    let sentence = format!("cannot listen on {address}: free the port, or choose another one with --listen");
    refuses(&url, &data, &["--listen", &address], &sentence).await;
    let metrics = ["--listen", "127.0.0.1:0", "--metrics-listen", &address];
    refuses(&url, &data, &metrics, "choose another one with --metrics-listen").await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetch_one(&db).await.unwrap();
    assert_eq!(tables, 0, "it is said before anything else is done");
}

#[sqlx::test(migrations = false)]
async fn metrics_are_on_their_own_address_only(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[("PROXIMA_METRICS_LISTEN", &free)]).await;
    let client = process.client();
    client.get("/healthz").await.expect_status(200);
    client.get("/api/v1/me").await.expect_status(401);
    client.get("/api/v1/no/such/%3Cscript%3E").await.expect_status(404);
    let metrics = Client::new(&format!("http://{free}")).get("/metrics").await;
    metrics.expect_status(200);
    assert!(metrics.text.contains(r#"route="/api/v1/me""#), "{}", metrics.text);
    assert!(!metrics.text.contains("script"), "labels are routes, never what was asked for");
    assert!(!client.get("/metrics").await.text.contains("proxima_http_requests_total"));
}

/// A request under way when the stop is asked for is finished, not cut.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_stop_lets_requests_under_way_finish(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
    let admin = process.client();
    let body = json!({ "username": "admin", "password": PASSWORD });
    admin.post("/api/v1/auth/login", &body).await.expect_status(200);
    let mut blocker = proxima_test_support::Blocker::hold(&db, "SELECT FROM audit_head FOR UPDATE").await;
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let request = tokio::spawn(async move { admin.try_post("/api/v1/users", &form).await });
    blocker.wait_for("SELECT append_audit").await;
    process.terminate().await;
    blocker.release().await;
    let answer = request.await.unwrap().expect("an answer");
    answer.expect_status(201);
    assert_eq!(process.ended().await.0, Some(0));
    assert_eq!(rows_matching(&db, "servers", "true").await.len(), 1);
}
