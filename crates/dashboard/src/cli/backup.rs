//! `backup`: the whole database in one file, as it was at one moment, while dashboards run. Without the key file: whoever
//! finds the backup opens nothing with it.

use super::archive::{self, Client, Manifest, Program};
use super::database::{Database, Use, must_be_whole, say_silent};
use super::owner::not_written;
use super::say;
use crate::app::{Actor, audit};
use crate::config::DataArgs;
use crate::entropy::{EntropyExt as _, OsEntropy};
use anyhow::{Context as _, bail};
use proxima_db::backup::{self, Facts};
use proxima_db::pulse;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

#[derive(Debug, clap::Args)]
#[command(override_usage = "proxima-dashboard backup --output FILE [OPTIONS]\n\n\
                            FILE is made by it, for example /var/backups/proxima-dashboard/today.backup")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// The file to write, readable by its owner only; never replaces one.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let shown = args.output.display();
    if args.output.exists() {
        bail!("{shown} exists: choose another name");
    }
    let database = Database::connect(&args.data, 2, Use::Command).await?;
    if let Err(unfinished) = pulse::attend(&database.url, must_be_whole(&database.pool)).await? {
        database.close().await?;
        return Err(unfinished);
    }
    let made = pulse::attend_to_the_end(&database.url, make(&database, &args), say_silent).await;
    if made.is_err() {
        // Of the last one that was tried `doctor` knows how it went. Where even this fails, the reason is the same.
        let _ = note_failure(&database).await;
    }
    database.close().await?;
    let manifest = made.with_context(|| format!("no backup was made in {shown}"))?;
    say(&format!(
        "Wrote {shown}: {} users, {} servers, the audit log to row {}, {} bytes, SHA-256 of the dump {}.",
        manifest.users, manifest.servers, manifest.audit_id, manifest.dump_bytes, manifest.sha256
    ))?;
    say(&format!(
        "The key file is NOT in it. Keep a copy of {} apart from the backups: without it their secrets stay sealed, and \
         gateways take no verdict.",
        args.data.key_file().display()
    ))
}

async fn note_failure(database: &Database) -> anyhow::Result<()> {
    let mut tx = database.pool.begin().await?;
    audit::failed(&mut tx, &Actor::console(), "database.backup", None, json!({})).await?;
    Ok(tx.commit().await?)
}

async fn make(database: &Database, args: &Args) -> anyhow::Result<Manifest> {
    let output = &args.output;
    if proxima_db::pool::missing_migrations(&database.pool).await? > 0 {
        bail!("the database's schema is older than this program: run `proxima-dashboard migrate` first");
    }
    let temporary = output.with_extension(format!("{}.partial", OsEntropy.uuid()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
    let file = file.map_err(|error| anyhow::anyhow!(not_written(output, &args.data.data_dir, &error)))?;
    let made = fill(database, file).await.and_then(|manifest| {
        // Unlike a rename, a link does not replace a file that was made meanwhile.
        std::fs::hard_link(&temporary, output)?;
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(manifest)
    });
    let _ = std::fs::remove_file(&temporary);
    made
}

async fn fill(database: &Database, file: File) -> anyhow::Result<Manifest> {
    // First, so that the backup holds its own row.
    let mut tx = database.pool.begin().await?;
    audit::succeeded(&mut tx, &Actor::console(), "database.backup", None, json!({})).await?;
    tx.commit().await?;
    let (snapshot, facts) = backup::snapshot(&database.pool).await?;
    let mut command = Client::new(&database.url)?.command(Program::Dump, facts.postgres / 10_000)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges"]);
    command.arg(format!("--snapshot={}", facts.snapshot));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("pg_dump does not start")?;
    let written = tokio::task::spawn_blocking(move || dump(child, file, &facts)).await?;
    // It has to last for as long as the dump.
    snapshot.rollback().await?;
    written
}

fn dump(mut child: Child, file: File, facts: &Facts) -> anyhow::Result<Manifest> {
    let mut output = child.stdout.take().context("pg_dump has no output")?;
    let mut written = None;
    let result = archive::write(file, &mut output, |dump_bytes, sha256| {
        let manifest = Manifest {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: facts.taken_at,
            postgres: facts.postgres,
            migration: facts.migration,
            audit_id: facts.audit_id,
            audit_hash: hex::encode(&facts.audit_hash),
            users: facts.users,
            servers: facts.servers,
            dump_bytes,
            sha256,
        };
        written.insert(manifest).clone()
    });
    drop(output);
    let finished = child.wait_with_output()?;
    result?;
    if !finished.status.success() {
        bail!("pg_dump failed: {}", String::from_utf8_lossy(&finished.stderr).trim());
    }
    written.context("nothing was written")
}
