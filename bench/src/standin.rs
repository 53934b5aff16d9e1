//! A dashboard that says ACTIVE to one gateway and hands it one configuration, signed as the real one signs.

use crate::fleet::random_uuid;
use anyhow::Context as _;
use chrono::Utc;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::heartbeat::HeartbeatRequest;
use proxima_types::{ApiSecret, KeyDigest, LicenseKey, ServerId};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use zeroize::Zeroizing;

/// Longer than any heartbeat.
const MOST_BYTES: usize = 64 * 1024;

/// The dashboard's side of one license.
#[derive(Clone)]
pub struct StandIn {
    seed: [u8; 32],
    key: LicenseKey,
    server_id: ServerId,
    /// `{"generation": …, "config": …}`.
    desired: Value,
}

impl StandIn {
    /// # Errors
    /// Without randomness.
    pub fn new(config: &Value) -> anyhow::Result<Self> {
        let (mut seed, mut key) = ([0; 32], [0; 32]);
        getrandom::fill(&mut seed)?;
        getrandom::fill(&mut key)?;
        Ok(Self {
            seed,
            key: LicenseKey::from_random_bytes(key),
            server_id: ServerId(random_uuid()?),
            desired: json!({ "generation": { "incarnation": 1, "number": 1 }, "config": config }),
        })
    }

    fn signer(&self) -> anyhow::Result<AnswerSigner> {
        AnswerSigner::from_seed(&Zeroizing::new(self.seed)).context("no signing key")
    }

    /// Answers heartbeats until the program ends.
    ///
    /// # Errors
    /// Without a port.
    pub fn start(&self) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stand_in = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = stand_in.answer(stream) {
                    let _ = writeln!(std::io::stderr(), "bench: a heartbeat was not answered: {error:#}");
                }
            }
        });
        Ok(address)
    }

    /// The gateway's `config.json`.
    ///
    /// # Errors
    /// Without randomness.
    pub fn identity(&self, dashboard: SocketAddr) -> anyhow::Result<Value> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(json!({
            "dashboardUrl": format!("http://{dashboard}"),
            "dashboardPublicKeys": [self.signer()?.public_key().to_string()],
            "serverId": self.server_id,
            "apiKey": self.key,
            "apiSecret": ApiSecret::from_random_bytes(secret),
            "installId": random_uuid()?,
        }))
    }

    #[expect(clippy::disallowed_methods, reason = "the gateway compares it with its own clock")]
    fn answer(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        let (nonce, presented, report) = read(&stream)?;
        let known = report.applied_config.map(|known| json!(known)) == Some(self.desired["generation"].clone());
        let now = Utc::now();
        let mut body = json!({
            "status": "ACTIVE", "graceExpiresAt": null, "serverTime": now, "nextHeartbeatSeconds": 60, "offlineLimitDays": null,
        });
        if !known {
            body["config"] = self.desired.clone();
        }
        let body = body.to_string();
        let answer = Answer {
            status: 200,
            nonce: &nonce,
            key_digest: KeyDigest::of_presented(&presented),
            server_id: Some(self.server_id),
            date: now,
            body: body.as_bytes(),
        };
        let mut text = String::from("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
        for (name, value) in &self.signer()?.sign(&answer)? {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()));
        Ok(stream.write_all(text.as_bytes())?)
    }
}

/// A heartbeat's nonce, key and report.
fn read(stream: &TcpStream) -> anyhow::Result<(String, String, HeartbeatRequest)> {
    let mut reader = BufReader::new(stream.take(MOST_BYTES as u64));
    let (mut nonce, mut key, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "proxima-nonce" => value.trim().clone_into(&mut nonce),
            "authorization" => value.trim().trim_start_matches("Bearer ").clone_into(&mut key),
            "content-length" => length = value.trim().parse()?,
            _ => {}
        }
    }
    let mut body = vec![0; std::cmp::min(length, MOST_BYTES)];
    reader.read_exact(&mut body)?;
    Ok((nonce, key, serde_json::from_slice(&body)?))
}
