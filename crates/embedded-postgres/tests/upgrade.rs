//! A move to another major version, for real but for the version: from the installed one to the same. With two versions it is done in the
//! lab (`vps_lab_an_upgraded_debian…`).

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proxima_embedded_postgres::{EmbeddedPostgres, Error, Moved, Options, Upgrade};
use sqlx::{Connection, PgConnection};

const HELPER: &str = "PROXIMA_TEST_UPGRADE_FOLDER";
const FACTS: &str = "select count(*) || ' ' || coalesce(string_agg(what, ',' order by what), '') from kept";

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

    /// With a table, and with settings of a person's own.
    async fn filled(name: &str) -> Self {
        let folder = Self::new(name);
        let postgres = EmbeddedPostgres::start(&folder.postgres(), options()).await.expect("starts");
        execute(&postgres.url(), "create table kept (what text); insert into kept values ('one'), ('two')").await;
        postgres.stop().await.expect("stops");
        let conf = folder.postgres().join("data/postgresql.conf");
        let text = fs::read_to_string(&conf).expect("its settings") + "log_min_duration_statement = 4321\n";
        fs::write(&conf, text).expect("a setting of a person's own");
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options() -> Options {
    Options::default().fsync(false).start_timeout(Duration::from_secs(60)).upgrade_to_any_major(true)
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

async fn facts(url: String) -> Result<String, sqlx::Error> {
    query(&url, FACTS).await
}

async fn upgrade(folder: &Path) -> Moved {
    match Upgrade::find(folder, options()).await.expect("finds") {
        Upgrade::Possible(upgrade) => upgrade.run(facts, |_| ()).await.expect("moves"),
        Upgrade::Finished(moved) => moved,
        Upgrade::Nothing => panic!("there is data to move"),
    }
}

async fn assert_whole(folder: &Path) {
    let postgres = EmbeddedPostgres::start(folder, options()).await.expect("starts");
    assert_eq!(query(&postgres.url(), FACTS).await.expect("answers"), "2 one,two");
    let setting = query(&postgres.url(), "show log_min_duration_statement").await.expect("answers");
    assert_eq!(setting, "4321ms", "a person's own setting");
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn data_moves_whole_or_not_at_all() {
    let folder = Folder::filled("upgrade").await;
    let postgres = folder.postgres();

    // Somebody writes meanwhile: what is compared differs.
    let Upgrade::Possible(upgrading) = Upgrade::find(&postgres, options()).await.expect("finds") else {
        panic!("there is data to move")
    };
    let beside = EmbeddedPostgres::start(&postgres, options()).await.expect_err("locked");
    assert!(matches!(beside, Error::Locked { .. }), "{beside}");
    let asked = std::sync::atomic::AtomicU32::new(0);
    let other = async |_: String| Ok::<_, Error>(asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
    let refused = upgrading.run(other, |_| ()).await.expect_err("another answer");
    assert!(matches!(refused, Error::Differs { .. }), "{refused}");
    assert!(!postgres.join(format!("data.{}", major(&postgres))).exists());
    assert_whole(&postgres).await;

    let moved = upgrade(&postgres).await;
    assert_eq!((moved.from, moved.to), (major(&postgres), major(&postgres)));
    assert_eq!(moved.former, postgres.canonicalize().expect("there").join(format!("data.{}", moved.from)));
    assert!(moved.former.join("PG_VERSION").exists() && !postgres.join("data.upgrade").exists());
    assert_whole(&postgres).await;
    let again = Upgrade::find(&postgres, options()).await.expect_err("the former data is in the way").to_string();
    assert!(again.contains("rm -r "), "{again}");

    // As a kill between the exchange and the end leaves it.
    fs::rename(&moved.former, postgres.join("data.upgrade")).expect("renamed");
    fs::write(postgres.join("data/upgraded-from"), moved.from.to_string()).expect("written");
    assert_eq!(upgrade(&postgres).await, moved);
    assert!(moved.former.exists() && !postgres.join("data/upgraded-from").exists());
    assert_whole(&postgres).await;
}

fn major(folder: &Path) -> u32 {
    fs::read_to_string(folder.join("data/PG_VERSION")).expect("data").trim().parse().expect("a number")
}

#[tokio::test]
async fn nothing_to_move_is_said() {
    let folder = Folder::new("no-upgrade");
    assert!(matches!(Upgrade::find(&folder.postgres(), options()).await, Ok(Upgrade::Nothing)), "no data");
    assert!(!folder.postgres().exists(), "and none was made");
}

/// Moves the data in a process of its own, when the test below asks for it; says each step in a file.
#[tokio::test]
async fn helper_process() {
    let Some(folder) = std::env::var_os(HELPER) else { return };
    let folder = PathBuf::from(folder);
    if let Ok(Upgrade::Possible(upgrade)) = Upgrade::find(&folder, options()).await {
        let said = |step: &str| fs::write(folder.join("step"), step).expect("written");
        let _ = upgrade.run(facts, said).await;
    }
}

fn elsewhere(folder: &Path) -> Child {
    let _ = fs::remove_file(folder.join("step"));
    Command::new(std::env::current_exe().expect("itself"))
        .args(["--exact", "helper_process"])
        .env(HELPER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// SIGKILL after each step and some time; every second time the dashboard is started before the next try.
#[tokio::test]
async fn a_move_that_is_killed_loses_nothing_kill_matrix() {
    let full = std::env::var_os("PROXIMA_TEST_FULL").is_some_and(|value| value == "1");
    let waits: Vec<u64> = if full { (0..40).map(|n| n * 150).collect() } else { vec![700] };
    let folder = Folder::filled("upgrade-killed").await;
    let postgres = folder.postgres();
    for (round, wait) in waits.into_iter().enumerate() {
        let mut child = elsewhere(&postgres);
        while !postgres.join("step").exists() && child.try_wait().expect("its state").is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        child.kill().expect("kill -9");
        child.wait().expect("ended");
        if round % 2 == 0 {
            assert_whole(&postgres).await;
        }
        // Moved already: once more from the same data.
        if let Ok(Upgrade::Finished(_)) | Err(Error::FormerData { .. }) = Upgrade::find(&postgres, options()).await {
            fs::remove_dir_all(postgres.join(format!("data.{}", major(&postgres)))).expect("the former data is there");
        }
    }
    upgrade(&postgres).await;
    assert_whole(&postgres).await;
}
