use std::io;
use std::path::{Path, PathBuf};

/// Why there is no database; each message is one sentence that ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "PostgreSQL is not installed; install it with: apt-get install postgresql (or set DATABASE_URL to a server you have)"
    )]
    NotInstalled,

    #[error(
        "the installed PostgreSQL {found} is too old; install version 15 or newer (Debian 12: apt-get install postgresql) or set DATABASE_URL"
    )]
    TooOld { found: u32 },

    #[error(
        "the data in {} was written by PostgreSQL {wanted}, but only {} is installed; bring it back with: apt-get install postgresql-{wanted} (after an upgrade of the system from the former release's archive, see docs/operate.md), then move the data over with: proxima-dashboard upgrade-database",
        .data.display(), list(.installed)
    )]
    MajorMismatch { data: PathBuf, wanted: u32, installed: Vec<u32> },

    #[error(
        "PostgreSQL cannot run as root and there is no user \"{user}\" to run it as; create one with: adduser --system --group {user}"
    )]
    NoServerUser { user: String },

    #[error(
        "PostgreSQL runs as the user \"{user}\", which cannot enter {}; choose a data folder elsewhere (for example /var/lib/proxima) or allow it with: chmod o+x {}",
        .folder.display(), .folder.display()
    )]
    NotReachable { user: String, folder: PathBuf },

    #[error("another process already supervises the PostgreSQL in {}; stop that one or choose another data folder", .folder.display())]
    Locked { folder: PathBuf },

    #[error(
        "a dashboard runs with the PostgreSQL in {}; stop it first (`systemctl stop proxima-dashboard`), then run this again",
        .folder.display()
    )]
    InUse { folder: PathBuf },

    #[error("the path {} has characters that PostgreSQL's own tools cannot take; choose a data folder without quotes, backslashes, $, ` or line breaks", .0.display())]
    UnusablePath(PathBuf),

    #[error("{} cannot hold PostgreSQL's socket because {reason}; delete it, or choose a data folder with a shorter path", .folder.display())]
    SocketDirectory { folder: PathBuf, reason: &'static str },

    #[error("cannot {action} {} ({source}); check that the disk has room and that the folder is this user's", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    #[error("cannot run {} ({source}); reinstall PostgreSQL with: apt-get install --reinstall postgresql", .program.display())]
    Spawn { program: PathBuf, source: io::Error },

    #[error("PostgreSQL's {step} failed: {detail}; its log is in {}", .log.display())]
    Command { step: &'static str, detail: String, log: PathBuf },

    #[error("PostgreSQL in {} did not accept connections within {seconds} seconds; its log is in {}", .data.display(), .data.join("log").display())]
    NotReady { data: PathBuf, seconds: u64 },

    #[error(
        "PostgreSQL in {} runs, and has not answered for {seconds} seconds: its processes may be frozen (`ps -o pid,stat,args -C postgres` shows a T \
         then; `kill -CONT PID` goes on) or its disk stuck; its log is in {}",
        .data.display(), .data.join("log").display()
    )]
    Silent { data: PathBuf, seconds: u64 },

    #[error("the former data {} is still there; remove it when nobody wants to go back to it, with: rm -r {}", .former.display(), .former.display())]
    FormerData { former: PathBuf },

    #[error("the disk of {} has {} MiB free, and the upgrade needs {} MiB beside the old data; make room", .folder.display(), .free >> 20, .needed >> 20)]
    NoRoom { folder: PathBuf, needed: u64, free: u64 },

    #[error("what PostgreSQL {major} holds could not be read ({detail}); nothing was changed")]
    Facts { major: u32, detail: String },

    #[error("what the upgraded PostgreSQL holds is not what {} holds, which was left as it is; stop whatever writes to it and try again", .data.display())]
    Differs { data: PathBuf },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

fn list(majors: &[u32]) -> String {
    majors.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
