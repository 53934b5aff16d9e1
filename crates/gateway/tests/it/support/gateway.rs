//! The gateway's process.

use super::dashboard::{Dashboard, desired, key, signer};
use super::{PATIENCE, backend::Backend, free_port, wait_for, wait_open};
use proxima_types::ApiSecret;
use serde_json::{Value, json};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

/// A directory with a config.json and a state directory, removed at the end.
pub struct Home {
    pub path: PathBuf,
    pub identity: Value,
    /// Variables of the gateway's process.
    pub environment: Vec<(&'static str, String)>,
}

impl Home {
    pub fn new(dashboard_port: u16, server_id: proxima_types::ServerId) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("proxima-gateway-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        let identity = json!({
            "dashboardUrl": format!("http://127.0.0.1:{dashboard_port}"),
            "dashboardPublicKeys": [signer(1).public_key().to_string()],
            "serverId": server_id,
            "apiKey": key(1),
            "apiSecret": ApiSecret::from_random_bytes([3; 32]),
            "installId": "0192f0c1-1111-7333-8444-555566667777",
        });
        let home = Self { path, identity, environment: Vec::new() };
        home.write();
        home
    }

    pub fn of(dashboard: &Dashboard) -> Self {
        Self::new(dashboard.port, dashboard.server_id)
    }

    /// Changes one field of config.json.
    pub fn set(&mut self, field: &str, value: Value) {
        self.identity[field] = value;
        self.write();
    }

    pub fn write(&self) {
        self.write_text(&self.identity.to_string());
    }

    pub fn write_text(&self, text: &str) {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).write(true).truncate(true).mode(0o600).open(self.config());
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.path.join("config.json")
    }

    pub fn state(&self, file: &str) -> PathBuf {
        self.path.join("state").join(file)
    }

    pub fn state_json(&self, file: &str) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.state(file)).ok()?).ok()
    }

    pub fn change_state(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.state_json(file).unwrap();
        change(&mut value);
        std::fs::write(self.state(file), value.to_string()).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxima-gateway"));
        command.args(["--config", &shown(&self.config()), "--state-dir", &shown(&self.path.join("state"))]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a subcommand to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub fn start(&self) -> Gateway {
        self.start_with(&[])
    }

    pub fn start_with(&self, flags: &[&str]) -> Gateway {
        let log = std::fs::File::options().create(true).append(true).open(self.path.join("log")).unwrap();
        let child = self
            .command()
            .args(["--listen-address", "127.0.0.1", "--log-format", "text", "--drain-seconds", "20"])
            .args(["--start-timeout-seconds", "1", "--management-listen", "off"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Gateway { child, log: self.path.join("log") }
    }
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.path.join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the gateway's log, newest first:\n{}", tail.join("\n"));
        }
        let _ = std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o700));
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

pub struct Gateway {
    child: Child,
    log: PathBuf,
}

impl Gateway {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end; the exit code.
    pub fn wait_exit(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < end, "the gateway does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), || self.log().contains(text).then_some(()));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A licensed gateway with one port.
pub struct Served {
    pub port: u16,
    pub gateway: Gateway,
    pub home: Home,
    pub dashboard: Dashboard,
}

/// Starts a gateway in front of `backend` and waits until it serves.
pub fn serve(backend: &Backend) -> Served {
    serve_with(&backend.url(), &[])
}

pub fn serve_with(backend_url: &str, flags: &[&str]) -> Served {
    serve_config(|port| desired(1, &[(port, backend_url.to_owned())]), flags)
}

/// Starts a gateway with the configuration of generation 1 that `config` makes for a port, and waits until it serves.
pub fn serve_config(config: impl FnOnce(u16) -> Value, flags: &[&str]) -> Served {
    let dashboard = Dashboard::start();
    let port = free_port();
    dashboard.grants(config(port));
    let home = Home::of(&dashboard);
    let gateway = home.start_with(flags);
    wait_open(port);
    Served { port, gateway, home, dashboard }
}
