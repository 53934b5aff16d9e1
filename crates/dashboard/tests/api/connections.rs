//! The Connect card: what is stored, what is given back, and what a host must show before it gets anything.

use crate::world::{PIN, World};
use proxima_test_support::{audited, dump, rows_matching};
use serde_json::{Value, json};
use sqlx::PgPool;

const SUDO: &str = "sudo-canary-password-1";
const LOGIN: &str = "login-canary-password-2";

async fn world(db: PgPool) -> (World, tempfile::TempDir) {
    let releases = tempfile::tempdir().unwrap();
    (World::new(db, releases.path()).await, releases)
}

fn form() -> Value {
    json!({ "host": "VPS.example.com.", "port": 22, "user": "root", "password": LOGIN, "sudoPassword": SUDO })
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_stored_to_log_in_with_is_sealed_and_never_given_back(db: PgPool) {
    let (world, _releases) = world(db).await;
    let path = world.path("/connection");
    let empty = world.own.get(&path).await.expect(200);
    assert_eq!(
        (&empty["host"], &empty["credential"], &empty["hostKeyState"]),
        (&Value::Null, &Value::Null, &json!("NONE"))
    );
    let saved = world.own.put(&path, &form()).await;
    let body = saved.expect(200);
    assert_eq!((&body["host"], &body["port"], &body["user"]), (&json!("vps.example.com"), &json!(22), &json!("root")));
    assert_eq!((&body["credential"]["kind"], &body["sudoPasswordStored"]), (&json!("PASSWORD"), &json!(true)));
    assert!(body["credential"]["storedAt"].is_string());
    assert_eq!(world.admin.get(&path).await.expect(200), body);
    let everything = format!("{}{}", saved.text, dump(&world.app.db).await);
    for secret in [LOGIN, SUDO] {
        let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert!(!everything.contains(secret) && !everything.contains(&hex), "a secret is in clear");
    }
    let row = audited(&world.app.db, "server.connection.update").await.pop().unwrap();
    assert_eq!((row.username.as_str(), &row.metadata["address"]["to"]), ("alice", &json!("root@vps.example.com:22")));
    // Without a new one it stays; null forgets sudo's.
    let again = json!({ "host": "vps.example.com", "port": 22, "user": "admin", "sudoPassword": null });
    let body = world.own.put(&path, &again).await.expect(200);
    assert_eq!((&body["credential"]["kind"], &body["sudoPasswordStored"]), (&json!("PASSWORD"), &json!(false)));
    for _ in 0..2 {
        assert_eq!(world.own.delete(&path).await.expect(200), json!({ "keyRemoved": null, "problem": null }));
    }
    assert_eq!(world.own.get(&path).await.expect(200), empty);
    assert_eq!(rows_matching(&world.app.db, "connections", "true").await.len(), 0);
    assert_eq!(audited(&world.app.db, "server.connection.forget").await.len(), 1, "once: there was something once");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_bad_field_is_named_at_once(db: PgPool) {
    let (world, _releases) = world(db).await;
    let path = world.path("/connection");
    let bad = json!({ "host": "0x7f.1", "port": 65536, "user": "a b", "password": "", "sudoPassword": "a\nb" });
    world.own.put(&path, &bad).await.refuses(&[
        ("host", "invalid"),
        ("port", "out_of_range"),
        ("user", "invalid"),
        ("password", "required"),
        ("sudoPassword", "invalid"),
    ]);
    let mut both = form();
    both["privateKey"] = json!("-----BEGIN OPENSSH PRIVATE KEY-----");
    world.own.put(&path, &both).await.refuses(&[("privateKey", "ambiguous")]);
    let mut stray = form();
    stray["passphrase"] = json!("secret");
    world.own.put(&path, &stray).await.refuses(&[("passphrase", "unexpected")]);
    let broken = json!({ "host": "h", "port": 22, "user": "root", "privateKey": "ssh-ed25519 AAAA" });
    world.own.put(&path, &broken).await.refuses(&[("privateKey", "invalid")]);
    assert_eq!(rows_matching(&world.app.db, "connections", "true").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn another_host_or_port_gets_nothing_of_what_was_given_for_this_one(db: PgPool) {
    let (world, _releases) = world(db).await;
    let path = world.path("/connection");
    for (host, port) in [("other.example.com", 22), ("vps.example.com", 23)] {
        world.own.put(&path, &form()).await.expect_status(200);
        sqlx::query(PIN).execute(&world.app.db).await.unwrap();
        assert_eq!(world.own.get(&path).await.expect(200)["hostKeyState"], "CONFIRMED");
        let moved = world.own.put(&path, &json!({ "host": host, "port": port, "user": "root" })).await.expect(200);
        assert_eq!((&moved["credential"], &moved["sudoPasswordStored"]), (&Value::Null, &json!(false)), "{moved}");
        assert_eq!((&moved["hostKey"], &moved["hostKeyState"]), (&Value::Null, &json!("NONE")));
    }
    // Somebody who edits the address in the database does not get it sent there either.
    world.own.put(&path, &form()).await.expect_status(200);
    sqlx::query(PIN).execute(&world.app.db).await.unwrap();
    sqlx::query("UPDATE connections SET host = '127.0.0.1'").execute(&world.app.db).await.unwrap();
    world.own.post(&world.path("/connection/test"), &json!({})).await.problem(500, "internal");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_dashboard_connects_to_private_addresses_only_when_the_operator_allows_it(db: PgPool) {
    let app = proxima_test_support::TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = format!("/api/v1/servers/{}/connection", customer.server_id);
    for host in ["127.0.0.1", "::ffff:127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "::1"] {
        let form = json!({ "host": host, "port": port, "user": "root" });
        admin.put(&path, &form).await.expect_status(200);
        let probe = admin.post(&format!("{path}/host-key"), &json!({})).await.expect(200);
        assert_eq!(probe["problem"]["code"], "ADDRESS_DENIED", "{host}: {probe}");
    }
    // Nor when another dashboard, with other flags, took it into the settings.
    let saved = "UPDATE settings SET outbound_allowlist = '{127.0.0.1}'";
    assert_eq!(sqlx::query(saved).execute(&app.db).await.unwrap().rows_affected(), 1);
    admin.put(&path, &json!({ "host": "127.0.0.1", "port": port, "user": "root" })).await.expect_status(200);
    let probe = admin.post(&format!("{path}/host-key"), &json!({})).await.expect(200);
    assert_eq!(probe["problem"]["code"], "ADDRESS_DENIED", "{probe}");
    let waiting = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(waiting, Err(std::io::ErrorKind::WouldBlock), "nobody was connected to");
    // Nor does an admin's word open what is no customer's server, or is open anyway.
    let ranges = ["127.0.0.1", "169.254.169.254", "0.0.0.0/0", "10.1.0.0/16", "9.9.9.9"];
    let settings = json!({ "dashboardIpAllowlist": [], "outboundAllowlist": ranges, "offlineLimitDays": null });
    let list = |index| format!("outboundAllowlist[{index}]");
    admin.put("/api/v1/settings", &settings).await.refuses(&[
        (&list(0), "not_allowed"),
        (&list(1), "not_allowed"),
        (&list(2), "not_allowed"),
        (&list(4), "public"),
    ]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_allowed_at_the_start_is_connected_to(db: PgPool) {
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let config =
        proxima_dashboard::config::AppConfig { bcrypt_cost: 4, outbound_allowed: loopback, ..Default::default() };
    let app = proxima_test_support::TestApp::start_with(db, config).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = format!("/api/v1/servers/{}/connection", customer.server_id);
    // It may be named in the settings, too.
    let settings = json!({ "dashboardIpAllowlist": [], "outboundAllowlist": ["127.0.0.1"], "offlineLimitDays": null });
    admin.put("/api/v1/settings", &settings).await.expect_status(200);
    admin.put(&path, &json!({ "host": "127.0.0.1", "port": port, "user": "root" })).await.expect_status(200);
    // What listens there is no SSH server and says nothing.
    let hanging_up = tokio::task::spawn_blocking(move || drop(listener.accept().unwrap()));
    let probe = admin.post(&format!("{path}/host-key"), &json!({})).await.expect(200);
    hanging_up.await.unwrap();
    assert!(probe["problem"]["code"].is_string() && probe["problem"]["code"] != "ADDRESS_DENIED", "{probe}");
    assert_eq!(probe["connection"]["hostKeyState"], "NONE");
}
