//! One data directory and its server: create, start, adopt, stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::binaries::{self, Binaries};
use crate::command::{self, last_line};
use crate::error::Error;
use crate::layout::{Layout, make_private};
use crate::memory;
use crate::options::Options;
use crate::settings;

/// How soon a server that runs takes a connection, also one that still starts, in seconds.
const ANSWERS_WITHIN: u64 = 8;

#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) layout: Layout,
    pub(crate) account: Account,
    pub(crate) binaries: Binaries,
    pub(crate) options: Options,
}

impl Cluster {
    /// Finds out how this folder's server is run, without starting anything.
    pub(crate) async fn open(folder: &Path, options: Options) -> Result<Self, Error> {
        let installed = binaries::installed().await;
        if installed.is_empty() {
            return Err(Error::NotInstalled);
        }
        let account = Account::resolve(&options.server_user).await?;
        let layout = Layout::prepare(folder, &account).await?;
        let binaries = binaries::choose(installed, &layout.data(), layout.written_by())?;
        Ok(Self { layout, account, binaries, options })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn major(&self) -> u32 {
        self.binaries.major
    }

    pub(crate) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Creates the data if there is none, and starts the server unless it runs already.
    pub(crate) async fn ensure_running(&self) -> Result<(), Error> {
        if self.layout.written_by().is_none() {
            self.create().await?;
        }
        match self.postmaster() {
            Some(found) if found.socket_dir == self.layout.socket_dir() => {
                tracing::info!(pid = found.pid, "adopted the PostgreSQL that was still running");
                self.wait_until_ready().await
            }
            Some(found) => {
                tracing::warn!(pid = found.pid, "the running PostgreSQL listens elsewhere; restarting it");
                self.stop().await?;
                self.start().await
            }
            None => self.start().await,
        }
    }

    async fn create(&self) -> Result<(), Error> {
        let (work, data) = (self.layout.unfinished(), self.layout.data());
        tracing::info!(data = %data.display(), major = self.binaries.major, "creating the embedded PostgreSQL's data");
        if work.exists() {
            fs::remove_dir_all(&work).map_err(Error::io("delete", &work))?;
        }
        self.create_in(&work).await?;
        command::write(&self.account, &work.join("postgresql.conf"), true, settings::INCLUDE).await?;
        fs::rename(&work, &data).map_err(Error::io("create", &data))
    }

    /// An empty cluster with `initdb`'s own settings.
    pub(crate) async fn create_in(&self, folder: &Path) -> Result<(), Error> {
        make_private(folder, &self.account)?;
        let mut initdb =
            self.tool("initdb", ["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]);
        initdb.args(["--auth-local=trust", "--auth-host=reject"]).args((!self.options.fsync).then_some("--no-sync"));
        initdb.arg("-D").arg(folder);
        let output = command::run(initdb).await?;
        if !output.status.success() {
            return Err(Error::Command { step: "initdb", detail: last_line(&output.stderr), log: folder.to_owned() });
        }
        Ok(())
    }

    pub(crate) async fn start(&self) -> Result<(), Error> {
        self.layout.make_socket_dir(&self.account)?;
        let data = self.layout.data();
        self.reap();
        let settings = settings::render(self.layout.socket_dir(), self.options.fsync, memory::available());
        command::write(&self.account, &data.join(settings::FILE), false, &settings).await?;
        // Only what comes before PostgreSQL's own log is in here, so it is emptied at each start.
        let log = data.join("start.log");
        command::write(&self.account, &log, false, "").await?;
        let mut start = self.tool("pg_ctl", ["start", "--wait", "--silent"]);
        start
            .arg(format!("--timeout={}", self.options.start_timeout.as_secs()))
            .arg("--log")
            .arg(&log)
            .arg("-D")
            .arg(&data);
        let output = command::run(start).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = fs::read(&log).ok().filter(|said| !said.is_empty()).unwrap_or(output.stderr);
        Err(Error::Command { step: "start", detail: last_line(&said), log: data.join("log") })
    }

    /// Stops the server in order; one that does not end in time is stopped at once, which costs a recovery at the next start.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        for mode in ["fast", "immediate"] {
            if self.postmaster().is_none() {
                return Ok(());
            }
            let mut stop = self.tool("pg_ctl", ["stop", "--wait", "--silent", "--mode", mode]);
            stop.arg(format!("--timeout={}", self.options.stop_timeout.as_secs())).arg("-D").arg(self.layout.data());
            let output = command::run(stop).await?;
            if !output.status.success() {
                tracing::warn!(mode, detail = %last_line(&output.stderr), "PostgreSQL did not stop");
            }
        }
        match self.postmaster() {
            None => Ok(()),
            Some(found) => Err(Error::Command {
                step: "stop",
                detail: format!("process {} is still there", found.pid),
                log: self.layout.data().join("log"),
            }),
        }
    }

    /// Creates the role and the database; both are there after the first time.
    pub(crate) async fn ensure_database(&self) -> Result<(), Error> {
        let count = "select (select count(*) from pg_roles where rolname = 'proxima'), (select count(*) from pg_database where datname = 'proxima')";
        let found = self.psql(count).await?;
        let (role, database) = found.split_once('|').unwrap_or_default();
        if role == "0" {
            self.psql("create role proxima login").await?;
        }
        if database == "0" {
            self.psql("create database proxima owner proxima").await?;
        }
        Ok(())
    }

    pub(crate) async fn wait_until_ready(&self) -> Result<(), Error> {
        self.wait_for("select 1").await
    }

    /// Until whoever supervises the server has made the database, too.
    pub(crate) async fn wait_for_database(&self) -> Result<(), Error> {
        self.wait_for("select 1 from pg_database where datname = 'proxima'").await
    }

    /// Until the server answers the statement with 1.
    async fn wait_for(&self, statement: &str) -> Result<(), Error> {
        let deadline = Instant::now() + self.options.start_timeout;
        loop {
            let answer = self.psql(statement).await;
            if answer.as_ref().is_ok_and(|answer| answer == "1") {
                return Ok(());
            }
            // One that starts says so at once.
            if let Err(Error::Silent { .. }) = answer {
                return answer.map(drop);
            }
            if Instant::now() >= deadline {
                tracing::debug!(?answer, "the last attempt");
                return Err(Error::NotReady {
                    data: self.layout.data(),
                    seconds: self.options.start_timeout.as_secs(),
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn psql(&self, statement: &str) -> Result<String, Error> {
        self.psql_in("postgres", statement).await
    }

    pub(crate) async fn psql_in(&self, database: &str, statement: &str) -> Result<String, Error> {
        let mut psql =
            self.tool("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", "-p", "5432", "-U", "postgres", "-d", database]);
        psql.env("PGCONNECT_TIMEOUT", ANSWERS_WITHIN.to_string());
        psql.arg("-h").arg(self.layout.socket_dir()).arg("-c").arg(statement);
        let output = command::run(psql).await?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else if last_line(&output.stderr).ends_with("timeout expired") {
            Err(Error::Silent { data: self.layout.data(), seconds: ANSWERS_WITHIN })
        } else {
            Err(Error::Command {
                step: "set-up",
                detail: last_line(&output.stderr),
                log: self.layout.data().join("log"),
            })
        }
    }

    /// The running server of this data directory. A process that merely has the number that a dead server had is not it.
    pub(crate) fn postmaster(&self) -> Option<Postmaster> {
        let data = self.layout.data();
        let found = Postmaster::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)?;
        let works_in = fs::read_link(format!("/proc/{}/cwd", found.pid)).ok()?;
        (works_in == data).then_some(found)
    }

    /// Takes leave of a dead server that became this process's child (as every orphan does of a container's first process): its number
    /// in `postmaster.pid` would otherwise look alive to the next server, for ever.
    fn reap(&self) {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let Some(dead) = read(self.layout.data().join("postmaster.pid")).and_then(|file| Postmaster::parse(&file))
        else {
            return;
        };
        let is_dead_server =
            read(format!("/proc/{}/stat", dead.pid).into()).is_some_and(|stat| stat.contains(" (postgres) Z "));
        if let Some(pid) = i32::try_from(dead.pid).ok().and_then(Pid::from_raw)
            && is_dead_server
        {
            // An error means that it is someone else's child, who will do it.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    fn tool<const N: usize>(&self, program: &str, arguments: [&str; N]) -> tokio::process::Command {
        command::tool(&self.account, &self.binaries.program(program), arguments)
    }
}

/// What `postmaster.pid` says: the process on its first line, the socket's directory on its fifth.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Postmaster {
    pub(crate) pid: u32,
    socket_dir: PathBuf,
}

impl Postmaster {
    fn parse(file: &str) -> Option<Self> {
        let mut lines = file.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        // Not written yet while the server is starting: then it is ours all the same, and not adoptable before it is ready.
        let socket_dir = lines.nth(3).map(PathBuf::from).unwrap_or_default();
        Some(Self { pid, socket_dir })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_postmaster_file_gives_process_and_socket() {
        let file = "4242\n/d/data\n1700000000\n5432\n/d/socket\n\n  123 4\nready   \n";
        assert_eq!(Postmaster::parse(file), Some(Postmaster { pid: 4242, socket_dir: PathBuf::from("/d/socket") }));
        assert_eq!(Postmaster::parse(""), None);
    }
}
