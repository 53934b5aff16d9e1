//! A PostgreSQL cluster of a test's own, over TCP on loopback, whose processes can be treated badly.

use crate::disk::SmallDisk;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Postgres {
    folder: PathBuf,
    binaries: PathBuf,
    pub port: u16,
    /// Root cannot run PostgreSQL: user and group of `postgres` then.
    user: Option<(u32, u32)>,
    /// A small file system of its own under the data.
    disk: Option<SmallDisk>,
}

fn newest_binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("an installed PostgreSQL")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    let number =
        |path: &PathBuf| path.components().rev().nth(1).and_then(|part| part.as_os_str().to_str()?.parse().ok());
    versions.sort_by_key(|path| number(path).unwrap_or(0_u32));
    versions.pop().expect("an installed PostgreSQL")
}

fn number_of(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, "postgres"]).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

impl Postgres {
    /// Neither created nor started.
    fn place() -> Self {
        let folder = PathBuf::from(format!("/tmp/proxima-faults-{}", OsEntropy.uuid().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let user = is_root().then(|| (number_of("-u"), number_of("-g")));
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("open to postgres");
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).expect("postgres's");
        }
        Self { folder, binaries: newest_binaries(), port: free_port(), user, disk: None }
    }

    /// A fresh cluster with an empty database `proxima`, running.
    pub async fn start_new() -> Self {
        Self::place().begin().await
    }

    /// As [`Self::start_new`], on a file system of so many megabytes. Needs root.
    pub async fn start_on_small_disk(megabytes: u32) -> Self {
        let mut postgres = Self::place();
        let data = postgres.data();
        std::fs::create_dir(&data).expect("a folder");
        postgres.disk = Some(SmallDisk::over(&data, megabytes));
        if let Some((user, group)) = postgres.user {
            chown(&data, Some(user), Some(group)).expect("postgres's");
        }
        postgres.begin().await
    }

    async fn begin(self) -> Self {
        self.tool(
            "initdb",
            &["-A", "trust", "-U", "postgres", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8", "-D"],
            true,
        );
        let settings = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n\
                        max_connections = 40\nmax_wal_size = 64MB\nmin_wal_size = 32MB\nautovacuum = off\n";
        self.append("postgresql.conf", settings);
        self.start();
        self.run("postgres", "CREATE DATABASE proxima").await;
        self
    }

    /// A standby of this cluster, which follows it; running.
    pub fn standby(&self) -> Self {
        let standby = Self::place();
        let port = self.port.to_string();
        standby.tool(
            "pg_basebackup",
            &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-R", "-c", "fast", "-D"],
            true,
        );
        standby.start();
        standby
    }

    fn append(&self, file: &str, text: &str) {
        let path = self.data().join(file);
        let before = std::fs::read_to_string(&path).expect("its settings");
        std::fs::write(path, before + text).expect("written");
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs a program of PostgreSQL's, on the data folder when `on_data`.
    fn tool(&self, name: &str, args: &[&str], on_data: bool) -> bool {
        let mut command = match self.user {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups", "--"]);
                command.arg(self.binaries.join(name));
                command
            }
            None => Command::new(self.binaries.join(name)),
        };
        command.args(args).current_dir(&self.folder).env_remove("PGHOST").env_remove("PGPORT");
        if on_data {
            command.arg(self.data());
        }
        let log = std::fs::File::create(self.folder.join("tool.log")).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.stdin(std::process::Stdio::null()).stdout(log).stderr(errors).status().expect("it runs").success()
    }

    pub fn start(&self) {
        let options = format!("-p {}", self.port);
        let log = self.folder.join("server.log").display().to_string();
        let started = self.tool("pg_ctl", &["start", "-w", "-t", "60", "-o", &options, "-l", &log, "-D"], true);
        assert!(started, "PostgreSQL does not start: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Starts it unless it runs: a server that had no place for its log has ended itself.
    pub fn start_unless_running(&self) {
        let runs = |pid: i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == self.data());
        if !self.postmaster().is_some_and(runs) {
            let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
            self.start();
        }
    }

    /// In order, as an operator does.
    pub fn stop(&self) {
        assert!(self.tool("pg_ctl", &["stop", "-w", "-m", "fast", "-D"], true), "PostgreSQL does not stop");
    }

    pub fn promote(&self) {
        assert!(self.tool("pg_ctl", &["promote", "-w", "-t", "60", "-D"], true), "the standby is not promoted");
    }

    fn postmaster(&self) -> Option<i32> {
        std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
    }

    /// The postmaster and all its processes.
    fn processes(&self) -> Vec<i32> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        let parent = |pid: i32| -> Option<i32> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
        };
        let all = std::fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let children = all.filter(|pid| parent(*pid) == Some(postmaster));
        std::iter::once(postmaster).chain(children).collect()
    }

    fn signal(&self, name: &str) {
        let processes: Vec<String> = self.processes().iter().map(ToString::to_string).collect();
        let _ = Command::new("kill").args(["-s", name]).args(&processes).stderr(std::process::Stdio::null()).status();
    }

    /// SIGKILL to all of it; returns when nothing of it is left.
    pub fn kill(&self) {
        let processes = self.processes();
        self.signal("KILL");
        let deadline = Instant::now() + Duration::from_secs(30);
        let runs = |pid: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while processes.iter().any(runs) {
            assert!(Instant::now() < deadline, "PostgreSQL outlives SIGKILL");
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port).username("postgres").database(database)
    }

    /// A pool that is lazy, so that it can be made while the server is down.
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(4).connect_lazy_with(self.options("proxima"))
    }

    /// Runs statements as the superuser.
    pub async fn run(&self, database: &str, sql: &str) {
        let mut connection = self.options(database).connect().await.expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("it runs");
    }

    /// What the data lies on.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("a small disk")
    }
}

pub fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/proxima")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.postmaster().is_some() {
            self.thaw();
            self.tool("pg_ctl", &["stop", "-w", "-m", "immediate", "-D"], true);
        }
        self.disk = None;
        let _ = std::fs::remove_dir_all(Path::new(&self.folder));
    }
}
