//! Whose connection it is: by the PROXY protocol, by `X-Forwarded-For`, and over TLS.

use super::{open, options, patient, request, rest, send, until};
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::listen::tls::{Files, Tls};
use proxima_test_support::{Folder, PASSWORD, TestApp};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// `PROXY TCP4 192.0.2.7 127.0.0.1 5000 80` in version 2, with a TLV.
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10\xc0\x00\x02\x07\x7f\x00\x00\x01\x13\x88\x00\x50\x04\x00\x01\x00";
/// A health check of the proxy's own.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

#[tokio::test]
async fn a_trusted_proxy_says_whose_connection_it_is() {
    let mut behind = options(patient());
    behind.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    behind.proxy_protocol = true;
    let port = open(behind).await;
    for (header, peer) in [
        (&b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n"[..], "peer=192.0.2.7:5000;"),
        (b"PROXY TCP6 2001:db8::7 ::1 5000 80\r\n", "peer=[2001:db8::7]:5000;"),
        (VERSION_2, "peer=192.0.2.7:5000;"),
        (b"PROXY UNKNOWN\r\n", "peer=127.0.0.1:"),
        (LOCAL, "peer=127.0.0.1:"),
    ] {
        let mut stream = port.connect().await;
        // In two pieces, as a network may bring it.
        stream.write_all(&header[..7]).await.unwrap();
        stream.write_all(&[&header[7..], request("/").as_bytes()].concat()).await.unwrap();
        let answer = until(&mut stream, ";").await;
        assert!(answer.contains(peer), "{answer}");
    }
    for nonsense in [request("/").into_bytes(), b"PROXY TCP4 nobody 127.0.0.1 1 2\r\n".to_vec(), vec![b'x'; 3000]] {
        let mut stream = port.connect().await;
        let _ = stream.write_all(&nonsense).await;
        assert_eq!(rest(&mut stream).await, "", "nobody can say who asks");
    }
}

#[tokio::test]
async fn a_stranger_does_not_say_who_he_is() {
    let mut behind = options(patient());
    behind.trusted = vec!["192.0.2.0/24".parse().unwrap()];
    behind.proxy_protocol = true;
    let port = open(behind).await;
    let mut stream = port.connect().await;
    send(&mut stream, &format!("PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n{}", request("/"))).await;
    assert!(until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 400 "));
    let mut stream = port.connect().await;
    send(&mut stream, &request("/")).await;
    assert!(until(&mut stream, ";").await.contains("peer=127.0.0.1:"));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_address_of_a_session_is_the_clients(db: PgPool) {
    let start = async |db: &PgPool, trusted: &str| {
        let trusted_proxies = vec![trusted.parse().unwrap()];
        TestApp::start_with(db.clone(), AppConfig { bcrypt_cost: 4, trusted_proxies, ..AppConfig::default() }).await
    };
    let app = start(&db, "127.0.0.0/8").await;
    app.customer("alice").await;
    let seen = async |app: &TestApp, forwarded: &str| {
        let client = app.anonymous().with_header("x-forwarded-for", forwarded);
        let body = json!({ "username": "alice", "password": PASSWORD });
        client.post("/api/v1/auth/login", &body).await.expect_status(200);
        let row: String = sqlx::query_scalar("SELECT host(ip) FROM sessions ORDER BY created_at DESC LIMIT 1")
            .fetch_one(&app.db)
            .await
            .unwrap();
        row
    };
    assert_eq!(seen(&app, "203.0.113.9, 192.0.2.7, 127.0.0.2").await, "192.0.2.7");
    let stranger = start(&db, "192.0.2.0/24").await;
    assert_eq!(seen(&stranger, "203.0.113.9").await, "127.0.0.1");
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_of_the_files() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["panel.example.com".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut secured = options(patient());
    secured.tls = Some(Tls::open(Files { cert, key, host: "panel.example.com".to_owned() }).unwrap());
    let port = open(secured).await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    for (protocol, version) in [("http/1.1", &rustls::version::TLS13), ("h2", &rustls::version::TLS12)] {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("panel.example.com").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, port.connect().await).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        if protocol == "http/1.1" {
            stream.write_all(request("/").as_bytes()).await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 200");
        }
    }
    // Plain HTTP is not spoken there.
    let mut plain = port.connect().await;
    send(&mut plain, &request("/")).await;
    assert!(!rest(&mut plain).await.contains("HTTP/1.1"));
}
