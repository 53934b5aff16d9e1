//! `restore`: fills an empty database from a backup, whole or not at all.

use super::archive::{self, Client, Manifest, Program};
use super::database::{Database, Use};
use super::say;
use crate::app::{Actor, audit};
use crate::config::DataArgs;
use anyhow::{Context as _, bail};
use proxima_db::anchor::{self, Stale};
use proxima_db::backup::{self, Destination};
use serde_json::json;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// The file that `backup` wrote.
    file: PathBuf,
    /// The file is the standard input: root opened it before it became the data folder's owner.
    #[arg(long, hide = true)]
    opened: bool,
    /// Replace what the database holds. Asks for the database's name; scripts give it with --confirm.
    #[arg(long)]
    replace: bool,
    /// With --replace: the name of the database that is replaced.
    #[arg(long, requires = "replace")]
    confirm: Option<String>,
}

impl Args {
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    fn open(&self) -> std::io::Result<File> {
        if self.opened {
            Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
        } else {
            File::open(&self.file)
        }
    }
}

/// What came of it.
struct Restored {
    incarnation: i32,
    stale: Stale,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let shown = args.file.display();
    let file = args.open().with_context(|| format!("cannot read {shown}"))?;
    // To its end, before anything is touched.
    let manifest = archive::read(&file, &mut std::io::sink()).with_context(|| format!("{shown} is not restored"))?;
    if manifest.migration > backup::known_migration() {
        bail!(
            "{shown} was made by version {} with a newer schema: install that version, or a newer one",
            manifest.version
        );
    }
    let database = Database::connect(&args.data, 2, Use::Command).await?;
    let restored = restore(&args, file, &manifest, &database).await;
    database.close().await?;
    let Restored { incarnation, stale } = restored?;
    say(&format!(
        "Restored {shown} of {}: {} users, {} servers, the audit log to row {}.",
        manifest.taken_at.format("%Y-%m-%d %H:%M UTC"),
        manifest.users,
        manifest.servers,
        manifest.audit_id
    ))?;
    say(&format!(
        "Its configurations are incarnation {incarnation}: gateways take them, whichever they have now. {} jobs, {} sign-ins and {} install \
         commands of then were ended.",
        stale.jobs, stale.sessions, stale.install_tokens
    ))?;
    say(&format!(
        "The key file is not in a backup: {} has to be the one of then. Gateways get no verdict until \
         `proxima-dashboard accept-restore` was run, where this dashboard knows of anything newer.",
        args.data.key_file().display()
    ))
}

async fn restore(args: &Args, file: File, manifest: &Manifest, database: &Database) -> anyhow::Result<Restored> {
    let mut connection = database.pool.acquire().await?;
    let destination = backup::destination(&mut connection).await?;
    if backup::running_dashboards(&mut connection).await? > 0 {
        bail!(
            "a dashboard runs on the database {}: stop every dashboard first (30 s after a crash it counts as stopped)",
            destination.name
        );
    }
    if destination.tables > 0 {
        confirm(args, &destination)?;
        // Of a restore that was killed; what it had put aside is the database as it was.
        backup::put_aside(&mut connection).await.context(
            "what the database holds cannot be put aside (a schema proxima_before_restore of a restore that was killed \
             holds the database of before it)",
        )?;
    }
    let mut command = Client::new(&database.url)?.command(Program::Restore, destination.postgres / 10_000)?;
    command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]);
    let filled = tokio::task::spawn_blocking(move || fill(&file, command)).await?;
    if let Err(error) = filled {
        if destination.tables > 0 {
            backup::put_back(&mut connection).await?;
        }
        return Err(error.context("the database is as it was"));
    }
    backup::drop_aside(&mut connection).await?;
    drop(connection);
    proxima_db::migrate(&database.pool).await.context("the restored schema could not be brought up to date")?;
    let mut tx = database.pool.begin().await?;
    backup::forget_dashboards(&mut tx).await?;
    // Also where no anchor knows anything newer: gateways may, and what was under way at the backup is not any more.
    let incarnation = anchor::open_incarnation(&mut tx, 0).await?;
    let stale = anchor::end_stale(&mut tx).await?;
    let metadata = json!({
        "takenAt": manifest.taken_at, "auditRow": manifest.audit_id, "version": manifest.version, "incarnation": incarnation,
        "jobsEnded": stale.jobs, "sessionsEnded": stale.sessions,
    });
    audit::succeeded(&mut tx, &Actor::console(), "database.restore", None, metadata).await?;
    tx.commit().await?;
    Ok(Restored { incarnation, stale })
}

fn confirm(args: &Args, destination: &Destination) -> anyhow::Result<()> {
    let name = &destination.name;
    if !args.replace {
        bail!("the database {name} is not empty: restore into an empty one, or replace it with --replace");
    }
    let given = match &args.confirm {
        Some(given) => given.clone(),
        None => typed(args, &format!("Everything in the database {name} will be replaced. Type its name: "))?,
    };
    if given != *name {
        bail!("nothing was changed: --replace needs the database's name, --confirm {name}");
    }
    Ok(())
}

/// What a person answers; nothing where nobody can be asked.
fn typed(args: &Args, question: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    if args.opened && std::io::stderr().is_terminal() {
        // The standard input is the backup.
        let Ok(terminal) = File::open("/dev/tty") else { return Ok(line) };
        write!(std::io::stderr(), "{question}")?;
        BufReader::new(terminal).read_line(&mut line)?;
    } else if !args.opened && std::io::stdin().is_terminal() {
        write!(std::io::stderr(), "{question}")?;
        std::io::stdin().read_line(&mut line)?;
    }
    Ok(line.trim().to_owned())
}

fn fill(file: &File, mut command: Command) -> anyhow::Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("pg_restore does not start")?;
    let mut input = child.stdin.take().context("pg_restore has no input")?;
    let read = archive::read(file, &mut input);
    drop(input);
    let finished = child.wait_with_output()?;
    if !finished.status.success() {
        bail!("pg_restore failed: {}", String::from_utf8_lossy(&finished.stderr).trim());
    }
    read.map(drop)
}
