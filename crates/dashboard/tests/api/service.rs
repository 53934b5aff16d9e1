//! `serve` under systemd: what it says to it, what SIGHUP does, and a socket that systemd opened.

use crate::PROGRAM;
use proxima_test_support::{Client, DashboardProcess, Folder, database_url};
use rcgen::CertifiedKey;
use sqlx::PgPool;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Of systemd: twice within it the dashboard says that it lives.
const WATCHDOG: Duration = Duration::from_millis(900);

/// systemd's end: what was said, one after the other.
struct Systemd(UnixDatagram);

impl Systemd {
    fn new(data: &Folder) -> Self {
        let socket = UnixDatagram::bind(data.join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next that is not a sign of life.
    fn hears(&self) -> String {
        loop {
            let said = self.next();
            if said != "WATCHDOG=1\n" && said != "WATCHDOG=1" {
                return said;
            }
        }
    }

    fn next(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).expect("something is said");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

fn certificate(data: &Folder) -> CertifiedKey<rcgen::KeyPair> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(data.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(data.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made
}

/// Whether a client that trusts nothing but this certificate is served.
async fn serves(process: &DashboardProcess, certificate: &CertifiedKey<rcgen::KeyPair>) -> bool {
    use rustls::pki_types::ServerName;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(process.url.trim_start_matches("http://")).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.is_ok()
}

#[sqlx::test(migrations = false)]
async fn systemd_hears_of_readiness_life_reloads_and_the_end(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let (systemd, first) = (Systemd::new(&data), certificate(&data));
    let path = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let (socket, cert, key) = (path("notify"), path("cert.pem"), path("key.pem"));
    let microseconds = WATCHDOG.as_micros().to_string();
    let env = [
        ("NOTIFY_SOCKET", socket.as_str()),
        ("WATCHDOG_USEC", &microseconds),
        ("PROXIMA_TLS_CERT", &cert),
        ("PROXIMA_TLS_KEY", &key),
        ("PROXIMA_PUBLIC_URL", "https://localhost"),
    ];
    let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
    let said = systemd.hears();
    assert!(said.contains("READY=1") && said.contains("STATUS=serving on 127.0.0.1:"), "{said}");
    assert!(serves(&process, &first).await);
    for _ in 0..3 {
        assert!(systemd.next().contains("WATCHDOG=1"));
    }

    let second = certificate(&data);
    process.signal("HUP").await;
    let said = systemd.hears();
    assert!(said.contains("RELOADING=1") && said.contains("MONOTONIC_USEC="), "{said}");
    assert!(systemd.hears().contains("READY=1"));
    // When it says so, it is so.
    assert!(serves(&process, &second).await && !serves(&process, &first).await);
    // A pair that does not fit is refused, and the reload ends all the same.
    std::fs::write(data.join("key.pem"), first.signing_key.serialize_pem()).unwrap();
    process.signal("HUP").await;
    assert!(systemd.hears().contains("RELOADING=1") && systemd.hears().contains("READY=1"));
    assert!(serves(&process, &second).await);

    process.terminate().await;
    assert!(systemd.hears().contains("STOPPING=1"));
    assert_eq!(process.ended().await.0, Some(0));
}

#[sqlx::test(migrations = false)]
async fn a_socket_of_systemds_is_served_and_none_other_is_opened(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let passed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = passed.local_addr().unwrap();
    // It would fail if it opened its own: that address is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = taken.local_addr().unwrap().to_string();
    let as_third = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let mut process = tokio::process::Command::new("sh")
        .args(["-c", as_third, PROGRAM, "serve", "--listen", &other, "--first-admin", "never", "--data-dir"])
        .arg(data.path())
        .env("DATABASE_URL", &url)
        .stdin(OwnedFd::from(passed))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // The kernel takes the connection before the dashboard is there, and the request is answered when it is.
    Client::new(&format!("http://{address}")).get("/readyz").await.expect_status(200);
    let id = process.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-s", "TERM", &id]).status().await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends").unwrap();
    assert!(ended.success(), "{ended:?}");
}
