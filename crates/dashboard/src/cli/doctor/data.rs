//! The data folder, the key file and the database.

use super::Finding;
use crate::app::{App, audit_chain, keys};
use crate::cli::database::{Database, must_be_whole};
use crate::config::{AppConfig, DataArgs};
use crate::entropy::OsEntropy;
use crate::keyring::Keyring;
use crate::sentence::{io_reason, sentence};
use proxima_db::{pool, servers, users};
use rustls::pki_types::UnixTime;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

/// Below it PostgreSQL may soon stop, in MiB.
const SPACE_LEAST: u64 = 1024;
/// Beyond it dates in the log and those in the database confuse whoever compares them, in seconds.
const SKEW_MOST: i64 = 5;
/// A database farther away than this makes every page slow, in milliseconds.
const FAR: u128 = 50;

pub(super) fn folder(args: &DataArgs) -> Finding {
    let shown = args.data_dir.display();
    let found = match std::fs::metadata(&args.data_dir) {
        Ok(metadata) if metadata.mode() & 0o022 != 0 => {
            Err(format!("{shown} can be written by others: run `chmod go-w {shown}`"))
        }
        Ok(_) => Ok(format!("{shown}")),
        Err(error) => Err(format!("cannot read {shown}: {}. Choose it with --data-dir", io_reason(&error))),
    };
    Finding::of("data folder", found)
}

pub(super) fn space(args: &DataArgs) -> Finding {
    let found = match rustix::fs::statvfs(&args.data_dir) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024);
            if free < SPACE_LEAST {
                Err(format!(
                    "{free} MiB are free in {}: make room, PostgreSQL stops without it",
                    args.data_dir.display()
                ))
            } else {
                Ok(format!("{free} MiB are free"))
            }
        }
        Err(error) => Err(format!("cannot be told: {}", io_reason(&error.into()))),
    };
    Finding::of("disk", found)
}

pub(super) async fn database(args: &DataArgs, database: &Database) -> Vec<Finding> {
    let schema = schema(database).await;
    let current = schema.is_ok();
    let mut findings = vec![Finding::of("database", schema)];
    if current {
        findings.push(server(database).await);
        findings.extend(unprotected(database));
        findings.push(skew(database).await);
        findings.push(key_file(args, database).await);
        findings.push(admins(database).await);
        findings.extend(log_and_anchor(args, database).await);
    }
    findings
}

async fn schema(database: &Database) -> Result<String, String> {
    must_be_whole(&database.pool).await.map_err(|unfinished| unfinished.to_string())?;
    match pool::missing_migrations(&database.pool).await {
        Ok(0) => Ok("reachable, schema up to date".to_owned()),
        Ok(count) => Err(format!("its schema lacks {count} changes: run `proxima-dashboard migrate`")),
        Err(error) => Err(error.to_string()),
    }
}

async fn server(database: &Database) -> Finding {
    let name = "PostgreSQL";
    let started = std::time::Instant::now();
    match pool::facts(&database.pool).await {
        Err(error) => Finding::problem(name, error.to_string()),
        Ok(facts) => {
            let (took, size) = (started.elapsed().as_millis(), facts.bytes / (1024 * 1024));
            let text = format!("version {}, {size} MiB, answers in {took} ms", facts.version);
            match (facts.read_only, took > FAR) {
                (true, _) => {
                    Finding::problem(name, format!("{text}; it is read-only: point database_url at the primary"))
                }
                (_, true) => Finding::note(name, format!("{text}: far away, every page waits for it several times")),
                _ => Finding::ok(name, text),
            }
        }
    }
}

fn unprotected(database: &Database) -> Option<Finding> {
    let host = pool::unprotected_host(&database.url)?;
    let text = format!(
        "the connection to {host} can be read or answered by whoever stands in between: add sslmode=verify-full to its URL, and \
         sslrootcert=FILE for an authority of your own, unless nobody else is on that network"
    );
    Some(Finding::note("PostgreSQL", text))
}

/// Grace and sessions are judged by the database's clock alone, so a skew misleads people only.
async fn skew(database: &Database) -> Finding {
    let name = "clocks";
    match proxima_db::now(&database.pool).await {
        Err(error) => Finding::problem(name, error.to_string()),
        Ok(theirs) => {
            let ours = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
            let skew = theirs.timestamp().saturating_sub(ours);
            if skew.abs() > SKEW_MOST {
                let which = if skew > 0 { "ahead of" } else { "behind" };
                let text = format!("the database's is {} s {which} this machine's: synchronise both", skew.abs());
                Finding::problem(name, text)
            } else {
                Finding::ok(name, "the database's and this machine's agree")
            }
        }
    }
}

async fn key_file(args: &DataArgs, database: &Database) -> Finding {
    let path = args.key_file();
    let found = if path.exists() {
        match held_keys(args, database).await {
            Ok(problems) if problems.is_empty() => {
                Ok(format!("{}, with every key that the database names", path.display()))
            }
            Ok(problems) => Err(problems.join("; ")),
            Err(error) => Err(sentence(&error)),
        }
    } else {
        match servers::any(&database.pool).await {
            Ok(false) => Ok("none yet; the first start makes it".to_owned()),
            _ => Err(format!("{} is missing: put it back from your backup", path.display())),
        }
    };
    Finding::of("key file", found)
}

/// What is missing or wrong, when the database says which keys it needs.
async fn held_keys(args: &DataArgs, database: &Database) -> anyhow::Result<Vec<String>> {
    let keyring = Keyring::load(&args.key_file())?;
    let mut connection = database.pool.acquire().await?;
    keyring.follow(keys::ledger(&mut connection).await?);
    Ok(keyring.problems())
}

async fn admins(database: &Database) -> Finding {
    let found = match users::count_admins(&database.pool).await {
        Ok(0) => Err("there is none: run `proxima-dashboard create-admin`".to_owned()),
        Ok(count) => Ok(count.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Finding::of("admins", found)
}

/// The whole log against its head and the anchor; then whether the database is the one that the anchor knows.
async fn log_and_anchor(args: &DataArgs, database: &Database) -> Vec<Finding> {
    let (log, anchor) = ("audit log", "anchor");
    if !args.key_file().exists() {
        return vec![Finding::ok(anchor, "none yet; the first start makes it")];
    }
    let app = Keyring::load(&args.key_file()).and_then(|keyring| {
        let config = AppConfig { anchor_folder: Some(args.data_dir.clone()), ..AppConfig::default() };
        App::new(database.pool.clone(), keyring, Arc::new(OsEntropy), config)
    });
    let app = match app {
        Ok(app) => app,
        // What is wrong with the key file was said.
        Err(_) => return vec![Finding::problem(anchor, "cannot be read without the key file")],
    };
    let chain = match audit_chain::verify(&app, |_, _| ()).await {
        Ok(Ok(_)) => Ok("its chain of hashes holds".to_owned()),
        Ok(Err(tampering)) => Err(tampering.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let known = match app.anchor.compare(&database.pool).await {
        Ok(Ok(())) => Ok(match app.anchor.report().mark {
            Some(mark) => format!("the database holds audit row {}, the last one known", mark.audit_id),
            None => "none yet; the next start makes it".to_owned(),
        }),
        Ok(Err(lag)) => Err(lag.sentence),
        Err(error) => Err(error.to_string()),
    };
    vec![Finding::of(log, chain), Finding::of(anchor, known)]
}
