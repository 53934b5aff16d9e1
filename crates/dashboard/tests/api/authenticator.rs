//! A passkey authenticator in software: one P-256 key, no attestation (WebAuthn level 3, sections 6 and 7).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const PRESENT_AND_VERIFIED: u8 = 0x05;
const WITH_KEY: u8 = 0x40;

#[derive(Clone)]
pub struct Authenticator {
    pub origin: String,
    pub counter: u32,
    key: Arc<EcdsaKeyPair>,
    id: [u8; 32],
    user: Option<String>,
}

impl Authenticator {
    pub fn new(origin: &str) -> Self {
        let key = Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap());
        let id = Sha256::digest(key.public_key().as_ref()).into();
        Self { origin: origin.to_owned(), counter: 0, key, id, user: None }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let (challenge, origin) = (&options["challenge"], &self.origin);
        json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false }).to_string().into_bytes()
    }

    fn authenticator_data(&mut self, rp_id: &str, flags: u8) -> Vec<u8> {
        self.counter += 1;
        [&Sha256::digest(rp_id.as_bytes())[..], &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// As `navigator.credentials.create`, in JSON.
    pub fn create(&mut self, options: &Value) -> Value {
        self.user = options["user"]["id"].as_str().map(str::to_owned);
        let client_data = self.client_data("webauthn.create", options);
        let rp_id = options["rp"]["id"].as_str().unwrap().to_owned();
        let mut data = self.authenticator_data(&rp_id, PRESENT_AND_VERIFIED | WITH_KEY);
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        data.extend([[0_u8; 16].as_slice(), &[0, 32], &self.id].concat());
        // COSE: EC2, ES256, P-256, x, y.
        data.extend([&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat());
        let length = u8::try_from(data.len()).unwrap();
        let attestation = [b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x58", &[length][..], &data].concat();
        let id = URL_SAFE_NO_PAD.encode(self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "attestationObject": URL_SAFE_NO_PAD.encode(attestation),
            },
        })
    }

    /// As `navigator.credentials.get`, in JSON.
    pub fn get(&mut self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let rp_id = options["rpId"].as_str().unwrap().to_owned();
        let data = self.authenticator_data(&rp_id, PRESENT_AND_VERIFIED);
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let id = URL_SAFE_NO_PAD.encode(self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
                "userHandle": self.user,
            },
        })
    }
}
