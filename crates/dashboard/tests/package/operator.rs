//! The operator's path: docs/operate.md from the package to a restored backup, with a gateway that serves all the while.

use super::guide;
use super::machine::{Machine, PORT, gateway};
use proxima_test_support::{Client, Folder, PASSWORD};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(120);

/// The name that gateways and people use: leads to whichever machine has the dashboard, if any.
#[derive(Clone)]
struct Name {
    url: String,
    machine: Arc<Mutex<Option<SocketAddr>>>,
}

impl Name {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let name = Self { url, machine: Arc::default() };
        let machine = Arc::clone(&name.machine);
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let address = *machine.lock().expect("not poisoned");
                tokio::spawn(async move {
                    let Some(address) = address else { return };
                    let Ok(mut inside) = TcpStream::connect(address).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        name
    }

    fn leads_to(&self, machine: Option<&Machine>) {
        let address = machine.map(|machine| SocketAddr::new(IpAddr::V4(machine.lab.address), PORT));
        *self.machine.lock().expect("not poisoned") = address;
    }

    async fn sign_in(&self, password: &str) -> Client {
        let client = Client::new(&self.url);
        let body = json!({ "username": "admin", "password": password });
        client.post("/api/v1/auth/login", &body).await.expect_status(200);
        client
    }
}

/// A website, a gateway before it, and a visitor who never stops.
struct Website {
    folder: Folder,
    ports: [u16; 2],
    answered: Arc<AtomicU32>,
    missed: Arc<AtomicU32>,
    gateway: Option<Child>,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Website {
    fn new() -> Self {
        let ports = [free_port(), free_port()];
        Self { folder: Folder::new(), ports, answered: Arc::default(), missed: Arc::default(), gateway: None }
    }

    /// The backend's URL.
    async fn backend() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut visitor, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = visitor.read(&mut [0; 4096]).await;
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nwebsite";
                    let _ = visitor.write_all(answer).await;
                });
            }
        });
        url
    }

    fn start_gateway(&mut self, config: &str) {
        let path = self.folder.join("config.json");
        std::fs::write(&path, config).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its own");
        let gateway = Command::new(gateway())
            .arg("run")
            .env("PROXIMA_GATEWAY_CONFIG", &path)
            .env("PROXIMA_GATEWAY_STATE_DIR", self.folder.join("state"))
            .env("PROXIMA_GATEWAY_MANAGEMENT_LISTEN", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.join("log")).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway starts");
        self.gateway = Some(gateway);
    }

    async fn is_served(port: u16) -> bool {
        let visit = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            answer.ends_with("website").then_some(())
        };
        tokio::time::timeout(Duration::from_secs(20), visit).await.ok().flatten().is_some()
    }

    async fn until_served(&self, port: u16, served: bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while Self::is_served(port).await != served {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(tokio::time::Instant::now() < deadline, "port {port}, served: {served}, never came; {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// From now on every visit to the first port counts.
    fn visit(&self) {
        let (port, answered, missed) = (self.ports[0], Arc::clone(&self.answered), Arc::clone(&self.missed));
        tokio::spawn(async move {
            loop {
                let counter = if Self::is_served(port).await { &answered } else { &missed };
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
}

async fn listeners(admin: &Client, server: &str, listeners: &[Value]) {
    let path = format!("/api/v1/servers/{server}/config");
    let generation = admin.get(&path).await.expect(200)["generation"].clone();
    let body = json!({ "generation": generation, "listeners": listeners });
    admin.put(&path, &body).await.expect_status(200);
}

/// The last line of what `create-admin` prints is the password.
fn password(printed: &str) -> String {
    printed.lines().last().expect("a password").trim().to_owned()
}

#[tokio::test]
async fn vps_lab_an_operator_follows_the_guide_from_the_package_to_a_restored_backup() {
    let name = Name::new().await;
    let mut website = Website::new();
    let backend = Website::backend().await;
    let port = |index: usize| json!({ "port": website.ports[index], "backendUrl": backend });
    let (one, two) = (port(0), port(1));

    let first = Machine::up().await;
    first.follow("install").await;
    first.configure(&name.url).await;
    first.follow("start").await;
    let secret = password(&first.follow("first-admin").await);
    // It cannot reach public_url here, and says so.
    let looked = first.attempt(&guide::block("check")).await;
    assert!(looked.stdout.contains("database"), "{looked:?}");
    name.leads_to(Some(&first));
    let admin = name.sign_in(&secret).await;
    let own = json!({ "currentPassword": secret, "newPassword": PASSWORD });
    admin.post("/api/v1/me/password", &own).await.expect_status(204);
    let user = json!({ "username": "carol", "password": PASSWORD, "role": "CUSTOMER", "serverName": "web" });
    let made = admin.post("/api/v1/users", &user).await.expect(201);
    let server = made["server"]["id"].as_str().expect("a server").to_owned();
    listeners(&admin, &server, std::slice::from_ref(&one)).await;
    let export = format!(
        "proxima-dashboard export-gateway-config --username carol --dashboard-url {} --output /var/lib/proxima-dashboard/carol.json",
        name.url
    );
    first.run(&export).await;
    website.start_gateway(&first.read("/var/lib/proxima-dashboard/carol.json").await);
    website.until_served(website.ports[0], true).await;
    website.visit();

    first.follow("backup").await;
    first.follow("key-file").await;
    // What no backup knows.
    listeners(&admin, &server, &[one.clone(), two.clone()]).await;
    website.until_served(website.ports[1], true).await;
    let backups = first.run("ls /var/backups/proxima-dashboard").await;
    assert_eq!(backups.lines().count(), 2, "the one by hand, and the timer's: {backups}");
    let folder = Folder::new();
    let (backup, keys) = (folder.join("first.backup"), folder.join("keys.json"));
    take(&first, "/var/backups/proxima-dashboard/first.backup", &backup).await;
    take(&first, "/root/keys.json", &keys).await;

    // The machine is gone, and nothing of it is left but the two files.
    name.leads_to(None);
    drop(first);
    let second = Machine::up().await;
    second.follow("install").await;
    second.configure(&name.url).await;
    second.lab.put(&backup, "/root/first.backup").await;
    second.lab.put(&keys, "/root/keys.json").await;
    second.follow("restore").await;
    name.leads_to(Some(&second));
    let admin = name.sign_in(PASSWORD).await;
    // The configuration of the backup is the truth again, though the gateway had a later one.
    website.until_served(website.ports[1], false).await;
    listeners(&admin, &server, &[one, two]).await;
    website.until_served(website.ports[1], true).await;

    assert!(website.answered.load(Ordering::Relaxed) > 10);
    assert_eq!(website.missed.load(Ordering::Relaxed), 0, "visits that found the website closed");
}

/// Copies a file out of the box.
async fn take(machine: &Machine, from: &str, to: &std::path::Path) {
    let encoded = machine.run(&format!("base64 -w0 '{from}'")).await;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded.trim()).expect("base64");
    std::fs::write(to, bytes).expect("written");
}
