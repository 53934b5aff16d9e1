//! A real box of the lab that reaches a dashboard of the test's, with a website for it to stand in front of, and what its
//! owner does by the API.

use crate::world::World;
use proxima_dashboard::config::AppConfig;
use proxima_installer::run::Limits;
use proxima_test_support::{Client, Lab, LabOptions, LabUser, assert_same_box};
use proxima_types::identity::DashboardUrl;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The dashboard's port as the box sees it, on its own loopback: each box has this machine's end of its cable to itself.
pub const DASHBOARD_PORT: u16 = 8100;
/// What the box's gateways are told to report to.
pub const GATEWAY_URL: &str = "http://127.0.0.1:8100";
/// All addresses of the lab.
pub const LAB: &str = "10.213.0.0/16";
/// Where visitors reach the gateway.
pub const PORT: u16 = 80;
const SITE_PORT: u16 = 8200;
const SITE: &str = "the customer's own website";
/// How long something may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(150);

/// `target/<profile>/proxima-gateway` without its debug information, in a release folder of its own.
pub fn releases() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put_release(folder.path(), &gateway());
    folder
}

/// The gateway as this workspace builds it, made smaller.
pub fn gateway() -> Vec<u8> {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("proxima-gateway");
    assert!(built.is_file(), "build it first: cargo build -p proxima-gateway");
    let folder = tempfile::tempdir().unwrap();
    let stripped = folder.path().join("stripped");
    let status = std::process::Command::new("strip").arg("-o").arg(&stripped).arg(&built).status();
    assert!(status.expect("install binutils").success());
    std::fs::read(stripped).unwrap()
}

pub fn release(folder: &Path) -> PathBuf {
    folder.join(std::env::consts::ARCH).join("proxima-gateway")
}

/// Puts a program where the dashboard looks for the gateway.
pub fn put_release(folder: &Path, program: &[u8]) {
    let path = release(folder);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, program).unwrap();
}

/// A dashboard in this process, whose operator allows the lab's addresses.
pub fn config(releases: &Path) -> AppConfig {
    AppConfig {
        gateway_url: Some(DashboardUrl::parse(GATEWAY_URL).unwrap()),
        outbound_allowed: vec![LAB.parse().unwrap()],
        gateway_binaries: releases.to_owned(),
        heartbeat_interval: chrono::Duration::seconds(2),
        job_limits: Limits { heartbeat: Duration::from_secs(30), ..Limits::default() },
        ..AppConfig::default()
    }
}

/// A box, and the dashboard that it reaches.
pub struct RealBox {
    /// First, so that it ends first: the next box may have this one's address.
    _behind: JoinSet<()>,
    pub lab: Lab,
    dashboard: Arc<Mutex<String>>,
}

impl RealBox {
    pub async fn up(options: LabOptions) -> Self {
        let lab = Lab::up(LabOptions { dashboard_port: Some(DASHBOARD_PORT), ..options }).await;
        let dashboard = Arc::new(Mutex::new(String::new()));
        let listener = TcpListener::bind((lab.machine_address, DASHBOARD_PORT)).await.unwrap();
        let mut behind = JoinSet::new();
        behind.spawn(forward(listener, Arc::clone(&dashboard)));
        behind.spawn(site(TcpListener::bind((lab.machine_address, SITE_PORT)).await.unwrap()));
        Self { _behind: behind, lab, dashboard }
    }

    /// From now on the box reaches this dashboard (`http://127.0.0.1:port`).
    pub fn reaches(&self, url: &str) {
        url.trim_start_matches("http://").clone_into(&mut self.dashboard.lock().unwrap());
    }

    pub async fn run(&self, script: &str) -> String {
        let done = self.lab.exec(&["bash", "-c", script]).await;
        assert_eq!(done.code, Some(0), "{script}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    /// What a visitor gets; `None` when nobody listens or no answer came.
    async fn visit(&self) -> Option<String> {
        let mut stream = TcpStream::connect((self.lab.address, PORT)).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// Visitors get the website through the gateway.
    pub async fn serves(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = tokio::time::timeout(Duration::from_secs(5), self.visit()).await.ok().flatten();
            if answer.as_ref().is_some_and(|answer| answer.contains(SITE)) {
                return;
            }
            assert!(Instant::now() < deadline, "visitors get {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The version that its gateway says it has.
    pub async fn version(&self) -> String {
        self.run("/usr/local/bin/proxima-gateway --version").await.trim().to_owned()
    }

    pub async fn snapshot(&self) -> BTreeMap<String, String> {
        self.lab.snapshot().await
    }

    /// Nothing of ours is there, and nothing of its owner's was touched.
    pub async fn is_as(&self, before: &BTreeMap<String, String>, what: &str) {
        assert_same_box(&self.snapshot().await, before, what);
    }
}

async fn forward(listener: TcpListener, to: Arc<Mutex<String>>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let address = to.lock().unwrap().clone();
        tokio::spawn(async move {
            if let Ok(mut stream) = TcpStream::connect(address).await {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut stream).await;
            }
        });
    }
}

async fn site(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", SITE.len());
            let _ = stream.write_all(format!("{head}{SITE}").as_bytes()).await;
        });
    }
}

/// A server as its owner has it in their browser.
pub struct Owner {
    pub browser: Client,
    /// `/api/v1/servers/<id>`.
    pub server: String,
}

impl Owner {
    pub fn of(world: &World) -> Self {
        Self { browser: world.own.clone(), server: world.path("") }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.server)
    }

    /// Port 80 of the box shows the website.
    pub async fn configures(&self, target: &RealBox) {
        let generation = self.browser.get(&self.path("/config")).await.expect(200)["generation"].clone();
        let backend = format!("http://{}:{SITE_PORT}", target.lab.machine_address);
        let listeners = json!([{ "port": PORT, "backendUrl": backend }]);
        let form = json!({ "generation": generation, "listeners": listeners });
        self.browser.put(&self.path("/config"), &form).await.expect_status(200);
    }

    pub async fn saves(&self, target: &RealBox, user: &LabUser, sudo: Option<&str>) {
        let form = json!({ "host": target.lab.address.to_string(), "port": target.lab.ssh_port, "user": user.name,
            "password": user.password, "sudoPassword": sudo });
        self.browser.put(&self.path("/connection"), &form).await.expect_status(200);
    }

    /// Looks at the host key, and confirms it when it is the box's.
    pub async fn confirms(&self, target: &RealBox) {
        let probe = self.browser.post(&self.path("/connection/host-key"), &json!({})).await.expect(200);
        assert_eq!(probe["problem"], Value::Null, "{probe}");
        let shown = probe["connection"]["shownHostKey"]["fingerprint"].as_str().unwrap();
        let real = target.run("for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done").await;
        assert!(real.contains(shown), "{shown} is none of {real}");
        let form = json!({ "fingerprint": shown });
        self.browser.post(&self.path("/connection/host-key/confirm"), &form).await.expect_status(200);
    }

    /// Everything before the click.
    pub async fn connects(&self, target: &RealBox, user: &LabUser) {
        self.saves(target, user, None).await;
        self.confirms(target).await;
        self.configures(target).await;
    }

    pub async fn queues(&self, kind: &str) -> String {
        self.asks(&json!({ "kind": kind })).await
    }

    pub async fn asks(&self, form: &Value) -> String {
        let job = self.browser.post(&self.path("/jobs"), form).await.expect(202);
        self.path(&format!("/jobs/{}", job["id"].as_str().unwrap()))
    }

    pub async fn until(&self, job: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.browser.get(job).await.expect(200);
            if condition(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "it never came true: {seen:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn until_step(&self, job: &str, step: &str, state: &str) -> Value {
        self.until(job, |job| step_of(job, step).is_some_and(|found| found["state"] == state)).await
    }

    /// Some bytes of the upload have gone, and most have not.
    pub async fn until_uploading(&self, job: &str) {
        self.until(job, |job| {
            let upload = step_of(job, "UPLOAD").unwrap_or_default();
            assert_eq!(job["finishedAt"], Value::Null, "{job:#}");
            upload["sentBytes"].as_i64().is_some_and(|sent| sent > 500_000)
        })
        .await;
    }

    pub async fn ends(&self, job: &str) -> Value {
        self.until(job, |job| job["finishedAt"].is_string()).await
    }

    /// The job succeeds.
    pub async fn succeeds(&self, job: &str) -> Value {
        let done = self.ends(job).await;
        assert_eq!((&done["state"], &done["problem"]), (&json!("SUCCEEDED"), &Value::Null), "{done:#}");
        done
    }

    /// The job fails for this reason in words, says what to do, and leaves nothing to do by hand.
    pub async fn fails(&self, job: &str, code: &str, words: &str) -> Value {
        let done = self.ends(job).await;
        let problem = &done["problem"];
        assert_eq!((&done["state"], &problem["code"]), (&json!("FAILED"), &json!(code)), "{done:#}");
        let sentence = problem["sentence"].as_str().unwrap();
        assert!(sentence.contains(words), "{sentence}");
        assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{problem}");
        assert_eq!(done["remains"], json!([]), "{done:#}");
        done
    }

    /// The dashboard has heard from a gateway of this version.
    pub async fn until_reports(&self, version: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.browser.get(&self.server).await;
            if seen.text.contains(&format!("\"{version}\"")) {
                return;
            }
            assert!(Instant::now() < deadline, "{}", seen.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// An install of which nothing is in the way any more: visitors get the website.
    pub async fn installs(&self, target: &RealBox) -> Value {
        let job = self.queues("INSTALL").await;
        let done = self.succeeds(&job).await;
        target.serves().await;
        done
    }

    /// And off again, without a trace.
    pub async fn uninstalls(&self, target: &RealBox, before: &BTreeMap<String, String>) {
        let job = self.queues("UNINSTALL").await;
        self.succeeds(&job).await;
        let mut now = target.snapshot().await;
        // The folder for keys stays, empty: others may have come to count on it.
        now.retain(|name, _| !name.ends_with("/.ssh") || before.contains_key(name));
        assert_same_box(&now, before, "uninstalled");
    }
}

pub fn step_of(job: &Value, id: &str) -> Option<Value> {
    job["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).cloned()
}

/// A dashboard in this process with its customer, and a box that reaches it. Runs jobs.
pub async fn world_and_box(db: PgPool, options: LabOptions) -> (World, RealBox, Owner, tempfile::TempDir) {
    let releases = releases();
    let target = RealBox::up(options).await;
    let mut world = World::with(db, config(releases.path())).await;
    target.reaches(&world.app.url);
    world.run_jobs();
    let owner = Owner::of(&world);
    (world, target, owner, releases)
}
