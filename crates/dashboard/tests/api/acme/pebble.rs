//! An authority: Debian's `pebble`, made for this, with a name server that says 127.0.0.1 to everything.

use proxima_test_support::Folder;
use reqwest::Certificate;
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What the authority binds accounts to.
pub const EAB_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// Both processes end with it.
pub struct Pebble {
    _authority: Child,
    _names: Child,
    folder: Folder,
    management: u16,
    pub directory: String,
}

/// Free now; nobody else looks for one in between that often.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, arguments: &[&str]) -> Child {
    Command::new(program)
        .args(arguments)
        // Some nonces are refused, as a busy authority does; validation does not dawdle.
        .env("PEBBLE_WFE_NONCEREJECT", "5")
        .env("PEBBLE_VA_NOSLEEP", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; it is in Debian's package pebble"))
}

impl Pebble {
    /// It makes sure of hosts at `validated`, in place of port 443.
    pub async fn start(validated: u16) -> Self {
        let folder = Folder::new();
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.join("eab"), format!("{EAB_KEY}\n")).unwrap();
        let (api, management, names) = (free_port(), free_port(), format!("127.0.0.1:{}", free_port()));
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("cert.pem"),
            "privateKey": folder.join("key.pem"),
            "httpPort": free_port(),
            "tlsPort": validated,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": true,
            "externalAccountMACKeys": { "kid-1": EAB_KEY, "kid-2": EAB_KEY },
        }});
        let file = folder.join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
        let answers = ["-dns01", &names, "-management", &format!("127.0.0.1:{}", free_port())];
        let _names = start("pebble-challtestsrv", &[&off[..], &answers[..]].concat());
        let _authority = start("pebble", &["-config", file.to_str().unwrap(), "-dnsserver", &names]);
        let directory = format!("https://localhost:{api}/dir");
        let pebble = Self { _authority, _names, folder, management, directory };
        pebble.root().await;
        pebble
    }

    /// The certificate of its own API.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    pub fn eab_key_file(&self) -> PathBuf {
        self.folder.join("eab")
    }

    /// What signs the certificates that it issues; waits until it runs.
    pub async fn root(&self) -> Certificate {
        let own = Certificate::from_pem(&std::fs::read(self.ca()).unwrap()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([own]).build().unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            match client.get(format!("https://localhost:{}/roots/0", self.management)).send().await {
                Ok(answer) => return Certificate::from_pem(&answer.bytes().await.unwrap()).unwrap(),
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "no pebble: {error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
