use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_signing::{Expected, VerifyError, verify};
use proxima_types::heartbeat::{Counters, HEARTBEAT_PATH, HeartbeatRequest, HostFacts, NONCE_HEADER, Phase};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{ConfigGeneration, InstallId, LicenseKey, ServerId};
use serde_json::Value;
use uuid::Uuid;

/// A gateway reduced to its heartbeats.
pub struct TestGateway {
    http: reqwest::Client,
    url: String,
    public_key: DashboardPublicKey,
    pub server_id: ServerId,
    pub key: LicenseKey,
    pub install_id: InstallId,
    pub boot_id: Uuid,
    pub sequence: u64,
    pub phase: Phase,
    pub applied: Option<ConfigGeneration>,
}

/// What came back, and whether its signature holds for this very request.
#[derive(Debug)]
pub struct Beat {
    pub status: u16,
    pub body: Value,
    pub signature: Result<(), VerifyError>,
}

impl TestGateway {
    #[must_use]
    pub fn new(url: &str, public_key: DashboardPublicKey, server_id: ServerId, key: LicenseKey) -> Self {
        Self {
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            url: format!("{url}{HEARTBEAT_PATH}"),
            public_key,
            server_id,
            key,
            install_id: InstallId(OsEntropy.uuid()),
            boot_id: OsEntropy.uuid(),
            sequence: 0,
            phase: Phase::Serving,
            applied: None,
        }
    }

    /// The report that the next heartbeat sends.
    pub fn report(&mut self) -> HeartbeatRequest {
        self.sequence += 1;
        HeartbeatRequest {
            version: "1.2.3".to_owned(),
            install_id: self.install_id,
            boot_id: self.boot_id,
            sequence: self.sequence,
            phase: self.phase,
            uptime_seconds: self.sequence * 60,
            applied_config: self.applied,
            rejected_config: None,
            host: HostFacts {
                os: "Debian GNU/Linux 12".to_owned(),
                architecture: "x86_64".to_owned(),
                hostname: "vps1".to_owned(),
            },
            counters: Counters::default(),
        }
    }

    pub async fn beat(&mut self) -> Beat {
        let report = serde_json::to_vec(&self.report()).expect("json");
        self.send(report).await
    }

    /// Sends a body as it is.
    pub async fn send(&self, body: Vec<u8>) -> Beat {
        let nonce = URL_SAFE_NO_PAD.encode(OsEntropy.bytes::<24>());
        let response = self
            .http
            .post(&self.url)
            .bearer_auth(self.key.expose())
            .header(NONCE_HEADER, &nonce)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a body");
        let expected = Expected { nonce: &nonce, key_digest: self.key.digest(), server_id: self.server_id };
        let signature = verify(&[self.public_key], expected, status, &headers, &body);
        Beat { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null), signature }
    }

    /// Beats, and expects a signed 200 with this license status.
    #[track_caller]
    pub fn expect_status(beat: &Beat, license: &str) {
        assert_eq!(beat.signature, Ok(()), "{beat:?}");
        assert_eq!((beat.status, beat.body["status"].as_str()), (200, Some(license)), "{beat:?}");
    }
}
