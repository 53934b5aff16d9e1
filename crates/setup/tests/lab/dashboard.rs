//! A dashboard that signs ACTIVE to everybody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::{KeyDigest, ServerId};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use zeroize::Zeroizing;

fn signer() -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([1; 32])).expect("a signer")
}

pub fn public_key() -> String {
    STANDARD.encode(signer().public_key().0)
}

/// A port that is free at every address now.
pub fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Answers until the test's process ends.
pub fn serve(address: IpAddr, port: u16) {
    let listener = TcpListener::bind((address, port)).expect("the port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut nonce, mut key, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.trim_start_matches("Bearer ").clone_into(&mut key),
            "content-length" => length = value.parse().ok()?,
            name if name == proxima_types::heartbeat::NONCE_HEADER => value.clone_into(&mut nonce),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    let time = super::customer::time();
    let body = json!({ "status": "ACTIVE", "graceExpiresAt": null, "serverTime": time, "nextHeartbeatSeconds": 60, "offlineLimitDays": null })
        .to_string();
    let fields = signer()
        .sign(&Answer {
            status: 200,
            nonce: &nonce,
            key_digest: KeyDigest::of_presented(&key),
            server_id: Some(ServerId(super::customer::SERVER)),
            date: time,
            body: body.as_bytes(),
        })
        .ok()?;
    let mut text = String::from("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n");
    for (name, value) in &fields {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().ok()?));
    }
    stream.write_all(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()
}
