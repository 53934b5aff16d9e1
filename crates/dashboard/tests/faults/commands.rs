//! Commands while PostgreSQL is frozen: they end, and say so; and while it works they take as long as that takes.

use crate::postgres::{Postgres, url};
use crate::{PROGRAM, full};
use proxima_test_support::{Finished, Folder, PASSWORD, run_program};
use sqlx::{ConnectOptions as _, Connection as _};
use std::time::Duration;

async fn command(postgres: &Postgres, data: &Folder, args: &[&str], stdin: &str) -> Finished {
    let url = url(postgres.port);
    let place = ["--database-url", &url, "--data-dir", data.path().to_str().expect("utf-8")];
    run_program(PROGRAM, &[args, &place].concat(), stdin).await
}

/// A database with its schema, a key file and an admin.
async fn installed(postgres: &Postgres) -> Folder {
    let data = Folder::new();
    let made = command(postgres, &data, &["create-admin", "--password-stdin"], PASSWORD).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    data
}

#[tokio::test]
async fn a_command_says_that_postgresql_is_frozen() {
    let postgres = Postgres::start_new().await;
    let data = installed(&postgres).await;

    // Frozen in the middle of a statement, which waits for a table that somebody has locked.
    let mut other = postgres.options("proxima").connect().await.expect("a connection");
    let mut watcher = postgres.options("postgres").connect().await.expect("a connection");
    let mut lock = other.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE audit_log").execute(&mut *lock).await.expect("locked");
    let freeze = async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await.expect("told") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        postgres.freeze();
    };
    let (verified, ()) = tokio::join!(command(&postgres, &data, &["audit", "verify"], ""), freeze);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stderr.contains("PostgreSQL has not answered for 10 seconds"), "{verified:?}");

    // Frozen before they begin, each with its own way to the database.
    let file = data.join("a.backup");
    let backup = ["backup", "--output", file.to_str().expect("utf-8")];
    let (doctor, migrate, backup) = tokio::join!(
        command(&postgres, &data, &["doctor", "--json"], ""),
        command(&postgres, &data, &["migrate"], ""),
        command(&postgres, &data, &backup, ""),
    );
    for finished in [&migrate, &backup] {
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("does not answer: is it frozen"), "{finished:?}");
    }
    assert!(doctor.code == Some(1) && doctor.stdout.contains("does not answer: is it frozen"), "{doctor:?}");
    postgres.thaw();
}

/// Longer than a silence may be: what takes long is no silence.
#[tokio::test]
async fn kill_matrix_a_command_has_the_time_that_its_statement_takes() {
    if !full() {
        return;
    }
    let postgres = Postgres::start_new().await;
    let data = installed(&postgres).await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(14); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slow()";
    postgres.run("proxima", slow).await;
    let made = command(&postgres, &data, &["create-admin", "--username", "second", "--password-stdin"], PASSWORD).await;
    assert_eq!(made.code, Some(0), "{made:?}");
}
