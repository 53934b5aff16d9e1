//! No key, secret, password or session token in clear: not in the database, not in the log (invariant 11).

use crate::world::{PIN, World};
use crate::{PROGRAM, access};
use clap::Parser as _;
use proxima_dashboard::cli::Cli;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_dashboard::keyring::{KeyFile, Keyring, Place};
use proxima_db::sealed::COLUMNS;
use proxima_test_support::{
    Client, DashboardProcess, Folder, Method, PASSWORD, TestApp, TestGateway, database_url, dump, run_program,
    run_program_with, wait_until,
};
use proxima_types::identity::{DashboardUrl, GatewayIdentity};
use proxima_types::{ApiSecret, InstallId, LicenseKey, Password, ServerId};
use serde_json::json;
use sqlx::PgPool;
use std::collections::BTreeSet;
use uuid::Uuid;

const WRONG: &str = "wrong-canary-password-1";
const NEW: &str = "fresh-canary-password-2";

/// Every secret of a scenario, as it must show nowhere.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        assert!(secret.len() >= 16, "a secret that could stand anywhere by chance: {secret}");
        self.0.push(secret.to_owned());
    }

    #[track_caller]
    fn are_absent_from(&self, text: &str, what: &str) {
        for secret in &self.0 {
            let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            // Without its prefix, and as PostgreSQL writes bytes.
            for form in [secret.as_str(), secret.trim_start_matches("pk_").trim_start_matches("sk_"), hex.as_str()] {
                let place = text.find(form).map(|at| text[at.saturating_sub(200)..at].to_owned());
                assert_eq!(place, None, "{what} holds a secret after this");
            }
        }
    }
}

/// All that people and gateways do, well and badly; returns the secrets that were in play.
async fn scenario(process: &DashboardProcess, db: &PgPool, data: &Folder) -> Secrets {
    let mut secrets = Secrets::default();
    for password in [PASSWORD, WRONG, NEW] {
        secrets.add(password);
    }
    let (admin, login) = (process.client(), "/api/v1/auth/login");
    let answer = admin.post(login, &json!({ "username": "admin", "password": PASSWORD })).await;
    answer.expect_status(200);
    secrets.add(&answer.session_token().unwrap());
    for body in [
        json!({ "username": "admin", "password": WRONG }),
        json!({ "username": WRONG, "password": WRONG }),
        json!({ "slug": "nobody", "password": WRONG, "unknown": WRONG }),
    ] {
        process.client().post(login, &body).await;
    }
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER", "loginSlug": "acme" });
    let user = admin.post("/api/v1/users", &form).await.expect(201);
    admin.post("/api/v1/users", &form).await.expect_status(409);
    admin.send_bytes(Method::POST, "/api/v1/users", Some("application/json"), format!("{{{WRONG}").into_bytes()).await;
    let own = process.client();
    let answer = own.post(login, &json!({ "slug": "acme", "password": PASSWORD })).await;
    secrets.add(&answer.session_token().unwrap());
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    own.post("/api/v1/me/password", &change).await.expect_status(204);
    own.post("/api/v1/me/password", &json!({ "currentPassword": WRONG, "newPassword": NEW })).await.expect_status(422);

    let server = user["server"]["id"].as_str().unwrap();
    let license = format!("/api/v1/servers/{server}/license");
    for _ in 0..2 {
        let key = admin.post(&format!("{license}/reveal"), &json!({})).await.expect(200)["apiKey"].clone();
        let key = key.as_str().unwrap();
        secrets.add(key);
        let public = proxima_dashboard::keyring::Keyring::load(&data.join("keys.json")).unwrap();
        let public = public.public_key().unwrap();
        let id: ServerId = server.parse().unwrap();
        let mut gateway = TestGateway::new(&process.url, public, id, LicenseKey::parse(key).unwrap());
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
        gateway.send(b"{".to_vec()).await;
        // A key where it does not belong.
        admin.get(&format!("/api/v1/servers?search={key}")).await;
        admin.get(&format!("/api/v1/login-pages/{key}")).await;
        admin.post(&format!("{license}/regenerate"), &json!({})).await.expect_status(200);
        assert_eq!(gateway.beat().await.status, 401);
    }
    what_is_kept_for_use(&admin, &own, server, &mut secrets).await;
    fail_inside(&admin, &form, db).await;
    secrets
}

/// Logins, factors and passwords that the dashboard has to keep, because it uses them.
async fn what_is_kept_for_use(admin: &Client, own: &Client, server: &str, secrets: &mut Secrets) {
    let connection = json!({ "host": "vps.example.com", "port": 22, "user": "root",
        "password": "canary-of-an-ssh-login", "sudoPassword": "canary-of-sudo-rights" });
    admin.put(&format!("/api/v1/servers/{server}/connection"), &connection).await.expect_status(200);
    let mail = json!({ "licenseEndingHours": 24, "offlineSettleMinutes": 5, "silentHours": 24,
        "smtp": { "host": "mail.example.com", "port": 465, "tls": "TLS", "username": "u", "password": "canary-of-an-smtp-login",
            "from": "Proxima <p@example.com>" } });
    admin.put("/api/v1/notifications/settings", &mail).await.expect_status(200);
    for known in ["canary-of-an-ssh-login", "canary-of-sudo-rights", "canary-of-an-smtp-login"] {
        secrets.add(known);
    }
    let hook = json!({ "kind": "WEBHOOK", "description": "x", "url": "https://hooks.example.com/", "events": ["key.shared"], "enabled": true });
    let made = admin.post("/api/v1/notifications/endpoints", &hook).await.expect(201);
    secrets.add(made["secret"].as_str().unwrap());
    let begun = own.post("/api/v1/me/totp", &json!({})).await.expect(201);
    secrets.add(begun["secret"].as_str().unwrap());
    let confirmed = json!({ "code": access::code(begun["secret"].as_str().unwrap(), 0) });
    let codes = own.post("/api/v1/me/totp/confirm", &confirmed).await.expect(200);
    for code in codes["recoveryCodes"].as_array().unwrap() {
        secrets.add(code.as_str().unwrap());
    }
}

/// The same again while the database refuses: errors are where secrets leak.
async fn fail_inside(admin: &proxima_test_support::Client, form: &serde_json::Value, db: &PgPool) {
    let refuse = "ALTER TABLE users ADD CONSTRAINT canary CHECK (username <> 'bob') NOT VALID; \
                  ALTER TABLE servers ADD CONSTRAINT canary CHECK (name <> 'carol''s Server') NOT VALID";
    sqlx::raw_sql(refuse).execute(db).await.unwrap();
    for username in ["bob", "carol"] {
        let mut form = form.clone();
        form["username"] = json!(username);
        form["loginSlug"] = json!(username);
        admin.post("/api/v1/users", &form).await.problem(500, "internal");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn secrets_are_in_clear_neither_in_the_database_nor_in_the_log(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let metrics = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let env = [("RUST_LOG", "debug"), ("PROXIMA_METRICS_LISTEN", metrics.as_str())];
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    let mut secrets = scenario(&process, &db, &data).await;
    what_is_served_holds_none(&secrets, &process, &metrics).await;
    // The secret of the management API never leaves by the API: the exported identity has it.
    let output = data.join("config.json");
    let args = ["export-gateway-config", "--username", "alice", "--dashboard-url", &process.url, "--output"];
    let folder = ["--data-dir", data.path().to_str().unwrap(), "--database-url", &url];
    let finished = run_program(PROGRAM, &[&args[..], &[output.to_str().unwrap()], &folder[..]].concat(), "").await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let identity = GatewayIdentity::parse(&std::fs::read_to_string(&output).unwrap()).unwrap();
    secrets.add(identity.api_key.expose());
    secrets.add(identity.api_secret.expose());
    secrets.are_absent_from(&finished.stdout, "what the command prints");

    let text = dump(&db).await;
    for table in ["users ", "servers ", "sessions ", "retired_keys ", "audit_log ", "gateway_installs "] {
        assert!(text.lines().any(|line| line.starts_with(table)), "{table} is in the dump");
    }
    secrets.are_absent_from(&text, "the database");
    let (code, log) = process.stop().await;
    assert_eq!(code, Some(0));
    assert!(log.contains("\"DEBUG\"") && log.contains("internal error"), "the log is at its most talkative");
    assert!(log.contains("INSERT INTO"), "statements are in it");
    secrets.are_absent_from(&log, "the log");
    // Neither are the master keys of the file anywhere else.
    let keys: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("keys.json")).unwrap()).unwrap();
    let mut keyring = Secrets::default();
    for kind in ["masterKeys", "signingKeys"] {
        for key in keys[kind].as_array().unwrap() {
            keyring.add(key["key"].as_str().unwrap());
        }
    }
    keyring.are_absent_from(&log, "the log");
    keyring.are_absent_from(&text, "the database");
}

/// Pages, whoever opens them, and metrics.
async fn what_is_served_holds_none(secrets: &Secrets, process: &DashboardProcess, metrics: &str) {
    let admin = process.client();
    let form = json!({ "username": "admin", "password": PASSWORD });
    admin.post("/api/v1/auth/login", &form).await.expect_status(200);
    for client in [&admin, &process.client()] {
        for path in ["/", "/login", "/login/acme", "/admin/settings", "/servers", "/no/such/page"] {
            let page = client.get(path).await;
            assert!(page.text.contains("<html") || page.text.contains("npm run build"), "{path}: {}", page.text);
            secrets.are_absent_from(&page.text, path);
        }
    }
    // Nor can a stranger write into them.
    let made_up = Method::from_bytes(b"CANARY-OF-A-METHOD").unwrap();
    process.client().send_bytes(made_up, "/api/v1/me", None, Vec::new()).await.expect_status(405);
    let metrics = Client::new(&format!("http://{metrics}")).get("/metrics").await;
    assert!(metrics.text.contains(r#"method="other""#) && !metrics.text.contains("CANARY"), "{}", metrics.text);
    assert!(metrics.text.contains("proxima_login_failures_total"), "{}", metrics.text);
    secrets.are_absent_from(&metrics.text, "metrics");
}

/// What a panic, or a careless line of a log, would print of what holds secrets, `RUST_BACKTRACE=full` or not: a backtrace has
/// places, never values; a message has what `Debug` says.
#[test]
fn what_holds_a_secret_does_not_print_it() {
    let data = Folder::new();
    let keyring = Keyring::create(&data.join("keys.json"), &OsEntropy).unwrap();
    let stored: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("keys.json")).unwrap()).unwrap();
    let (key, secret) =
        (LicenseKey::from_random_bytes(OsEntropy.bytes()), ApiSecret::from_random_bytes(OsEntropy.bytes()));
    let url = "postgres://panel:canary-of-a-database@db.example/panel";
    let mut secrets = Secrets::default();
    for known in [PASSWORD, key.expose(), secret.expose(), "canary-of-a-database"] {
        secrets.add(known);
    }
    for kind in ["masterKeys", "signingKeys"] {
        secrets.add(stored[kind][0]["key"].as_str().unwrap());
    }
    let password = Password::parse("password", PASSWORD, &[]).unwrap();
    let identity = GatewayIdentity {
        dashboard_url: DashboardUrl::parse("https://panel.example.com").unwrap(),
        dashboard_public_keys: keyring.public_keys(),
        server_id: ServerId(OsEntropy.uuid()),
        api_key: key.clone(),
        api_secret: secret.clone(),
        install_id: InstallId(OsEntropy.uuid()),
        management_allow: None,
        config: None,
    };
    let serve = Cli::try_parse_from(["proxima-dashboard", "serve", "--database-url", url]).unwrap();
    let files: KeyFile = serde_json::from_value(stored).unwrap();
    for printed in [
        format!("{key:?} {key:#?}"),
        format!("{secret:?} {secret:#?}"),
        format!("{password:?} {password:#?}"),
        format!("{identity:?} {identity:#?}"),
        format!("{serve:?} {serve:#?}"),
        format!("{files:?} {files:#?}"),
    ] {
        secrets.are_absent_from(&printed, "Debug");
    }
}

/// Somebody with the database alone has nothing; a ciphertext moved to another row opens nothing.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_ciphertext_opens_in_its_own_row_and_with_its_own_key_file_only(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let (alice, bob) = (app.customer("alice").await, app.customer("bob").await);
    let reveal = |id: ServerId| format!("/api/v1/servers/{id}/license/reveal");
    sqlx::query(
        "UPDATE servers SET api_key_ciphertext = (SELECT api_key_ciphertext FROM servers WHERE id = $1) WHERE id = $2",
    )
    .bind(alice.server_id.0)
    .bind(bob.server_id.0)
    .execute(&app.db)
    .await
    .unwrap();
    admin.post(&reveal(bob.server_id), &json!({})).await.problem(500, "secret_unreadable");
    sqlx::query("UPDATE servers SET api_key_ciphertext = api_secret_ciphertext WHERE id = $1")
        .bind(alice.server_id.0)
        .execute(&app.db)
        .await
        .unwrap();
    admin.post(&reveal(alice.server_id), &json!({})).await.problem(500, "secret_unreadable");
    let carol = app.customer("carol").await;
    admin.post(&reveal(carol.server_id), &json!({})).await.expect_status(200);
    // Another dashboard, another key file, the same database.
    let other = TestApp::start(app.db.clone()).await;
    let admin = other.sign_in("admin", PASSWORD).await;
    admin.post(&reveal(carol.server_id), &json!({})).await.problem(500, "secret_unreadable");
}

/// What two rows hold is each sealed for its row: the one's is nothing in the other's place.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_sealed_column_opens_what_another_row_holds(db: PgPool) {
    let folder = Folder::new();
    let mut world = World::new(db, folder.path()).await;
    let bob = world.app.customer("bob").await;
    // A box that takes connections and says nothing: the jobs hold the secret that they would bring.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let login = json!({
        "host": "127.0.0.1", "port": silent.local_addr().unwrap().port(), "user": "me", "password": "a-login-password",
        "sudoPassword": "a-sudo-password",
    });
    for (customer, name) in [(&world.customer, "alice"), (&bob, "bob")] {
        let (own, server) =
            (world.app.sign_in(name, PASSWORD).await, format!("/api/v1/servers/{}", customer.server_id));
        own.put(&format!("{server}/connection"), &login).await.expect_status(200);
        sqlx::query(PIN).execute(&world.app.db).await.unwrap();
        own.post(&format!("{server}/jobs"), &json!({ "kind": "INSTALL" })).await.expect_status(202);
        // An authenticator app, and another one that is being added.
        let begun = own.post("/api/v1/me/totp", &json!({})).await.expect(201);
        let confirmed = json!({ "code": access::code(begun["secret"].as_str().unwrap(), 0) });
        own.post("/api/v1/me/totp/confirm", &confirmed).await.expect_status(200);
        own.post("/api/v1/me/totp", &json!({})).await.expect_status(201);
        world.admin.post(&format!("{server}/license/rotate"), &json!({})).await.expect_status(200);
        let form = json!({
            "kind": "WEBHOOK", "description": name, "url": "https://127.0.0.1:1/", "events": ["key.shared"], "enabled": true,
        });
        let hook = world.admin.post("/api/v1/notifications/endpoints", &form).await.expect(201);
        let hook = format!("/api/v1/notifications/endpoints/{}", hook["endpoint"]["id"].as_str().unwrap());
        world.admin.post(&format!("{hook}/secret/rotate"), &json!({})).await.expect_status(200);
        certificate_of(&world, name).await;
    }
    world.run_jobs();
    wait_until(&world.app.db, "SELECT count(api_secret_ciphertext) = 2 FROM jobs").await;
    let mut unfilled = BTreeSet::new();
    let mut connection = world.app.db.acquire().await.unwrap();
    for sealed in COLUMNS {
        // Those of every key: none is of key 0.
        let rows = sealed.page_not_of(&mut connection, 0, None, 100).await.unwrap();
        if rows.len() < 2 {
            unfilled.insert(format!("{}.{}", sealed.table, sealed.column));
        }
        let open = |row: Uuid, ciphertext: &[u8]| {
            let place = Place { table: sealed.table, row, column: sealed.sealed_for };
            world.app.app.keyring.open_sealed(place, ciphertext)
        };
        for (row, ciphertext) in &rows {
            assert!(open(*row, ciphertext).is_ok(), "{sealed:?} is not sealed for its own row");
            for (other, _) in rows.iter().filter(|(other, _)| other != row) {
                assert!(open(*other, ciphertext).is_err(), "{sealed:?} opens in another row");
            }
        }
    }
    // The e-mail server's table has one row by design, and so no other to swap with. A new column is not forgotten here.
    assert_eq!(unfilled, BTreeSet::from(["notification_settings.smtp_password_ciphertext".to_owned()]));
}

/// An account at an authority and its certificate, sealed here as the product seals them; that the product opens its own is what
/// `acme`'s tests show.
async fn certificate_of(world: &World, name: &str) {
    let (id, directory) = (OsEntropy.uuid(), format!("https://{name}.example/directory"));
    let seal = |table, column| {
        world.app.app.keyring.seal(Place { table, row: id, column }, "a-private-key", &OsEntropy).unwrap()
    };
    sqlx::query("INSERT INTO acme_accounts (id, directory, credentials_ciphertext) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(&directory)
        .bind(seal("acme_accounts", "credentials"))
        .execute(&world.app.db)
        .await
        .unwrap();
    let certificate = "INSERT INTO acme_certificates (id, host, directory, chain, key_ciphertext, not_after, renew_at) \
                       VALUES ($1, 'panel.example.com', $2, '-', $3, now(), now())";
    sqlx::query(certificate)
        .bind(id)
        .bind(&directory)
        .bind(seal("acme_certificates", "key"))
        .execute(&world.app.db)
        .await
        .unwrap();
}

const PANICS: &str = "PROXIMA_TEST_PANICS_IN";

/// Panics in a task that holds secrets, with all of them in the message, when the test below asks for it in a process of its own;
/// otherwise does nothing.
#[tokio::test]
async fn helper_that_panics() {
    let Some(folder) = std::env::var_os(PANICS).map(std::path::PathBuf::from) else { return };
    let keyring = Keyring::create(&folder.join("keys.json"), &OsEntropy).unwrap();
    let (key, secret) =
        (LicenseKey::from_random_bytes(OsEntropy.bytes()), ApiSecret::from_random_bytes(OsEntropy.bytes()));
    let password = Password::parse("password", PASSWORD, &[]).unwrap();
    let file: KeyFile = serde_json::from_str(&std::fs::read_to_string(folder.join("keys.json")).unwrap()).unwrap();
    std::fs::write(folder.join("known"), format!("{}\n{}", key.expose(), secret.expose())).unwrap();
    let task: tokio::task::JoinHandle<()> = tokio::spawn(async move {
        tokio::task::yield_now().await;
        let _held = keyring;
        panic!("no secret: {:?}", (key, secret, password, file));
    });
    assert!(task.await.unwrap_err().is_panic());
}

/// A real panic of a task, as the runtime prints it with everything that can be asked for.
#[tokio::test]
async fn a_panic_prints_no_secret() {
    let folder = Folder::new();
    let itself = std::env::current_exe().unwrap();
    let args = ["--exact", "secrets::helper_that_panics", "--nocapture"];
    let env = [("RUST_BACKTRACE", "full"), (PANICS, folder.path().to_str().unwrap())];
    let finished = run_program_with(itself.to_str().unwrap(), &args, &env, "").await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stderr.contains("panicked at") && finished.stderr.contains("stack backtrace"), "{finished:?}");
    assert!(finished.stderr.contains("no secret: ("), "they are in the message: {finished:?}");
    let mut secrets = Secrets::default();
    let known = std::fs::read_to_string(folder.join("known")).unwrap();
    let keys: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("keys.json")).unwrap()).unwrap();
    let stored = ["masterKeys", "signingKeys"].map(|kind| keys[kind][0]["key"].as_str().unwrap());
    for secret in known.lines().chain(stored).chain([PASSWORD]) {
        secrets.add(secret);
    }
    secrets.are_absent_from(&format!("{}{}", finished.stdout, finished.stderr), "the panic");
}
