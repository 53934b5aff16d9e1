//! The embedded server for real: started, stopped, killed, adopted.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proxima_embedded_postgres::{EmbeddedPostgres, Error, Options, Upgrade};
use sqlx::{Connection, PgConnection};

const HELPER: &str = "PROXIMA_TEST_SUPERVISE_FOLDER";

/// A folder that the server's user can reach, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/proxima-test-{name}-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o755).create(&path).expect("a fresh folder in /tmp");
        Self(path)
    }

    fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn options() -> Options {
    Options::default().fsync(false).start_timeout(Duration::from_secs(60))
}

async fn start(folder: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(folder, options()).await.expect("PostgreSQL starts")
}

async fn query(url: &str, sql: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let value = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(value)
}

async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
    connection.close().await.expect("closes");
}

fn server_pid(folder: &Path) -> i32 {
    let file = fs::read_to_string(folder.join("data/postmaster.pid")).expect("the server runs");
    file.lines().next().expect("a first line").parse().expect("a number")
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

/// Supervises a server until it is killed, when the tests below ask for it in a process of its own; otherwise does nothing.
#[tokio::test]
async fn helper_process() {
    let Some(folder) = std::env::var_os(HELPER) else { return };
    let postgres = start(Path::new(&folder)).await;
    fs::write(Path::new(&folder).join("ready"), postgres.url()).expect("reports");
    tokio::time::sleep(Duration::from_secs(120)).await;
}

async fn supervise_elsewhere(folder: &Path, program: &Path, user: Option<(u32, u32)>) -> Child {
    let mut command = Command::new(program);
    command.args(["--exact", "helper_process"]).env(HELPER, folder).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let mut child = command.spawn().expect("starts");
    for _ in 0..600 {
        if folder.join("ready").exists() {
            return child;
        }
        assert!(child.try_wait().expect("waits").is_none(), "the supervising process ended early");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the supervising process was never ready");
}

#[tokio::test]
async fn data_outlives_a_stop_and_a_start() {
    let folder = Folder::new("restart");
    let postgres = start(&folder.postgres()).await;
    assert!(postgres.major() >= 15);
    let settings = "select string_agg(setting, ' ' order by name) from pg_settings
        where name in ('data_checksums', 'listen_addresses', 'server_encoding', 'max_connections')";
    assert_eq!(query(&postgres.url(), settings).await.expect("answers"), "on  100 UTF8");
    execute(&postgres.url(), "create table kept (what text); insert into kept values ('all of it')").await;
    let url = postgres.url();
    postgres.stop().await.expect("stops");
    assert!(query(&url, "select 'up'").await.is_err(), "nothing answers after the stop");
    assert!(!folder.postgres().join("data/postmaster.pid").exists());

    let postgres = start(&folder.postgres()).await;
    assert_eq!(query(&postgres.url(), "select what from kept").await.expect("kept"), "all of it");
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn the_server_is_unprivileged_and_its_folders_are_closed() {
    let folder = Folder::new("closed");
    let postgres = start(&folder.postgres()).await;
    let status = fs::read_to_string(format!("/proc/{}/status", server_pid(&folder.postgres()))).expect("status");
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("a field").trim().to_owned();
    assert!(!field("Uid:").split_whitespace().any(|uid| uid == "0"), "{status}");
    assert!(!field("Gid:").split_whitespace().any(|gid| gid == "0"), "{status}");
    if is_root() {
        assert_eq!(field("Groups:"), "", "supplementary groups are dropped");
    }
    for closed in [folder.postgres().join("data"), postgres.socket_dir().to_owned()] {
        assert_eq!(fs::metadata(&closed).expect("there").permissions().mode() & 0o777, 0o700, "{}", closed.display());
    }
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn a_server_whose_supervisor_was_killed_is_adopted() {
    let folder = Folder::new("adopted");
    let mut supervisor = supervise_elsewhere(&folder.postgres(), &std::env::current_exe().expect("itself"), None).await;
    let pid = server_pid(&folder.postgres());
    let refused = EmbeddedPostgres::start(&folder.postgres(), options()).await.expect_err("supervised elsewhere");
    assert!(matches!(refused, Error::Locked { .. }), "{refused}");
    let refused = Upgrade::find(&folder.postgres(), options()).await.expect_err("in use");
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("systemctl stop proxima-dashboard"), "{refused}");

    let guest = EmbeddedPostgres::attach_or_start(&folder.postgres(), options()).await.expect("attaches");
    assert_eq!(query(&guest.url(), "select 'guest'").await.expect("answers"), "guest");
    guest.stop().await.expect("leaves it alone");
    assert_eq!(server_pid(&folder.postgres()), pid);

    supervisor.kill().expect("kill -9");
    supervisor.wait().expect("ended");
    let postgres = start(&folder.postgres()).await;
    assert_eq!(server_pid(&folder.postgres()), pid, "the same server, not a new one");
    assert_eq!(query(&postgres.url(), "select 'adopted'").await.expect("answers"), "adopted");
    postgres.stop().await.expect("stops");
    assert!(!folder.postgres().join("data/postmaster.pid").exists());
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let folder = Folder::new("killed");
    // The hard case, a container's first process: the dead server is nobody else's to take leave of.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("becomes the parent of orphans");
    let postgres = start(&folder.postgres()).await;
    execute(&postgres.url(), "create table kept (what text); insert into kept values ('committed')").await;
    for round in 1..=2 {
        kill(server_pid(&folder.postgres()));
        for _ in 0..300 {
            if postgres.restarts() >= round {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(postgres.restarts(), round);
        assert_eq!(query(&postgres.url(), "select what from kept").await.expect("answers again"), "committed");
    }
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn a_short_command_starts_and_stops_its_own_server() {
    let folder = Folder::new("own");
    let postgres = EmbeddedPostgres::attach_or_start(&folder.postgres(), options()).await.expect("starts");
    assert_eq!(query(&postgres.url(), "select 'own'").await.expect("answers"), "own");
    postgres.stop().await.expect("stops");
    assert!(!folder.postgres().join("data/postmaster.pid").exists());
}

#[tokio::test]
async fn an_interrupted_creation_is_begun_again() {
    let folder = Folder::new("interrupted");
    let half = folder.postgres().join("data.unfinished");
    fs::DirBuilder::new().recursive(true).mode(0o755).create(half.join("base")).expect("half a cluster");
    fs::write(half.join("PG_VERSION"), "15\n").expect("a file of it");
    let postgres = start(&folder.postgres()).await;
    assert!(!half.exists());
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn a_deep_folder_gets_a_short_socket() {
    let folder = Folder::new("deep");
    let deep = folder.postgres().join("a-long-name-to-fill-the-address".repeat(4)).join("with spaces + more");
    let postgres = start(&deep).await;
    let socket_dir = postgres.socket_dir().to_owned();
    assert!(socket_dir.as_os_str().len() < 90 && !socket_dir.starts_with(&deep), "{}", socket_dir.display());
    assert_eq!(query(&postgres.url(), "select 'short'").await.expect("answers"), "short");
    postgres.stop().await.expect("stops");

    fs::set_permissions(&socket_dir, fs::Permissions::from_mode(0o755)).expect("opened up");
    let refused = EmbeddedPostgres::start(&deep, options()).await.expect_err("an open socket directory");
    assert!(refused.to_string().contains("other users may enter it"), "{refused}");
    fs::remove_dir_all(&socket_dir).expect("tidied");
}

#[tokio::test]
async fn a_special_character_in_the_path_reaches_the_url_encoded() {
    let folder = Folder::new("special");
    let odd = folder.0.join("ü + &%20");
    let postgres = start(&odd).await;
    assert_eq!(query(&postgres.url(), "select 'odd'").await.expect("answers"), "odd");
    postgres.stop().await.expect("stops");
    let quoted = EmbeddedPostgres::start(&folder.0.join("$(id)"), options()).await.expect_err("refused");
    assert!(matches!(quoted, Error::UnusablePath(_)), "{quoted}");
}

#[tokio::test]
async fn data_of_another_major_version_is_named_with_the_remedy() {
    let folder = Folder::new("major");
    fs::create_dir_all(folder.postgres().join("data")).expect("made");
    fs::write(folder.postgres().join("data/PG_VERSION"), "9\n").expect("written");
    let error = EmbeddedPostgres::start(&folder.postgres(), options()).await.expect_err("no such server").to_string();
    assert!(error.contains("was written by PostgreSQL 9, but only"), "{error}");
    assert!(error.contains("apt-get install postgresql-9"), "{error}");
}

#[tokio::test]
async fn damaged_data_is_reported_in_one_sentence() {
    let folder = Folder::new("damaged");
    start(&folder.postgres()).await.stop().await.expect("stops");
    fs::remove_file(folder.postgres().join("data/global/pg_control")).expect("damaged");
    let error = EmbeddedPostgres::start(&folder.postgres(), options()).await.expect_err("damaged").to_string();
    assert!(error.starts_with("PostgreSQL's start failed: ") && error.contains("pg_control"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[tokio::test]
async fn a_frozen_server_is_said_to_be_frozen() {
    let folder = Folder::new("frozen");
    let postgres = start(&folder.postgres()).await;
    let signal = |signal| {
        let pid = rustix::process::Pid::from_raw(server_pid(&folder.postgres())).expect("a process");
        rustix::process::kill_process(pid, signal).expect("signalled");
    };
    signal(rustix::process::Signal::STOP);
    let beside = EmbeddedPostgres::attach_or_start(&folder.postgres(), options()).await;
    signal(rustix::process::Signal::CONT);
    let error = beside.expect_err("nobody answers");
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    assert!(error.to_string().contains("kill -CONT"), "{error}");
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn root_needs_a_reachable_folder_and_an_unprivileged_user() {
    if !is_root() {
        return;
    }
    let folder = Folder::new("unreachable");
    let closed = folder.0.join("closed");
    fs::DirBuilder::new().mode(0o700).create(&closed).expect("made");
    let error =
        EmbeddedPostgres::start(&closed.join("postgres"), options()).await.expect_err("cannot pass").to_string();
    assert!(error.contains(&format!("cannot enter {}; choose a data folder elsewhere", closed.display())), "{error}");
    for user in ["root", "nobody-of-this-name"] {
        let error =
            EmbeddedPostgres::start(&folder.postgres(), options().server_user(user)).await.expect_err("no user");
        assert!(matches!(error, Error::NoServerUser { .. }), "{error}");
    }
}

#[tokio::test]
async fn without_root_the_server_runs_as_its_supervisor() {
    if !is_root() {
        return;
    }
    let folder = Folder::new("nonroot");
    let program = folder.0.join("program");
    fs::copy(std::env::current_exe().expect("itself"), &program).expect("a copy that everyone may run");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::create_dir(folder.postgres()).expect("made");
    let nobody = (65534, 65534);
    std::os::unix::fs::chown(folder.postgres(), Some(nobody.0), Some(nobody.1)).expect("given");
    let mut supervisor = supervise_elsewhere(&folder.postgres(), &program, Some(nobody)).await;
    let url = fs::read_to_string(folder.postgres().join("ready")).expect("its URL");
    assert_eq!(query(&url, "select 'nobody'").await.expect("answers"), "nobody");
    let status = fs::read_to_string(format!("/proc/{}/status", server_pid(&folder.postgres()))).expect("status");
    assert!(status.contains("Uid:\t65534\t65534"), "{status}");
    let pid = server_pid(&folder.postgres());
    supervisor.kill().expect("kill -9");
    supervisor.wait().expect("ended");
    kill(pid);
}
