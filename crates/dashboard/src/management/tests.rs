//! Gateways and everybody who may answer in their place, on real sockets.

use super::*;
use proxima_installer::outbound::{OutboundError, Refused};
use proxima_installer::{AddressPolicy, SystemResolver};
use proxima_types::manage::NudgeOutcome;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

type Stream = tokio_rustls::server::TlsStream<TcpStream>;

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["proxima-gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }

    fn fingerprint(&self) -> CertificateFingerprint {
        CertificateFingerprint::of_der(&self.certificate)
    }

    fn tls(&self, version: &'static SupportedProtocolVersion) -> TlsAcceptor {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(self.key.clone_key()).unwrap();
        let shown = Shown(Arc::new(CertifiedKey::new(vec![self.certificate.clone()], key)));
        let config =
            ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]).unwrap();
        TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(shown))))
    }
}

/// Whether certificate and key belong together is not looked at.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Somebody who listens; what they do with a connection is up to the test.
struct Other {
    port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Other {
    async fn tcp<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { port, connections, task }
    }

    /// After a handshake and one request.
    async fn tls<F: Future<Output = ()> + Send + 'static>(
        acceptor: TlsAcceptor,
        serve: impl Fn(Stream, String) -> F + Clone + Send + 'static,
    ) -> Self {
        Self::tcp(move |stream| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                serve(stream, String::from_utf8(head).unwrap()).await;
            }
        })
        .await
    }

    /// Always the same bytes, then the end.
    async fn saying(identity: &Identity, answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::tls(identity.tls(&rustls::version::TLS13), move |mut stream, _| {
            let answer = Arc::clone(&answer);
            async move {
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }
}

fn gateway(port: u16, certificate: CertificateFingerprint) -> Gateway {
    let secret = ApiSecret::from_random_bytes([3; 32]);
    Gateway { host: "127.0.0.1".parse().unwrap(), port, certificate, secret }
}

fn outbound() -> Outbound {
    let policy = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()], vec![]);
    Outbound::new(policy, Arc::new(SystemResolver), Duration::from_secs(20))
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_gateway_is_asked_with_its_secret_and_heard() {
    let identity = Identity::new();
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&heads);
    let other = Other::tls(identity.tls(&rustls::version::TLS13), move |mut stream, head| {
        let body = if head.starts_with("POST") { r#"{"outcome":"ANSWERED"}"# } else { r#"{"running":true}"# };
        heard.lock().unwrap().push(head);
        async move { stream.write_all(answer("200 OK", body).as_bytes()).await.unwrap() }
    })
    .await;
    let gateway = gateway(other.port, identity.fingerprint());
    let nudged = gateway.nudge(&outbound()).await.unwrap();
    assert_eq!((nudged.outcome, nudged.silence), (NudgeOutcome::Answered, None));
    let document = gateway.status(&outbound()).await.unwrap();
    assert_eq!((document.running, document.status), (true, None));
    let heads = heads.lock().unwrap();
    let bearer = format!("authorization: Bearer {}\r\n", gateway.secret.expose());
    for (head, line) in heads.iter().zip(["POST /v1/nudge HTTP/1.1\r\n", "GET /v1/status HTTP/1.1\r\n"]) {
        assert!(head.starts_with(line) && head.contains(&bearer), "{head}");
    }
    assert!(!format!("{gateway:?}").contains(gateway.secret.expose()));
}

#[tokio::test]
async fn nobody_but_the_pinned_certificates_key_is_sent_anything() {
    let (ours, theirs) = (Identity::new(), Identity::new());
    // The certificate is public: it is shown by somebody who has not its key.
    let stolen = Identity { certificate: ours.certificate.clone(), key: theirs.key.clone_key() };
    for (identity, version, expected) in [
        (&theirs, &rustls::version::TLS13, Trouble::OtherCertificate),
        (&stolen, &rustls::version::TLS13, Trouble::OtherCertificate),
        (&ours, &rustls::version::TLS12, Trouble::NotAGateway),
    ] {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let other = Other::tls(identity.tls(version), move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            async {}
        })
        .await;
        let asked = gateway(other.port, ours.fingerprint()).nudge(&outbound()).await;
        assert_eq!(asked, Err(expected));
        assert_eq!((other.connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst)), (1, 0));
    }
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_apart_from_who_hangs_up() {
    let pin = Identity::new().fingerprint();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let plain = Other::tcp(move |mut stream| {
        let tell = tell.clone();
        async move {
            let _ = stream.write_all(answer("200 OK", "{}").as_bytes()).await;
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
            tell.send(heard).unwrap();
        }
    })
    .await;
    let hangs_up = Other::tcp(|stream| async move { drop(stream) }).await;
    for (other, expected) in [(&plain, Trouble::NotAGateway), (&hangs_up, Trouble::ShutOut)] {
        assert_eq!(gateway(other.port, pin).nudge(&outbound()).await, Err(expected));
    }
    let heard = told.recv().await.unwrap();
    assert!(heard.first() == Some(&22), "a TLS handshake");
    assert!(!heard.windows(3).any(|bytes| bytes == b"sk_"), "and no secret");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = gateway(free.port(), pin).nudge(&outbound()).await;
    assert_eq!(refused, Err(Trouble::Outbound(OutboundError::ConnectionRefused { address: free })));
}

#[tokio::test]
async fn a_denied_address_is_not_connected_to() {
    let identity = Identity::new();
    let other = Other::saying(&identity, answer("200 OK", "{}")).await;
    let nothing_allowed = Outbound::new(AddressPolicy::default(), Arc::new(SystemResolver), Duration::from_secs(20));
    let mut gateway = gateway(other.port, identity.fingerprint());
    for host in ["127.0.0.1", "::ffff:127.0.0.1", "localhost"] {
        gateway.host = host.parse().unwrap();
        let asked = gateway.nudge(&nothing_allowed).await;
        assert!(
            matches!(asked, Err(Trouble::Outbound(OutboundError::Denied { why: Refused::Loopback, .. }))),
            "{asked:?}"
        );
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_no_gateway_answers_is_one_sentence() {
    let identity = Identity::new();
    let many_fields = "X-A: b\r\n".repeat(100);
    let deep = "[".repeat(50_000);
    let rows = [
        (answer("200 OK", "garbage"), Trouble::NotAGateway),
        (answer("200 OK", "{}"), Trouble::NotAGateway),
        (answer("200 OK", &deep), Trouble::NotAGateway),
        (answer("200 OK", &" ".repeat(MAX_BODY_BYTES + 1)), Trouble::NotAGateway),
        (answer("204 No Content", ""), Trouble::NotAGateway),
        (answer("404 Not Found", "{}"), Trouble::NotAGateway),
        (answer("500 Internal Server Error", "{}"), Trouble::NotAGateway),
        (answer("401 Unauthorized", "{}"), Trouble::SecretRefused),
        (answer("429 Too Many Requests", "{}"), Trouble::TooManyFailures),
        ("garbage\r\n\r\n".to_owned(), Trouble::NotAGateway),
        (format!("HTTP/1.1 200 OK\r\n{many_fields}\r\n"), Trouble::NotAGateway),
        (format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(100_000)), Trouble::NotAGateway),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".to_owned(), Trouble::NotAGateway),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned(),
            Trouble::NotAGateway,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(), Trouble::BrokenOff),
        ("HTTP/1.1 200 OK\r\nConte".to_owned(), Trouble::BrokenOff),
        (String::new(), Trouble::BrokenOff),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000), Trouble::BrokenOff),
    ];
    for (said, expected) in rows {
        let other = Other::saying(&identity, said.as_str()).await;
        let asked = gateway(other.port, identity.fingerprint()).nudge(&outbound()).await;
        assert_eq!(asked, Err(expected), "{:.200}", said);
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let identity = Identity::new();
    let elsewhere = Other::tcp(|stream| async move { drop(stream) }).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("https://127.0.0.1:{}/v1/nudge", elsewhere.port);
        let said = format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let other = Other::saying(&identity, said).await;
        let asked = gateway(other.port, identity.fingerprint()).nudge(&outbound()).await;
        assert_eq!(asked, Err(Trouble::NotAGateway), "{status}");
        assert_eq!(other.connections.load(Ordering::SeqCst), 1);
    }
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

/// Writes the beginning, then the same again and again until nobody reads any more; returns how many bytes that were.
async fn flood(stream: &mut (impl AsyncWrite + Unpin), beginning: &str, again: &str) -> usize {
    let (mut written, mut next) = (0, beginning);
    while stream.write_all(next.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
        written += next.len();
        next = again;
    }
    written
}

#[tokio::test]
async fn an_answer_without_end_is_read_to_the_bound_only() {
    let identity = Identity::new();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    for (beginning, again) in [
        ("HTTP/1.1 200 OK\r\n", "X-Field: and another one\r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk.clone()),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: and another one\r\n".to_owned()),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", chunk),
        ("", "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n".to_owned()),
    ] {
        let (tell, told) = tokio::sync::mpsc::unbounded_channel();
        let mut told = told;
        let case = again.clone();
        let other = Other::tls(identity.tls(&rustls::version::TLS13), move |mut stream, _| {
            let (tell, again) = (tell.clone(), again.clone());
            async move { tell.send(flood(&mut stream, beginning, &again).await).unwrap() }
        })
        .await;
        let asked = gateway(other.port, identity.fingerprint()).nudge(&outbound()).await;
        assert!(matches!(asked, Err(Trouble::NotAGateway | Trouble::BrokenOff)), "{asked:?}: {case:.40}");
        // What the sockets' buffers hold beside what was read is some megabytes at most.
        let written = told.recv().await.unwrap();
        assert!(written < 32 * 1024 * 1024, "{written}: {case:.40}");
    }
}

#[tokio::test]
async fn who_takes_for_ever_is_given_up() {
    let identity = Identity::new();
    let mute = Other::tcp(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let silent = Other::tls(identity.tls(&rustls::version::TLS13), |mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let dripping = Other::tls(identity.tls(&rustls::version::TLS13), |mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-A: ").await;
        while stream.write_all(b"a").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let pin = identity.fingerprint();
    let [mute, silent, dripping] = [mute.port, silent.port, dripping.port].map(|port| gateway(port, pin));
    let outbound = outbound();
    let (mute, silent, dripping) =
        tokio::join!(mute.status(&outbound), silent.status(&outbound), dripping.status(&outbound));
    assert_eq!(mute, Err(Trouble::NoAnswer(GREETING)));
    assert_eq!(silent, Err(Trouble::TooSlow(STATUS)));
    assert_eq!(dripping, Err(Trouble::TooSlow(STATUS)));
}

#[test]
fn every_trouble_says_what_and_what_to_do() {
    let address = "127.0.0.1:6060".parse().unwrap();
    let host = || "vps.example.com".to_owned();
    let all = [
        Trouble::Outbound(OutboundError::Unresolved { host: host() }),
        Trouble::Outbound(OutboundError::Denied { address: [127, 0, 0, 1].into(), why: Refused::Loopback }),
        Trouble::Outbound(OutboundError::ConnectionRefused { address }),
        Trouble::Outbound(OutboundError::TimedOut { host: host(), seconds: 5 }),
        Trouble::Outbound(OutboundError::Unreachable { address, reason: String::new() }),
        Trouble::NoAnswer(GREETING),
        Trouble::ShutOut,
        Trouble::OtherCertificate,
        Trouble::SecretRefused,
        Trouble::TooManyFailures,
        Trouble::TooSlow(STATUS),
        Trouble::BrokenOff,
        Trouble::NotAGateway,
    ];
    let reports: Vec<_> = all.iter().map(|trouble| trouble.report(6060)).collect();
    for report in &reports {
        assert!(report.sentence.ends_with('.') && report.remedy.ends_with('.'), "{report:?}");
        assert!(report.code.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{report:?}");
    }
    let mut codes: Vec<_> = reports.iter().map(|report| report.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all.len() - 1, "only two kinds of no answer share a code");
}
