use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_signing::{Expected, VerifyError, verify};
use proxima_types::heartbeat::{Counters, HEARTBEAT_PATH, HeartbeatRequest, HostFacts, NONCE_HEADER, Phase};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{ConfigGeneration, InstallId, KeyDigest, LicenseKey, ServerId};
use serde_json::Value;
use uuid::Uuid;

/// A gateway reduced to its heartbeats.
#[derive(Clone)]
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
    /// What it says that it trusts.
    pub trusted_keys: Option<Vec<String>>,
}

/// What came back, and whether its signature holds for this very request.
#[derive(Debug)]
pub struct Beat {
    pub status: u16,
    pub body: Value,
    pub signature: Result<(), VerifyError>,
}

/// An answer as it came, for checking what its signature binds.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Exchange {
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the signature holds for a request with this nonce, key and server.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(
        &self,
        public_key: DashboardPublicKey,
        nonce: &str,
        key: &str,
        server_id: ServerId,
    ) -> Result<(), VerifyError> {
        let expected = Expected { nonce, key_digest: KeyDigest::of_presented(key), server_id };
        verify(&[public_key], expected, self.status, &self.headers, &self.body)
    }
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
            trusted_keys: None,
        }
    }

    /// Another gateway, on another host, with another key or the same; shares the connections.
    #[must_use]
    pub fn on_another_host(&self, server_id: ServerId, key: LicenseKey) -> Self {
        Self {
            server_id,
            key,
            install_id: InstallId(OsEntropy.uuid()),
            boot_id: OsEntropy.uuid(),
            sequence: 0,
            applied: None,
            ..self.clone()
        }
    }

    /// A restart: a new boot, counting from 1.
    pub fn restart(&mut self) {
        self.boot_id = OsEntropy.uuid();
        self.sequence = 0;
    }

    #[must_use]
    pub fn public_key(&self) -> DashboardPublicKey {
        self.public_key
    }

    /// A fresh nonce.
    #[must_use]
    pub fn nonce() -> String {
        URL_SAFE_NO_PAD.encode(OsEntropy.bytes::<24>())
    }

    /// Sends exactly this nonce, authorization and body.
    pub async fn exchange(&self, nonce: Option<&str>, authorization: Option<&str>, body: Vec<u8>) -> Exchange {
        self.try_exchange(nonce, authorization, body).await.expect("an answer")
    }

    /// The same, when the dashboard may be gone.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn try_exchange(
        &self,
        nonce: Option<&str>,
        authorization: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Exchange, reqwest::Error> {
        let mut request = self.http.post(&self.url).header("content-type", "application/json").body(body);
        if let Some(nonce) = nonce {
            request = request.header(NONCE_HEADER, nonce);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Exchange { status, headers, body: response.bytes().await?.to_vec() })
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
            trusted_keys: self.trusted_keys.clone(),
        }
    }

    pub async fn beat(&mut self) -> Beat {
        let report = serde_json::to_vec(&self.report()).expect("json");
        self.send(report).await
    }

    /// Sends a body as it is.
    pub async fn send(&self, body: Vec<u8>) -> Beat {
        self.try_send(body).await.expect("an answer")
    }

    /// As [`Self::beat`], when the dashboard may be gone.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn try_beat(&mut self) -> Result<Beat, reqwest::Error> {
        let report = serde_json::to_vec(&self.report()).expect("json");
        self.try_send(report).await
    }

    async fn try_send(&self, body: Vec<u8>) -> Result<Beat, reqwest::Error> {
        let nonce = Self::nonce();
        let authorization = format!("Bearer {}", self.key.expose());
        let exchange = self.try_exchange(Some(&nonce), Some(&authorization), body).await?;
        let signature = exchange.verify(self.public_key, &nonce, self.key.expose(), self.server_id);
        Ok(Beat { status: exchange.status, body: exchange.json(), signature })
    }

    /// Beats, and expects a signed 200 with this license status.
    #[track_caller]
    pub fn expect_status(beat: &Beat, license: &str) {
        assert_eq!(beat.signature, Ok(()), "{beat:?}");
        assert_eq!((beat.status, beat.body["status"].as_str()), (200, Some(license)), "{beat:?}");
    }
}
