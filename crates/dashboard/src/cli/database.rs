//! The database of a command: the one of `DATABASE_URL`, or the embedded one.

use crate::app::{App, keys};
use crate::config::{AppConfig, DataArgs};
use crate::entropy::OsEntropy;
use crate::keyring::Keyring;
use crate::sentence::io_reason;
use anyhow::Context as _;
use proxima_db::{DbError, PgPool, pulse};
use proxima_embedded_postgres::{EmbeddedPostgres, Options};
use std::io::Write as _;
use std::sync::Arc;

/// A pool, and the PostgreSQL that this process supervises for it, if any.
pub(crate) struct Database {
    pub pool: PgPool,
    /// With its password, if it has one.
    pub url: String,
    embedded: Option<EmbeddedPostgres>,
}

/// Whether this process is the dashboard itself, or a command beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Serve,
    /// A command that may come before the first start.
    Setup,
    /// A command of an installation. Where there is none it is refused: a mistyped folder would be made anew, and found in order.
    Command,
}

impl Database {
    /// Whether no `DATABASE_URL` is given and the data folder has no PostgreSQL yet.
    pub(crate) fn is_to_be_made(args: &DataArgs) -> bool {
        args.database_url.is_none() && !args.postgres_folder().exists()
    }

    /// Connects, and brings the schema up to date. Refuses a database whose restore has not finished.
    pub(crate) async fn open(args: &DataArgs, connections: u32, purpose: Use) -> anyhow::Result<Self> {
        let database = Self::connect(args, connections, purpose).await?;
        match pulse::attend(&database.url, database.bring_up_to_date(purpose)).await? {
            Ok(()) => Ok(database),
            Err(error) => {
                database.close().await?;
                Err(error)
            }
        }
    }

    async fn bring_up_to_date(&self, purpose: Use) -> anyhow::Result<()> {
        must_be_whole(&self.pool).await?;
        if purpose == Use::Command && !proxima_db::pool::has_schema(&self.pool).await? {
            anyhow::bail!("no dashboard has run on this database: name the right one with --data-dir or DATABASE_URL");
        }
        proxima_db::migrate(&self.pool).await.context("the database's schema could not be brought up to date")
    }

    /// Connects to the schema as it is, whatever state it is in.
    pub(crate) async fn connect(args: &DataArgs, connections: u32, purpose: Use) -> anyhow::Result<Self> {
        if purpose == Use::Command && Self::is_to_be_made(args) {
            let shown = args.data_dir.display();
            anyhow::bail!("no dashboard has run with the data folder {shown}: name the right one with --data-dir");
        }
        let (url, embedded) = match &args.database_url {
            Some(url) => (url.clone(), None),
            None => {
                let embedded = start_embedded(args, purpose).await?;
                (embedded.url(), Some(embedded))
            }
        };
        let pool = match proxima_db::connect(&url, connections).await {
            Ok(pool) => pool,
            Err(error) => return Err(unreachable(error, &url, embedded.is_some()).await),
        };
        Ok(Self { pool, url, embedded })
    }

    /// Does the work of a command, for as long as PostgreSQL answers, and closes the database.
    pub(crate) async fn attend<T>(self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        // One that says nothing does not take leave either.
        let done = pulse::attend(&self.url, work).await?;
        self.close().await?;
        Ok(done)
    }

    /// Closes the connections, and stops PostgreSQL if this process runs it.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// Why a command has no database, with what to look at.
async fn unreachable(error: DbError, url: &str, embedded: bool) -> anyhow::Error {
    let which = if embedded { "the embedded PostgreSQL" } else { "the PostgreSQL of DATABASE_URL" };
    let look = if embedded { "" } else { ": check the address, the user and the password" };
    let reason = match error {
        DbError::Unavailable(sqlx::Error::PoolTimedOut) => match pulse::refusal(url).await {
            None => {
                return anyhow::anyhow!("{which} does not answer: is it frozen, or its host or the network down?");
            }
            Some(sqlx::Error::Io(error)) => io_reason(&error),
            Some(error) => error.to_string(),
        },
        error => error.to_string(),
    };
    anyhow::anyhow!("cannot connect to {which}{look}: {reason}")
}

/// What a command says that works with programs of PostgreSQL's, and waits for them.
pub(crate) fn say_silent() {
    let said = "PostgreSQL has not answered for 10 seconds: is it frozen, or its host or the network down? Waiting until it does";
    let _ = writeln!(std::io::stderr(), "proxima-dashboard: {said}");
}

/// Refuses a database that a restore has begun to fill. It would look like a good one, and act on what the backup believes to be
/// under way.
pub(crate) async fn must_be_whole(pool: &PgPool) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let Some(unfinished) = proxima_db::backup::unfinished(&mut connection).await? else { return Ok(()) };
    anyhow::bail!(
        "the restore of {} that began at {} has not finished: run `proxima-dashboard restore FILE` again, or \
         `proxima-dashboard restore --undo` to have the database as it was before",
        unfinished.file,
        unfinished.began_at.format("%Y-%m-%d %H:%M UTC")
    )
}

async fn start_embedded(args: &DataArgs, purpose: Use) -> anyhow::Result<EmbeddedPostgres> {
    let shown = args.data_dir.display();
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("cannot make the data folder {shown}: choose another one with --data-dir"))?;
    let folder = args.postgres_folder();
    Ok(match purpose {
        Use::Serve => EmbeddedPostgres::start(&folder, Options::default()).await?,
        Use::Setup | Use::Command => EmbeddedPostgres::attach_or_start(&folder, Options::default()).await?,
    })
}

/// Reads the key file, or makes it at the very first start. Of a database that has been used before a missing key file is
/// never made anew: it is for its backup to come back, and until then what needs it is refused.
pub(crate) async fn open_keyring(args: &DataArgs, pool: &PgPool) -> anyhow::Result<Keyring> {
    let path = args.key_file();
    if path.exists() {
        return Keyring::load(&path);
    }
    if has_been_used(pool).await? {
        return Ok(Keyring::without_keys(&path));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    match Keyring::create(&path, &OsEntropy) {
        // Another dashboard that starts at the same time made it first.
        Err(_) if path.exists() => Keyring::load(&path),
        created => created,
    }
}

/// Whether something may be sealed in this database, or a gateway trust its dashboard.
pub(crate) async fn has_been_used(pool: &PgPool) -> anyhow::Result<bool> {
    let mut connection = pool.acquire().await?;
    let keys = !proxima_db::keys::masters(&mut connection).await?.is_empty()
        || !proxima_db::keys::signing(&mut connection).await?.is_empty();
    Ok(keys || proxima_db::servers::any(pool).await?)
}

/// A command's use cases: no heartbeats, no web, no jobs of its own.
pub(crate) async fn open_app(args: &DataArgs, purpose: Use) -> anyhow::Result<(Arc<App>, Database)> {
    let database = Database::open(args, 4, purpose).await?;
    let opened = async {
        let keyring = open_keyring(args, &database.pool).await?;
        let app = App::new(
            database.pool.clone(),
            keyring,
            Arc::new(OsEntropy),
            AppConfig { anchor_folder: Some(args.data_dir.clone()), ..AppConfig::default() },
        )?;
        keys::adopt(&app).await?;
        anyhow::Ok(app)
    };
    let app = pulse::attend(&database.url, opened).await??;
    Ok((app, database))
}
