//! `restore`: fills an empty database from a backup, whole or not at all. From its first change to its last the database is
//! marked, and nothing else works with it: killed at any point, it is run again, or undone.

use super::archive::{self, Client, Manifest, Program};
use super::database::{Database, Use, say_silent};
use super::say;
use crate::app::{Actor, audit};
use crate::config::DataArgs;
use anyhow::{Context as _, bail};
use proxima_db::anchor::{self, Stale};
use proxima_db::backup::{self, Destination};
use proxima_db::{PgConnection, pulse};
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
    #[arg(required_unless_present = "undo")]
    file: Option<PathBuf>,
    /// The file is the standard input: root opened it before it became the data folder's owner.
    #[arg(long, hide = true)]
    opened: bool,
    /// Replace what the database holds. Asks for the database's name; scripts give it with --confirm.
    #[arg(long)]
    replace: bool,
    /// With --replace: the name of the database that is replaced.
    #[arg(long, requires = "replace")]
    confirm: Option<String>,
    /// Have the database as it was before a restore that did not finish.
    #[arg(long, conflicts_with_all = ["file", "replace"])]
    undo: bool,
}

impl Args {
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn open(&self, file: &Path) -> std::io::Result<File> {
        if self.opened { Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?)) } else { File::open(file) }
    }
}

/// What came of it.
struct Restored {
    incarnation: i32,
    stale: Stale,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Some(path) = &args.file else { return undo(&args).await };
    let shown = path.display();
    let file = args.open(path).with_context(|| format!("cannot read {shown}"))?;
    // To its end, before anything is touched.
    let manifest = archive::read(&file, &mut std::io::sink()).with_context(|| format!("{shown} is not restored"))?;
    if manifest.migration > backup::known_migration() {
        bail!(
            "{shown} was made by version {} with a newer schema: install that version, or a newer one",
            manifest.version
        );
    }
    let database = Database::connect(&args.data, 2, Use::Setup).await?;
    let work = restore(&args, path, file, &manifest, &database);
    let restored = pulse::attend_to_the_end(&database.url, work, say_silent).await;
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

async fn undo(args: &Args) -> anyhow::Result<()> {
    let database = Database::connect(&args.data, 2, Use::Command).await?;
    let undone = async {
        let mut connection = database.pool.acquire().await?;
        alone(&mut connection).await?;
        anyhow::Ok(backup::undo_restore(&mut connection).await?)
    };
    let undone = pulse::attend(&database.url, undone).await?;
    database.close().await?;
    say(if undone? {
        "The database is as it was before the restore."
    } else {
        "There is nothing to undo: no restore is unfinished. The database was not changed."
    })
}

async fn alone(connection: &mut PgConnection) -> anyhow::Result<()> {
    if !backup::restore_alone(connection).await? {
        bail!("another restore works on this database: wait for its end");
    }
    Ok(())
}

async fn restore(
    args: &Args,
    path: &Path,
    file: File,
    manifest: &Manifest,
    database: &Database,
) -> anyhow::Result<Restored> {
    let mut connection = database.pool.acquire().await?;
    alone(&mut connection).await?;
    let destination = backup::destination(&mut connection).await?;
    // What there was to confirm was confirmed to the one before.
    let again = backup::unfinished(&mut connection).await?.is_some();
    if !again && backup::running_dashboards(&mut connection).await? > 0 {
        bail!(
            "a dashboard runs on the database {}: stop every dashboard first (30 s after a crash it counts as stopped)",
            destination.name
        );
    }
    if !again && destination.tables > 0 {
        confirm(args, &destination)?;
    }
    let command = Client::new(&database.url)?.command(Program::Restore, destination.postgres / 10_000)?;
    backup::begin_restore(&mut connection, &path.display().to_string()).await?;
    match fill_and_end(file, command, manifest, database).await {
        Ok(restored) => Ok(restored),
        Err(error) => Err(match backup::undo_restore(&mut connection).await {
            Ok(true) => error.context("the database is as it was"),
            Ok(false) => error.context("it is not known whether the restore was finished: look with `doctor`"),
            Err(undone) => error.context(format!(
                "nor could the database be put back ({undone}): run this again, or `proxima-dashboard restore --undo`"
            )),
        }),
    }
}

async fn fill_and_end(
    file: File,
    mut command: Command,
    manifest: &Manifest,
    database: &Database,
) -> anyhow::Result<Restored> {
    command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]);
    tokio::task::spawn_blocking(move || fill(&file, command)).await??;
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
    backup::end_restore(&mut tx).await?;
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
