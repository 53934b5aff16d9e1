//! Where things are in the embedded server's folder.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::error::Error;

/// The longest socket address that the kernel takes, without its closing NUL.
const LONGEST_SOCKET: usize = 107;
const SOCKET_NAME: &str = "/.s.PGSQL.5432.lock";

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    folder: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
}

impl Layout {
    /// Makes the folder when missing. What it holds is closed to others; the folder itself must be passable for the server's user.
    pub(crate) async fn prepare(folder: &Path, account: &Account) -> Result<Self, Error> {
        let mode = if account.uid() == rustix::process::geteuid().as_raw() { 0o700 } else { 0o711 };
        DirBuilder::new().recursive(true).mode(mode).create(folder).map_err(Error::io("create", folder))?;
        let folder = folder.canonicalize().map_err(Error::io("open", folder))?;
        if folder.as_os_str().as_bytes().iter().any(|byte| b"\"'\\$`\n\r".contains(byte)) || folder.to_str().is_none() {
            return Err(Error::UnusablePath(folder));
        }
        if let Some(closed) = account.first_unreachable(&folder).await {
            return Err(Error::NotReachable { user: account.name().to_owned(), folder: closed.to_owned() });
        }
        let near = folder.join("socket");
        let socket_dir = if near.as_os_str().len() + SOCKET_NAME.len() <= LONGEST_SOCKET {
            near
        } else {
            short_socket_dir(&folder, account)
        };
        Ok(Self { data: folder.join("data"), folder, socket_dir })
    }

    /// The same folder with another data directory of it.
    pub(crate) fn with_data(&self, data: PathBuf) -> Self {
        Self { data, ..self.clone() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Where a move to a newer major version works.
    pub(crate) fn upgrade(&self) -> PathBuf {
        self.folder.join("data.upgrade")
    }

    /// Where the data of a former major version stays after a move.
    pub(crate) fn former(&self, major: u32) -> PathBuf {
        self.folder.join(format!("data.{major}"))
    }

    /// Where `initdb` works; renamed to [`data`](Self::data) once complete, so an interrupted one leaves nothing half-made.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.folder.join("data.unfinished")
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The major version that wrote the data; `None` when there is none yet.
    pub(crate) fn written_by(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Makes the socket's directory, or checks that the one found is the server's and closed to everyone else.
    pub(crate) fn make_socket_dir(&self, account: &Account) -> Result<(), Error> {
        let refuse = |reason| Err(Error::SocketDirectory { folder: self.socket_dir.clone(), reason });
        match fs::symlink_metadata(&self.socket_dir) {
            Err(_) => make_private(&self.socket_dir, account),
            Ok(found) if !found.is_dir() => refuse("it is not a directory"),
            Ok(found) if found.uid() != account.uid() => refuse("it belongs to another user"),
            Ok(found) if found.mode() & 0o077 != 0 => refuse("other users may enter it"),
            Ok(_) => Ok(()),
        }
    }

    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        format!("postgres:///{database}?host={}&port=5432&user={user}", encode(&self.socket_dir))
    }
}

/// A directory that only the server's user may enter.
pub(crate) fn make_private(path: &Path, account: &Account) -> Result<(), Error> {
    DirBuilder::new().mode(0o700).create(path).map_err(Error::io("create", path))?;
    account.own(path)
}

/// A short path for a deep folder's socket, always the same for the same folder.
fn short_socket_dir(folder: &Path, account: &Account) -> PathBuf {
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    let tag: String = hex::encode(digest).chars().take(12).collect();
    // Only root may create in /run; in /tmp the checks of `make_socket_dir` keep out a directory that someone else put there.
    let parent = if rustix::process::geteuid().is_root() && Path::new("/run").is_dir() { "/run" } else { "/tmp" };
    Path::new(parent).join(format!("proxima-postgres-{}-{tag}", account.uid()))
}

fn encode(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(*byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// The right to start and stop the server of a folder; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// `None` when another process holds it.
    pub(crate) fn take(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.folder.join("supervisor.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_goes_into_a_url_encoded() {
        assert_eq!(encode(Path::new("/a b/c+d&é")), "/a%20b/c%2Bd%26%C3%A9");
    }
}
