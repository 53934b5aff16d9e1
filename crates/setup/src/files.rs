//! Files, written so that a kill or a power cut leaves the old or the new one, never a half.

use crate::host::{Host, Owner};
use crate::problem::{self, Result};
use rustix::fs::{Mode, fchmod};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Ends the name of what is not finished. Each path has one such name, so that leftovers are found.
const UNFINISHED: &str = ".proxima-setup";

/// Called before each change of the file system: tests end the setup there, as a kill would.
#[cfg(test)]
pub(crate) use crate::tests::changing;
#[cfg(not(test))]
fn changing() {}

/// Where the successor of `path` grows.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(UNFINISHED);
    path.with_file_name(name)
}

/// A problem at `path`, from what the operating system said.
pub(crate) fn at<'h>(
    host: &'h Host<'_>,
    path: &'h str,
) -> impl Fn(io::Error) -> proxima_types::setup::SetupProblem + 'h {
    move |error| problem::file(path, &host.at(path), &error)
}

/// `None` when there is nothing; does not follow a link.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn owner_of(metadata: &Metadata) -> Owner {
    Owner { uid: metadata.uid(), gid: metadata.gid() }
}

pub(crate) fn mode_of(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Opens the successor of `path`; what an earlier try left is gone.
pub(crate) fn begin(path: &Path) -> io::Result<File> {
    let unfinished = unfinished(path);
    remove(&unfinished)?;
    changing();
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished)
}

/// Gives the successor its owner and mode and puts it in the place of `path`.
pub(crate) fn finish(file: &File, path: &Path, owner: Owner, mode: u32) -> io::Result<()> {
    changing();
    std::os::unix::fs::fchown(file, Some(owner.uid), Some(owner.gid))?;
    fchmod(file, Mode::from_raw_mode(mode))?;
    file.sync_all()?;
    changing();
    fs::rename(unfinished(path), path)?;
    sync_folder(parent(path))
}

/// Runs `change`; when it fails, removes the unfinished successor of `path`.
pub(crate) fn tidily<T>(path: &Path, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    change().inspect_err(|_| {
        let _ = fs::remove_file(unfinished(path));
    })
}

/// Replaces `path` by a file with `content`.
pub(crate) fn write(path: &Path, content: &[u8], owner: Owner, mode: u32) -> io::Result<()> {
    tidily(path, || {
        let mut file = begin(path)?;
        file.write_all(content)?;
        finish(&file, path, owner, mode)
    })
}

/// Replaces `path` by another name of the file `source`.
pub(crate) fn link(source: &Path, path: &Path) -> io::Result<()> {
    tidily(path, || {
        let unfinished = unfinished(path);
        remove(&unfinished)?;
        changing();
        fs::hard_link(source, &unfinished)?;
        changing();
        fs::rename(&unfinished, path)?;
        changing();
        // rename(2) does nothing when both are the same file already.
        remove(&unfinished)?;
        sync_folder(parent(path))
    })
}

/// Replaces `path` by a symbolic link to `target`.
pub(crate) fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    tidily(path, || {
        let unfinished = unfinished(path);
        remove(&unfinished)?;
        changing();
        std::os::unix::fs::symlink(target, &unfinished)?;
        changing();
        fs::rename(&unfinished, path)?;
        sync_folder(parent(path))
    })
}

/// Removes a file, link or whole folder; true when there was one.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    let removed = match look(path)? {
        None => return Ok(false),
        Some(metadata) => {
            changing();
            if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
        }
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(parent(path)).map(|()| true),
    }
}

/// Removes a folder that holds nothing.
pub(crate) fn remove_if_empty(folder: &Path) -> io::Result<()> {
    changing();
    match fs::remove_dir(folder) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Makes the folder `path` and those above it, and gives it this owner and mode; true when it
/// was changed.
pub(crate) fn folder(path: &Path, owner: Owner, mode: u32) -> io::Result<bool> {
    changing();
    fs::create_dir_all(parent(path))?;
    changing();
    let made = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let folder = File::open(path)?;
    let metadata = folder.metadata()?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let changed = owner_of(&metadata) != owner || mode_of(&metadata) != mode;
    if changed {
        changing();
        std::os::unix::fs::fchown(&folder, Some(owner.uid), Some(owner.gid))?;
        fchmod(&folder, Mode::from_raw_mode(mode))?;
    }
    if made || changed {
        sync_folder(parent(path))?;
    }
    Ok(made || changed)
}

/// SHA-256 of a file's content in lower-case hex; `None` when there is no regular file.
pub(crate) fn sha256(path: &Path) -> io::Result<Option<String>> {
    if !look(path)?.is_some_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(hex::encode(hasher.finalize()))),
            length => hasher.update(&buffer[..length]),
        }
    }
}

/// The text of a small file; `None` when it is missing.
pub(crate) fn read(host: &Host<'_>, path: &str, max_bytes: u64) -> Result<Option<String>> {
    let read = || -> io::Result<Option<String>> {
        let file = match File::open(host.at(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(max_bytes).read_to_string(&mut text)?;
        Ok(Some(text))
    };
    read().map_err(at(host, path))
}
