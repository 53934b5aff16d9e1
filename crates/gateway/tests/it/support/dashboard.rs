//! A dashboard that signs what a test tells it to.

use super::http::{content_length, field, read_exactly, read_head};
use chrono::{DateTime, Utc};
use proxima_gateway::clock::{Clock as _, SystemClock};
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::heartbeat::HeartbeatRequest;
use proxima_types::{KeyDigest, LicenseKey, ServerId};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// One heartbeat as it came.
#[derive(Clone)]
pub struct Beat {
    pub nonce: String,
    pub key: String,
    pub request: HeartbeatRequest,
    pub head: String,
}

/// What the dashboard does with a heartbeat.
pub enum Reply {
    /// Bytes, then close.
    Bytes(Vec<u8>),
    /// Close without a word.
    Close,
    /// Never answer.
    Hang,
}

type Script = Arc<dyn Fn(&Beat) -> Reply + Send + Sync>;

pub struct Dashboard {
    pub port: u16,
    pub server_id: ServerId,
    script: Arc<Mutex<Script>>,
    beats: Arc<Mutex<Vec<Beat>>>,
}

pub fn signer(seed: u8) -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([seed; 32])).unwrap()
}

fn now() -> DateTime<Utc> {
    SystemClock::new().read().wall
}

pub fn key(seed: u8) -> LicenseKey {
    LicenseKey::from_random_bytes([seed; 32])
}

/// Signs with the key of `seed` whatever `status` and `body` are, for the beat's nonce and key.
pub fn signed(seed: u8, server_id: ServerId, beat: &Beat, status: u16, body: &str) -> Vec<u8> {
    let answer = Answer {
        status,
        nonce: &beat.nonce,
        key_digest: KeyDigest::of_presented(&beat.key),
        server_id: Some(server_id),
        date: now(),
        body: body.as_bytes(),
    };
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n");
    for (name, value) in &signer(seed).sign(&answer).unwrap() {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// An answer's body; the next heartbeat is due in a second.
pub fn terms(status: &str, grace_seconds: Option<i64>, config: Option<Value>) -> Value {
    let now = now();
    let mut body = json!({
        "status": status,
        "graceExpiresAt": grace_seconds.map(|seconds| now + chrono::Duration::seconds(seconds)),
        "serverTime": now,
        "nextHeartbeatSeconds": 1,
        "offlineLimitDays": null,
    });
    if let Some(config) = config {
        body["config"] = config;
    }
    body
}

/// A desired configuration of ports and backends.
pub fn desired(number: u64, listeners: &[(u16, String)]) -> Value {
    let listeners: Vec<Value> =
        listeners.iter().map(|(port, url)| json!({ "port": port, "backendUrl": url })).collect();
    json!({ "generation": { "incarnation": 1, "number": number }, "config": { "listeners": listeners } })
}

pub fn unsigned(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

impl Dashboard {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Arc::new(|_: &Beat| Reply::Close)));
        let beats: Arc<Mutex<Vec<Beat>>> = Arc::default();
        let (scripts, seen) = (Arc::clone(&script), Arc::clone(&beats));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&scripts.lock().unwrap()), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &script, &seen));
            }
        });
        let server_id = ServerId("0192f0c1-2222-7333-8444-555566667777".parse().unwrap());
        Self { port, server_id, script, beats }
    }

    /// What happens to the heartbeats from now on.
    pub fn plays(&self, script: impl Fn(&Beat) -> Reply + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// A signed 200 with this body.
    pub fn answers(&self, body: Value) {
        self.signs(200, body);
    }

    pub fn signs(&self, status: u16, body: Value) {
        let server_id = self.server_id;
        self.plays(move |beat| Reply::Bytes(signed(1, server_id, beat, status, &body.to_string())));
    }

    /// ACTIVE, and this configuration until it is applied or rejected.
    pub fn grants(&self, config: Value) {
        let server_id = self.server_id;
        self.plays(move |beat| {
            let known = [beat.request.applied_config, beat.request.rejected_config.as_ref().map(|r| r.generation)];
            let known = known.iter().flatten().any(|known| json!(known) == config["generation"]);
            let body = terms("ACTIVE", None, (!known).then(|| config.clone()));
            Reply::Bytes(signed(1, server_id, beat, 200, &body.to_string()))
        });
    }

    pub fn bytes(&self, bytes: Vec<u8>) {
        self.plays(move |_| Reply::Bytes(bytes.clone()));
    }

    pub fn beats(&self) -> Vec<Beat> {
        self.beats.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.beats.lock().unwrap().len()
    }

    /// Waits for so many more heartbeats, and returns the last.
    pub fn wait_beats(&self, more: usize) -> Beat {
        let want = self.count() + more;
        super::wait_for("heartbeats", || self.beats().get(want - 1).cloned())
    }

    /// Waits for a heartbeat of which `is` holds.
    pub fn wait_beat(&self, what: &str, is: impl Fn(&Beat) -> bool) -> Beat {
        super::wait_for(what, || self.beats().into_iter().rev().find(|beat| is(beat)))
    }
}

fn answer(mut stream: TcpStream, script: &Script, beats: &Mutex<Vec<Beat>>) {
    let Some(head) = read_head(&mut stream) else { return };
    let body = read_exactly(&mut stream, content_length(&head));
    let beat = Beat {
        nonce: field(&head, "proxima-nonce").unwrap_or_default().to_owned(),
        key: field(&head, "authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned(),
        request: serde_json::from_slice(&body).unwrap(),
        head,
    };
    let reply = script(&beat);
    beats.lock().unwrap().push(beat);
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Reply::Close => {}
        Reply::Hang => std::thread::sleep(super::PATIENCE * 3),
    }
}
