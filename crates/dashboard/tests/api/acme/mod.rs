//! Certificates from an authority, with a real one and real dashboards.

mod pebble;

use crate::PROGRAM;
use pebble::{Pebble, free_port};
use proxima_dashboard::acme;
use proxima_test_support::{DashboardProcess, Folder, PASSWORD, database_url, rows_matching, run_program, wait_until};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::Duration;

const HOST: &str = "panel.example.com";
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings of a dashboard on `port`.
fn settings(pebble: &Pebble, port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("PROXIMA_LISTEN", format!("127.0.0.1:{port}")),
        ("PROXIMA_PUBLIC_URL", format!("https://{HOST}")),
        ("PROXIMA_ACME", pebble.directory.clone()),
        ("PROXIMA_ACME_CONTACT", "operations@example.com".to_owned()),
        ("PROXIMA_ACME_CA", pebble.ca().display().to_string()),
        ("PROXIMA_ACME_EAB_KEY_ID", "kid-1".to_owned()),
        ("PROXIMA_ACME_EAB_KEY_FILE", pebble.eab_key_file().display().to_string()),
    ]
}

async fn start(pebble: &Pebble, url: &str, data: &Folder, port: u16) -> DashboardProcess {
    start_with(pebble, url, data, port, &[]).await
}

/// With some settings changed. On `port` alone: the flag of [`DashboardProcess::start`] would win over the variable.
async fn start_with(
    pebble: &Pebble,
    url: &str,
    data: &Folder,
    port: u16,
    changed: &[(&'static str, &str)],
) -> DashboardProcess {
    let mut settings = settings(pebble, port);
    for (name, value) in changed {
        settings.retain(|(known, _)| known != name);
        settings.push((name, (*value).to_owned()));
    }
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    DashboardProcess::start_on(PROGRAM, &format!("127.0.0.1:{port}"), url, data, &settings).await
}

async fn waited<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a browser that trusts the authority is served there.
async fn is_served(pebble: &Pebble, port: u16) -> Option<Vec<u8>> {
    let answer = browser(pebble, port).await.get(format!("https://{HOST}:{port}/healthz")).send().await.ok()?;
    assert_eq!(answer.status(), 200);
    Some(answer.extensions().get::<reqwest::tls::TlsInfo>()?.peer_certificate()?.to_vec())
}

/// A first attempt fails, because the authority is led to a dashboard that does not run yet, and is told; the next one is
/// answered by the other dashboard; both serve one certificate; it is renewed.
#[sqlx::test(migrations = false)]
async fn several_dashboards_have_one_certificate_issued_and_renewed(db: PgPool) {
    let (first_port, second_port) = (free_port(), free_port());
    let pebble = Pebble::start(second_port).await;
    let (url, data) = (database_url(&db), Folder::new());
    let first = start(&pebble, &url, &data, first_port).await;
    let failed = async || rows_matching(&db, "acme_certificates", "failures = 1").await.pop();
    waited("the failure is written down", failed).await;
    assert_eq!(is_served(&pebble, first_port).await, None);
    let told: String = sqlx::query_scalar("SELECT last_error FROM acme_certificates").fetch_one(&db).await.unwrap();
    assert!(told.contains("panel.example.com on port 443: ") && told.contains("Failed to connect"), "{told}");
    let said = doctor(&pebble, &url, &data, first_port).await;
    assert!(said.contains("PROBLEM  certificate: the authority could not reach this dashboard"), "{said}");

    let second = start(&pebble, &url, &data, second_port).await;
    first.signal("HUP").await;
    let served = waited("the first serves it", async || is_served(&pebble, first_port).await).await;
    let same = waited("the second takes it", async || is_served(&pebble, second_port).await).await;
    assert_eq!(served, same);
    let said = reported(&pebble, first_port, &url, &data).await;
    assert_eq!(
        (&said["state"], &said["host"], &said["problems"]),
        (&json!("GOOD"), &json!(HOST), &json!([])),
        "{said}"
    );
    assert_eq!(said["authority"], pebble.directory);
    assert!(said["issuer"].as_str().unwrap().contains("Pebble"), "{said}");
    assert!(said["renewAt"].as_str() < said["notAfter"].as_str() && said["failedAt"].is_null(), "{said}");
    assert!(
        doctor(&pebble, &url, &data, first_port)
            .await
            .contains("ok       certificate: for panel.example.com is good until")
    );

    sqlx::query("UPDATE acme_certificates SET renew_at = now()").execute(&db).await.unwrap();
    second.signal("HUP").await;
    for port in [second_port, first_port] {
        let renewed = async || is_served(&pebble, port).await.filter(|now| *now != served);
        waited("the new one is served", renewed).await;
    }
    let audited = rows_matching(&db, "audit_log", "action = 'certificate.issue'").await;
    assert_eq!(audited.len(), 3, "{audited:?}");
    assert_eq!(rows_matching(&db, "acme_accounts", "true").await.len(), 1, "one account for all");
    nothing_secret(&db, &[first.output(), second.output()]).await;
}

/// What an admin is told of it.
async fn reported(pebble: &Pebble, port: u16, url: &str, data: &Folder) -> Value {
    let folder = data.path().to_str().unwrap();
    let made = ["create-admin", "--password-stdin", "--database-url", url, "--data-dir", folder];
    assert_eq!(run_program(PROGRAM, &made, PASSWORD).await.code, Some(0));
    let client = browser(pebble, port).await;
    let form = json!({ "username": "admin", "password": PASSWORD });
    let url = |path: &str| format!("https://{HOST}:{port}/api/v1/{path}");
    let answer = client.post(url("auth/login")).json(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies: Vec<&str> = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next()).collect();
    let cookie = cookies.join("; ");
    client.get(url("settings/certificate")).header("cookie", cookie).send().await.unwrap().json().await.unwrap()
}

/// One that trusts the authority.
async fn browser(pebble: &Pebble, port: u16) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([pebble.root().await])
        .tls_info(true)
        .resolve(HOST, format!("127.0.0.1:{port}").parse().unwrap())
        .build()
        .unwrap()
}

async fn doctor(pebble: &Pebble, url: &str, data: &Folder, port: u16) -> String {
    let settings = settings(pebble, port);
    let named: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("--{}={value}", name["PROXIMA_".len()..].to_lowercase().replace('_', "-")))
        .collect();
    let mut arguments = vec!["doctor", "--database-url", url, "--data-dir", data.path().to_str().unwrap()];
    arguments.extend(named.iter().map(String::as_str));
    run_program(PROGRAM, &arguments, "").await.stdout
}

/// No key in clear: not in the database, not in a log.
async fn nothing_secret(db: &PgPool, logs: &[String]) {
    for table in ["acme_accounts", "acme_certificates", "audit_log"] {
        let text = format!("{:?}", rows_matching(db, table, "true").await);
        assert!(!text.contains("PRIVATE KEY") && !text.contains("key_pkcs8"), "{table}: {text}");
    }
    for log in logs {
        assert!(!log.contains("PRIVATE KEY") && !log.contains("key_pkcs8") && !log.contains(pebble::EAB_KEY), "{log}");
    }
}

/// A contact reaches the authority at the next start; another external key, with the next order, by a new account.
#[sqlx::test(migrations = false)]
async fn the_account_follows_the_settings(db: PgPool) {
    let port = free_port();
    let pebble = Pebble::start(port).await;
    let (url, data) = (database_url(&db), Folder::new());
    let account = async || rows_matching(&db, "acme_accounts", "true").await.pop().unwrap();
    let first = start(&pebble, &url, &data, port).await;
    let served = waited("it is issued", async || is_served(&pebble, port).await).await;
    let made = account().await;
    assert_eq!((&made["contact"], &made["external_key_id"]), (&json!("operations@example.com"), &json!("kid-1")));
    first.stop().await;

    let night = ("PROXIMA_ACME_CONTACT", "night@example.com");
    let second = start_with(&pebble, &url, &data, port, &[night]).await;
    wait_until(&db, "SELECT contact = 'night@example.com' FROM acme_accounts").await;
    assert_eq!(account().await["id"], made["id"], "the same account");
    assert!(second.stop().await.1.contains("was told the new contact"));

    // The authority is not reached: nothing is remembered, and the dashboard serves.
    let elsewhere = data.join("another.pem");
    std::fs::write(&elsewhere, rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap().cert.pem()).unwrap();
    let nowhere = [("PROXIMA_ACME_CONTACT", "day@example.com"), ("PROXIMA_ACME_CA", elsewhere.to_str().unwrap())];
    let third = start_with(&pebble, &url, &data, port, &nowhere).await;
    let warned = async || third.output().contains("the authority's account is as before").then_some(());
    waited("it is said", warned).await;
    assert_eq!(is_served(&pebble, port).await.as_ref(), Some(&served));
    assert_eq!(account().await["contact"], "night@example.com");
    third.stop().await;

    sqlx::query("UPDATE acme_certificates SET renew_at = now()").execute(&db).await.unwrap();
    let fourth = start_with(&pebble, &url, &data, port, &[night, ("PROXIMA_ACME_EAB_KEY_ID", "kid-2")]).await;
    let renewed = async || is_served(&pebble, port).await.filter(|now| *now != served);
    waited("it is renewed", renewed).await;
    let bound = account().await;
    assert_eq!((&bound["contact"], &bound["external_key_id"]), (&json!("night@example.com"), &json!("kid-2")));
    assert_ne!(bound["id"], made["id"], "an account is bound once, when it is made");
    fourth.stop().await;
}

/// A master key that is gone does not end HTTPS, and costs the authority one certificate.
#[sqlx::test(migrations = false)]
async fn a_lost_master_key_costs_a_new_certificate(db: PgPool) {
    let port = free_port();
    let pebble = Pebble::start(port).await;
    let (url, data) = (database_url(&db), Folder::new());
    let before = start(&pebble, &url, &data, port).await;
    let served = waited("it is issued", async || is_served(&pebble, port).await).await;
    before.stop().await;
    std::fs::rename(data.join("keys.json"), data.join("lost.json")).unwrap();
    let without = start(&pebble, &url, &data, port).await;
    let other = async || is_served(&pebble, port).await;
    let other = tokio::time::timeout(PATIENCE, waited("another is issued", other))
        .await
        .unwrap_or_else(|_| panic!("{}", without.output()));
    assert_ne!(other, served);
    without.signal("HUP").await;
    let waits = "SELECT next_attempt_at > now() + interval '23 hours' AND claimed_until IS NULL FROM acme_certificates";
    wait_until(&db, waits).await;
    let (code, log) = without.stop().await;
    assert_eq!((code, log.matches("a certificate is ordered").count()), (Some(0), 1), "{log}");
    std::fs::rename(data.join("lost.json"), data.join("keys.json")).unwrap();
    let again = start(&pebble, &url, &data, port).await;
    let back = waited("the stored one is served again", async || is_served(&pebble, port).await).await;
    assert_eq!(back, served);
    again.stop().await;
}

/// An authority that takes connections and never answers holds up neither a stop nor the next start.
#[sqlx::test(migrations = false)]
async fn an_order_that_hangs_is_let_go_of(db: PgPool) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, data) = (database_url(&db), Folder::new());
    let directory = format!("https://{}/dir", silent.local_addr().unwrap());
    let env = [("PROXIMA_PUBLIC_URL", "https://panel.example.com"), ("PROXIMA_ACME", directory.as_str())];
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    wait_until(&db, "SELECT count(*) = 1 FROM acme_certificates WHERE claimed_until > now()").await;
    for _ in 0..3 {
        process.signal("HUP").await;
    }
    let (code, log) = process.stop().await;
    assert_eq!(code, Some(0), "{log}");
    let claimed = "SELECT count(*) FROM acme_certificates WHERE claimed_until IS NOT NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(claimed).fetch_one(&db).await.unwrap(), 0, "the next start need not wait");

    // One that is killed cannot let go; its claim ends by itself, and somebody else takes it.
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    wait_until(&db, "SELECT count(*) = 1 FROM acme_certificates WHERE claimed_until > now()").await;
    process.kill().await;
    let ended = "UPDATE acme_certificates SET claimed_until = now() RETURNING claimed_by";
    let killed: uuid::Uuid = sqlx::query_scalar(ended).fetch_one(&db).await.unwrap();
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    let taken =
        format!("SELECT count(*) = 1 FROM acme_certificates WHERE claimed_until > now() AND claimed_by <> '{killed}'");
    wait_until(&db, &taken).await;
    process.stop().await;
}

/// Who asks for the challenge when no authority does gets nothing.
#[test]
fn the_challenges_certificate_holds_the_digest_and_the_host() {
    let made = acme::challenge_certificate(HOST, &[7; 32]).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&made.cert[0]).unwrap();
    let extension = parsed.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
    assert!(extension.critical, "RFC 8737, section 3");
    assert_eq!(extension.value, [&[4, 32][..], &[7; 32][..]].concat());
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(format!("{:?}", names.value.general_names), format!("[DNSName({HOST:?})]"));
}
