//! The port 6060 of a gateway: TLS with a certificate of its own, and answers as the test has it.

use proxima_types::manage::CertificateFingerprint;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How long something may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it does with whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Answers,
    /// As a gateway does to addresses that its list does not name.
    ShutsOut,
    /// Takes the connection and says nothing.
    Mute,
}

pub struct FakeGateway {
    pub port: u16,
    pub fingerprint: CertificateFingerprint,
    pub manner: Arc<Mutex<Manner>>,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    connections: usize,
    /// Of every request.
    heads: Vec<String>,
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeGateway {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub async fn start_at(address: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["proxima-gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
        let fingerprint = CertificateFingerprint::of_der(certificate.der());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
        let config = config.unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (manner, state) = (Arc::new(Mutex::new(Manner::Answers)), Arc::<Mutex<State>>::default());
        let (how, record) = (Arc::clone(&manner), Arc::clone(&state));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                record.lock().unwrap().connections += 1;
                let how = *how.lock().unwrap();
                tokio::spawn(serve(stream, acceptor.clone(), how, Arc::clone(&record)));
            }
        });
        Self { port, fingerprint, manner, state, task }
    }

    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    pub fn nudges(&self) -> usize {
        self.heads().iter().filter(|head| head.starts_with("POST /v1/nudge ")).count()
    }

    /// Waits until there were so many.
    pub async fn until_nudged(&self, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.nudges() < times {
            assert!(Instant::now() < deadline, "{} nudges, not {times}", self.nudges());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.nudges(), times);
    }

    pub async fn until_connected(&self, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.connections() < times {
            assert!(Instant::now() < deadline, "{} connections, not {times}", self.connections());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, manner: Manner, state: Arc<Mutex<State>>) -> Option<()> {
    match manner {
        Manner::Answers => {}
        Manner::ShutsOut => return None,
        Manner::Mute => return stream.read_to_end(&mut Vec::new()).await.ok().map(drop),
    }
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let body = if head.starts_with("POST") { r#"{"outcome":"ANSWERED"}"# } else { r#"{"running":true,"status":null}"# };
    state.lock().unwrap().heads.push(head);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
