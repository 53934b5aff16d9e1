//! The real program: started, watched, killed.

use crate::Client;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// How long a program may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(180);

/// A folder of a test's own, removed with all in it.
pub struct Folder(PathBuf);

impl Folder {
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("proxima-test-{}", OsEntropy.uuid()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    // Nothing of whoever runs the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PROXIMA_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.env_remove("DATABASE_URL").env_remove("DATABASE_URL_FILE").env_remove("CREDENTIALS_DIRECTORY");
    command
}

/// Runs a program to its end.
pub async fn run_program(program: &str, args: &[&str], stdin: &str) -> Finished {
    run_program_with(program, args, &[], stdin).await
}

/// The same, with variables.
pub async fn run_program_with(program: &str, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Finished {
    let mut child = command(program, args)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A program that does not read its input may close it first.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("utf-8");
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// `proxima-dashboard serve` as a process of its own, killed when dropped.
pub struct DashboardProcess {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    output: Output,
    readers: Vec<JoinHandle<()>>,
}

/// What a program has printed. The end of it is shown when a test fails.
struct Output(Arc<Mutex<String>>);

impl Output {
    const SHOWN: usize = 40;

    fn text(&self) -> String {
        self.0.lock().expect("not poisoned").clone()
    }
}

impl Drop for Output {
    #[allow(clippy::print_stdout)] // which is shown with the test that failed
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.text();
            let lines: Vec<_> = text.lines().rev().take(Self::SHOWN).collect();
            println!("the dashboard's log, newest first:\n{}", lines.join("\n"));
        }
    }
}

impl DashboardProcess {
    /// Starts it on a free port and waits until it is ready.
    pub async fn start(program: &str, database_url: &str, data: &Folder, env: &[(&str, &str)]) -> Self {
        Self::start_on(program, "127.0.0.1:0", database_url, data, env).await
    }

    /// As [`Self::start`], on an address of one's own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_on(
        program: &str,
        listen: &str,
        database_url: &str,
        data: &Folder,
        env: &[(&str, &str)],
    ) -> Self {
        let mut child = command(program, &["serve", "--listen", listen, "--log-format", "json"])
            .env("DATABASE_URL", database_url)
            .env("PROXIMA_DATA_DIR", data.path())
            .env("PROXIMA_BCRYPT_COST", "4")
            .env("PROXIMA_FIRST_ADMIN", "never")
            .env("PROXIMA_ADMIN_SECOND_FACTOR", "optional")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = Output(Arc::new(Mutex::new(String::new())));
        let readers = vec![
            tokio::spawn(collect(child.stdout.take().expect("a pipe"), Arc::clone(&output.0))),
            tokio::spawn(collect(child.stderr.take().expect("a pipe"), Arc::clone(&output.0))),
        ];
        let mut process = Self { child, url: String::new(), output, readers };
        process.url = format!("http://{}", process.ready().await);
        process
    }

    /// The address that it says it listens on.
    async fn ready(&mut self) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let address = self.output().lines().find_map(|line| {
                let json: serde_json::Value = serde_json::from_str(line).ok()?;
                let fields = &json["fields"];
                let ready = fields["message"] == "the dashboard is ready";
                ready.then(|| fields["listen"].as_str().unwrap_or_default().to_owned())
            });
            if let Some(address) = address {
                return address;
            }
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "it ended: {}", self.output());
            assert!(tokio::time::Instant::now() < deadline, "it is not ready: {}", self.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// What it has printed and logged so far.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// User and system CPU time so far, in clock ticks.
    #[must_use]
    pub fn cpu_ticks(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("its state");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // Fields 14 and 15 of proc(5); the first after the name is the third.
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }

    /// Its memory that is in use, in KiB.
    #[must_use]
    pub fn resident_kilobytes(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("its state");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// SIGKILL: nothing of it runs any more when this returns.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.expect("killed");
        self.finish().await
    }

    /// Sends a signal, such as `STOP` or `CONT`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    /// Sends SIGTERM, and waits until it says that it stops.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.output().contains("stopping") {
            assert!(tokio::time::Instant::now() < deadline, "it does not stop: {}", self.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(self) -> (Option<i32>, String) {
        self.terminate().await;
        self.ended().await
    }

    /// Its exit code, and all that it said.
    pub async fn ended(mut self) -> (Option<i32>, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("its status");
        (status.code(), self.finish().await)
    }

    async fn finish(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.await.expect("all was read");
        }
        self.output()
    }
}

async fn collect(stream: impl AsyncRead + Unpin, output: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut output = output.lock().expect("not poisoned");
        output.push_str(&line);
        output.push('\n');
    }
}
