//! A customer's box: a real sshd in a mount namespace of its own, where a stand-in for the gateway's binary answers as the
//! installer's own tests have it.

#[allow(dead_code)]
#[path = "../../../../installer/tests/ssh/vps_lab/sshd.rs"]
mod sshd;

use crate::world::World;
use proxima_dashboard::keyring::Keyring;
use proxima_test_support::TestGateway;
use proxima_types::identity::GatewayIdentity;
use serde_json::{Value, json};

pub use sshd::{PASSWORD as BOX_PASSWORD, Sshd};

pub struct FakeBox {
    pub sshd: Sshd,
    pub releases: tempfile::TempDir,
}

impl FakeBox {
    pub fn start() -> Self {
        let releases = tempfile::tempdir().unwrap();
        let folder = releases.path().join(std::env::consts::ARCH);
        std::fs::create_dir(&folder).unwrap();
        let program = include_str!("../../../../installer/tests/ssh/vps_lab/gateway.sh");
        std::fs::write(folder.join("proxima-gateway"), program).unwrap();
        let sshd = Sshd::start("");
        std::fs::create_dir(sshd.path("/usr/local/lib/fake")).unwrap();
        Self { sshd, releases }
    }

    pub fn port(&self) -> u16 {
        self.sshd.target("root").port()
    }

    /// The form of the Connect card for this box.
    pub fn form(&self, user: &str, password: &str) -> Value {
        json!({ "host": "127.0.0.1", "port": self.port(), "user": user, "password": password })
    }

    pub fn fingerprint(&self) -> String {
        self.sshd.host_key("ed25519").fingerprint
    }

    /// The identity that the last install wrote.
    pub fn identity(&self) -> Option<GatewayIdentity> {
        let requests = self.sshd.read("/usr/local/lib/fake/requests")?;
        // The stand-in's echo has made line ends of the escaped ones.
        let (_, config) = requests.rsplit_once("\"config\":\"")?;
        let (config, _) = config.split_once("\",\"replaceOtherServer\"")?;
        let text = config.replace("\\\"", "\"");
        Some(GatewayIdentity::parse(&text).expect("a valid config.json"))
    }

    /// Saves the login, looks at the host key, and confirms it.
    pub async fn connect(&self, world: &World, user: &str, password: &str) {
        world.own.put(&world.path("/connection"), &self.form(user, password)).await.expect_status(200);
        let probe = world.own.post(&world.path("/connection/host-key"), &json!({})).await.expect(200);
        assert_eq!(probe["problem"], Value::Null, "{probe}");
        let fingerprint = json!({ "fingerprint": self.fingerprint() });
        world.own.post(&world.path("/connection/host-key/confirm"), &fingerprint).await.expect_status(200);
    }

    /// The first heartbeat of the gateway that the box was given.
    pub async fn heartbeat(&self, world: &World) -> TestGateway {
        self.heartbeat_to(&world.app.url, &world.app.app.keyring).await
    }

    /// The same, to a dashboard of that address with those keys.
    pub async fn heartbeat_to(&self, url: &str, keyring: &Keyring) -> TestGateway {
        let identity = self.identity().expect("a config.json was written");
        let public_key = keyring.public_key().expect("a signing key");
        let mut gateway = TestGateway::new(url, public_key, identity.server_id, identity.api_key);
        gateway.install_id = identity.install_id;
        let mut report = gateway.report();
        report.uptime_seconds = 0;
        TestGateway::expect_status(&gateway.send(serde_json::to_vec(&report).unwrap()).await, "ACTIVE");
        gateway
    }
}
