//! Moves the data to a newer major version with `pg_upgrade`, which copies: the old data stays as it is until a person removes it.
//!
//! The new data is made in `data.upgrade`, and compared with the old; then the two folders change names in one step, and the old one becomes
//! `data.15` (its version). Killed at any point, the move is begun again or finished: before that step `data` is the old one and whole, after
//! it the new one, which holds the file [`PENDING`] until the old one has its name.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with, statvfs};

use crate::account::Account;
use crate::binaries::{self, Binaries};
use crate::cluster::Cluster;
use crate::command::{self, last_line};
use crate::error::Error;
use crate::layout::{Layout, Lock, make_private};
use crate::options::Options;
use crate::settings;

/// In the new data from its comparison until the old data has its new name: the old version.
const PENDING: &str = "upgraded-from";
/// Beside the copy itself: the write-ahead log of a new cluster, and what `pg_upgrade` writes.
const WORKING_ROOM: u64 = 512 << 20;

/// A move that can be made. Nothing is changed before [`run`](Self::run); the folder's server cannot be started elsewhere while this lives.
#[derive(Debug)]
pub struct MajorUpgrade {
    old: Cluster,
    new: Cluster,
    _lock: Lock,
}

/// A move that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub from: u32,
    pub to: u32,
    /// The former data: to go back to, or to remove.
    pub former: PathBuf,
}

/// What there is to do in a folder.
#[derive(Debug)]
pub enum Upgrade {
    /// There is no data, or no newer PostgreSQL is installed.
    Nothing,
    /// A move that was interrupted after its decisive step has just been finished.
    Finished(Moved),
    Possible(Box<MajorUpgrade>),
}

impl Upgrade {
    /// Finds out what there is to do.
    ///
    /// # Errors
    /// No PostgreSQL that can read the data, a server that another process runs, or former data that is in the way.
    pub async fn find(folder: &Path, options: Options) -> Result<Self, Error> {
        if !folder.join("data").exists() {
            return Ok(Self::Nothing);
        }
        let any_major = options.any_major;
        let old = Cluster::open(folder, options).await?;
        let lock = Lock::take(old.layout())?.ok_or_else(|| Error::InUse { folder: folder.to_owned() })?;
        if let Some(moved) = finish(old.layout(), old.account(), old.major()).await? {
            return Ok(Self::Finished(moved));
        }
        let newest = binaries::installed().await.into_iter().next().ok_or(Error::NotInstalled)?;
        if newest.major <= old.major() && !any_major {
            return Ok(Self::Nothing);
        }
        let former = old.layout().former(old.major());
        if former.exists() {
            return Err(Error::FormerData { former });
        }
        let new = old.elsewhere(old.layout().upgrade(), newest);
        Ok(Self::Possible(Box::new(MajorUpgrade { old, new, _lock: lock })))
    }
}

impl MajorUpgrade {
    #[must_use]
    pub fn from(&self) -> u32 {
        self.old.major()
    }

    #[must_use]
    pub fn to(&self) -> u32 {
        self.new.major()
    }

    /// Makes the move. `facts` gets a URL and says what must be equal before and after it; `step` is told what begins.
    ///
    /// # Errors
    /// Too little room, a step that failed, or facts that differ: the old data is untouched, and the move can be begun again.
    pub async fn run<F, E>(self, facts: F, step: impl Fn(&str)) -> Result<Moved, Error>
    where
        F: AsyncFn(String) -> Result<String, E>,
        E: Display,
    {
        let (old, new) = (&self.old, &self.new);
        // Left by a move that was killed: `pg_upgrade`'s own servers.
        new.stop().await?;
        old.stop().await?;
        remove(old.account(), &new.layout().data()).await?;
        enough_room(old.layout())?;

        step(&format!("reading what PostgreSQL {} holds", self.from()));
        let before = asked(old, &facts).await?;
        step(&format!("copying it to PostgreSQL {}", self.to()));
        new.create_in(&new.layout().data()).await?;
        self.pg_upgrade().await?;
        self.carry_settings().await?;
        step("comparing");
        new.start().await?;
        let after = async {
            let after = told(new, &facts).await?;
            // It knows nothing of the tables' contents yet, without which its plans are poor.
            new.psql_in("proxima", "analyze").await.map(|_| after)
        };
        let after = after.await;
        new.stop().await?;
        if after? != before {
            return Err(Error::Differs { data: old.layout().data() });
        }

        let pending = new.layout().data().join(PENDING);
        command::write(old.account(), &pending, false, &self.from().to_string()).await?;
        sync(&pending)?;
        sync(&new.layout().data())?;
        exchange(old.layout())?;
        let moved = finish(old.layout(), old.account(), self.to()).await?;
        moved.ok_or_else(|| Error::Differs { data: old.layout().data() })
    }

    async fn pg_upgrade(&self) -> Result<(), Error> {
        let (old, new) = (&self.old, &self.new);
        let work = new.layout().data();
        // Ended with this process: it must not go on copying what another process then starts.
        let mut run = command::tool(old.account(), Path::new("/usr/bin/setpriv"), ["--pdeathsig", "KILL", "--"]);
        run.arg(new.binaries().program("pg_upgrade"))
            .arg("--old-bindir")
            .arg(old.binaries().folder())
            .arg("--new-bindir")
            .arg(new.binaries().folder())
            .arg("--old-datadir")
            .arg(old.layout().data())
            .arg("--new-datadir")
            .arg(&work)
            .arg("--username=postgres")
            .current_dir(&work);
        // Another socket than the dashboard's, so that nobody takes the server in between for the real one.
        let socket = self.make_socket_dir()?;
        run.arg("--socketdir").arg(&socket);
        let output = command::run(run).await;
        let _ = fs::remove_dir_all(&socket);
        let output = output?;
        if output.status.success() {
            return Ok(());
        }
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        Err(Error::Command { step: "upgrade", detail: last_line(&said), log: work.join("pg_upgrade_output.d") })
    }

    /// Beside the usual one, whose path is short enough for a socket.
    fn make_socket_dir(&self) -> Result<PathBuf, Error> {
        let usual = self.old.layout().socket_dir();
        let folder = usual.with_file_name("up");
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io("delete", &folder))?;
        }
        make_private(&folder, self.old.account())?;
        Ok(folder)
    }

    /// `pg_upgrade` leaves settings behind: ours, and those that people wrote below ours or by ALTER SYSTEM.
    async fn carry_settings(&self) -> Result<(), Error> {
        let (old, new, account) = (self.old.layout().data(), self.new.layout().data(), self.old.account());
        let read = |name: &str| {
            let path = old.join(name);
            fs::read_to_string(&path).map_err(Error::io("read", &path))
        };
        let own = read("postgresql.conf")?;
        let own = [settings::INCLUDE, settings::own(&own)].concat();
        command::write(account, &new.join("postgresql.conf"), true, &own).await?;
        command::write(account, &new.join("postgresql.auto.conf"), false, &read("postgresql.auto.conf")?).await?;
        command::write(account, &new.join("pg_hba.conf"), false, &read("pg_hba.conf")?).await
    }
}

/// The facts of a server that is started for them.
async fn asked<F, E>(cluster: &Cluster, facts: &F) -> Result<String, Error>
where
    F: AsyncFn(String) -> Result<String, E>,
    E: Display,
{
    cluster.start().await?;
    let told = told(cluster, facts).await;
    cluster.stop().await?;
    told
}

async fn told<F, E>(cluster: &Cluster, facts: &F) -> Result<String, Error>
where
    F: AsyncFn(String) -> Result<String, E>,
    E: Display,
{
    let url = cluster.layout().url("proxima", "proxima");
    facts(url).await.map_err(|error| Error::Facts { major: cluster.major(), detail: format!("{error:#}") })
}

/// Gives the old data its new name, when the new data is in its place already.
async fn finish(layout: &Layout, account: &Account, to: u32) -> Result<Option<Moved>, Error> {
    let pending = layout.data().join(PENDING);
    let Some(from) = fs::read_to_string(&pending).ok().and_then(|text| text.trim().parse().ok()) else {
        return Ok(None);
    };
    let (work, former) = (layout.upgrade(), layout.former(from));
    if work.exists() {
        fs::rename(&work, &former).map_err(Error::io("rename", &work))?;
    }
    sync(layout.folder())?;
    remove(account, &pending).await?;
    Ok(Some(Moved { from, to, former }))
}

/// The one step that decides: the new data and the old change names.
fn exchange(layout: &Layout) -> Result<(), Error> {
    let (data, work) = (layout.data(), layout.upgrade());
    renameat_with(CWD, &data, CWD, &work, RenameFlags::EXCHANGE)
        .map_err(|error| Error::io("exchange with the upgraded data", &data)(error.into()))?;
    sync(layout.folder())
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("write", path))
}

/// How often a folder that is still written to is emptied again, and how long after.
const REMOVALS: u32 = 40;
const REMOVED_AGAIN: Duration = Duration::from_millis(250);

/// What a killed process started may still be writing: it is told apart from what stays by trying again.
async fn remove(account: &Account, path: &Path) -> Result<(), Error> {
    let mut tries = 0;
    while path.exists() {
        let mut rm = command::tool(account, Path::new("/bin/rm"), ["-rf", "--"]);
        rm.arg(path);
        let output = command::run(rm).await?;
        // The server's user may empty it, but its parent may be root's.
        match fs::remove_dir(path) {
            _ if output.status.success() && !path.exists() => {}
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < REMOVALS => {
                tries += 1;
                tokio::time::sleep(REMOVED_AGAIN).await;
            }
            removed => removed.map_err(Error::io("delete", path))?,
        }
    }
    Ok(())
}

fn enough_room(layout: &Layout) -> Result<(), Error> {
    let folder = layout.folder();
    let needed = size(&layout.data()).map_err(Error::io("read", &layout.data()))? + WORKING_ROOM;
    let disk = statvfs(folder).map_err(|error| Error::io("look at the disk of", folder)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed { Err(Error::NoRoom { folder: folder.to_owned(), needed, free }) } else { Ok(()) }
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

impl Cluster {
    /// The same server's account and options with other data and programs.
    fn elsewhere(&self, data: PathBuf, binaries: Binaries) -> Self {
        Self { layout: self.layout().with_data(data), binaries, ..self.clone() }
    }
}
