//! `doctor`: looks at an installation and says what to mend. Changes nothing.

use super::database::{Database, Use};
use super::{Refusal, say};
use crate::config::DataArgs;
use crate::keyring::Keyring;
use proxima_db::{audit, servers, users};
use std::os::unix::fs::MetadataExt as _;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
}

/// What a check found: a fact, or what to mend.
type Finding = Result<String, String>;

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let mut findings = vec![data_folder(&args.data)];
    if Database::is_to_be_made(&args.data) {
        findings.push(Ok("database: none yet; the first start makes it in the data folder".to_owned()));
        return report(findings);
    }
    match Database::connect(&args.data, 2, Use::Command).await {
        Err(error) => findings.push(Err(format!("database: {error:#}"))),
        Ok(database) => {
            let schema = schema(&database).await;
            let current = schema.is_ok();
            findings.push(schema);
            if current {
                findings.push(key_file(&args.data, &database).await);
                findings.push(admins(&database).await);
                findings.push(audit_chain(&database).await);
            }
            database.close().await?;
        }
    }
    report(findings)
}

fn report(findings: Vec<Finding>) -> anyhow::Result<()> {
    let problems = findings.iter().filter(|finding| finding.is_err()).count();
    for finding in findings {
        match finding {
            Ok(fact) => say(&format!("ok       {fact}"))?,
            Err(problem) => say(&format!("PROBLEM  {problem}"))?,
        }
    }
    match problems {
        0 => say("Nothing to mend."),
        count => Err(Refusal { message: format!("{count} to mend"), code: 1 }.into()),
    }
}

fn data_folder(args: &DataArgs) -> Finding {
    let shown = args.data_dir.display();
    match std::fs::metadata(&args.data_dir) {
        Ok(metadata) if metadata.mode() & 0o022 != 0 => {
            Err(format!("data folder: {shown} can be written by others: run `chmod go-w {shown}`"))
        }
        Ok(_) => Ok(format!("data folder: {shown}")),
        Err(error) => Err(format!("data folder: cannot read {shown}: {error}. Choose it with --data-dir")),
    }
}

async fn schema(database: &Database) -> Finding {
    match proxima_db::pool::missing_migrations(&database.pool).await {
        Ok(0) => Ok("database: reachable, schema up to date".to_owned()),
        Ok(count) => Err(format!("database: its schema lacks {count} changes: run `proxima-dashboard migrate`")),
        Err(error) => Err(format!("database: {error}")),
    }
}

async fn key_file(args: &DataArgs, database: &Database) -> Finding {
    let path = args.key_file();
    if !path.exists() {
        return match servers::any(&database.pool).await {
            Ok(false) => Ok("key file: none yet; the first start makes it".to_owned()),
            _ => Err(format!("key file: {} is missing: put it back from your backup", path.display())),
        };
    }
    match Keyring::load(&path) {
        Ok(_) => Ok(format!("key file: {}", path.display())),
        Err(error) => Err(format!("key file: {error:#}")),
    }
}

async fn admins(database: &Database) -> Finding {
    match users::count_admins(&database.pool).await {
        Ok(0) => Err("admins: there is none: run `proxima-dashboard create-admin`".to_owned()),
        Ok(count) => Ok(format!("admins: {count}")),
        Err(error) => Err(format!("admins: {error}")),
    }
}

async fn audit_chain(database: &Database) -> Finding {
    match audit::first_broken(&database.pool).await {
        Ok(None) => Ok("audit log: its chain of hashes holds".to_owned()),
        Ok(Some(row)) => Err(format!("audit log: row {row} does not follow from the one before: the log was changed")),
        Err(error) => Err(format!("audit log: {error}")),
    }
}
