//! The state directory: files that survive a restart. Written to a temporary file, synced,
//! renamed; read with patience: a file that cannot be read is a warning and nothing more, because
//! a damaged disk must not stop a gateway (invariant 2).

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The last verdict, re-verifiable.
pub const VERDICT_FILE: &str = "verdict.json";
/// License keys handed over by the dashboard.
pub const HANDOVER_FILE: &str = "handover.json";
/// Signing keys that the dashboard has named since config.json was written.
pub const TRUST_FILE: &str = "trust.json";
/// The applied configuration.
pub const CONFIG_FILE: &str = "config.json";
/// The high-water mark of the silence clock.
pub const CLOCK_FILE: &str = "clock.json";
/// How the gateway is, for `proxima-gateway status`.
pub const STATUS_FILE: &str = "status.json";
const LOCK_FILE: &str = "lock";
/// No state file is larger, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The few operations that state files need; each is done, or has failed, when it returns.
pub trait Disk: Send + std::fmt::Debug {
    /// A file's bytes, `None` when it is missing.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read(&self, name: &str) -> std::io::Result<Option<Vec<u8>>>;
    /// Creates or empties a file, writes and syncs it.
    ///
    /// # Errors
    /// Any: the file may hold a part then.
    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()>;
    /// Puts `from` in the place of `to`.
    ///
    /// # Errors
    /// When it could not.
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()>;
    /// After this the renames before it survive a power cut.
    ///
    /// # Errors
    /// When nobody knows whether they do.
    fn sync(&self) -> std::io::Result<()>;
}

/// Replaces one file whole: whatever happens, the old or the new one is there.
fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = format!(".{name}.tmp");
    disk.write(&temporary, bytes)?;
    disk.rename(&temporary, name)?;
    disk.sync()
}

/// A directory. Files are its owner's and of mode 0600: root may run a command on the gateway's directory and must
/// leave files that the gateway can read.
#[derive(Debug)]
struct Folder(PathBuf);

impl Disk for Folder {
    fn read(&self, name: &str) -> std::io::Result<Option<Vec<u8>>> {
        read_bytes(&self.0.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.0.join(name);
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        let (owner, ours) = (std::fs::metadata(&self.0)?, file.metadata()?);
        if (owner.uid(), owner.gid()) != (ours.uid(), ours.gid()) {
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        std::fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// An open state directory. One gateway at a time holds it.
#[derive(Debug)]
pub struct StateDir {
    disk: Box<dyn Disk>,
    /// Unlocked when closed, however the process ends.
    _lock: Option<File>,
}

impl StateDir {
    /// Creates the directory with mode 0700 where it is missing, and locks it.
    ///
    /// # Errors
    /// When it cannot be created or written, or another gateway holds it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot create the state directory {shown}"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .with_context(|| format!("cannot write to the state directory {shown}"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => anyhow::anyhow!(
                "another proxima-gateway is already running with the state directory {shown}. Stop it first, or give this one its own --state-dir."
            ),
            error => anyhow::anyhow!("cannot lock the state directory {shown}: {error}"),
        })?;
        Ok(Self { disk: Box::new(Folder(path.to_owned())), _lock: Some(lock) })
    }

    /// The state on another disk, such as a simulated one, which nobody else holds.
    #[must_use]
    pub fn on(disk: Box<dyn Disk>) -> Self {
        Self { disk, _lock: None }
    }

    /// Replaces one file by `value`. A full disk is logged; the old file stays.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) {
        if let Err(error) = self.try_save(name, value) {
            tracing::warn!(file = name, error = format!("{error:#}"), "state not saved; going on without");
        }
    }

    /// Replaces one file by `value`; once this returns, `value` survives a power cut.
    ///
    /// # Errors
    /// When it could not be written; the old file stays.
    pub fn try_save<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec_pretty(value)?;
        json.push(b'\n');
        Ok(replace(self.disk.as_ref(), name, &json)?)
    }

    /// One file's value, or `None` when it is missing or damaged (which is logged).
    #[must_use]
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = self.disk.read(name).map_err(anyhow::Error::from);
        match bytes.and_then(|bytes| Ok(bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)) {
            Ok(value) => value,
            Err(error) => {
                tracing::warn!(file = name, error = format!("{error:#}"), "damaged state file ignored");
                None
            }
        }
    }
}

/// Reads a state file without holding the directory; `None` when it is missing.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    Ok(read_bytes(path)?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
}

fn read_bytes(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::Read as _;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces one file of `directory`.
///
/// # Errors
/// When it could not be written; the old file stays.
pub fn write_bytes(directory: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    replace(&Folder(directory.to_owned()), name, bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    /// A directory that goes with the test.
    pub(crate) struct TempDir(pub PathBuf);

    impl TempDir {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("proxima-gateway-unit-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
            let path = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).expect("a temporary directory");
            Self(path)
        }
    }

    impl Drop for TempDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_are_private_replaced_whole_and_read_back() {
        let temp = TempDir::new();
        let path = temp.0.join("a/b");
        let state = StateDir::open(&path).expect("opens");
        let mode = |path: &Path| std::fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(state.load::<Vec<u8>>("x.json"), None);
        state.save("x.json", &vec![1_u8, 2]);
        state.save("x.json", &vec![3_u8]);
        assert_eq!(state.load::<Vec<u8>>("x.json"), Some(vec![3]));
        assert_eq!(mode(&path.join("x.json")), 0o600);
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let temp = TempDir::new();
        let state = StateDir::open(&temp.0).expect("opens");
        for damage in ["", "{", "null", "\u{0}\u{0}"] {
            std::fs::write(temp.0.join("x.json"), damage).expect("written");
            assert_eq!(state.load::<Vec<u8>>("x.json"), None, "{damage:?}");
        }
    }

    #[test]
    fn one_gateway_per_directory() {
        let temp = TempDir::new();
        let first = StateDir::open(&temp.0).expect("opens");
        let error = StateDir::open(&temp.0).expect_err("held").to_string();
        assert!(error.contains("already running"), "{error}");
        drop(first);
        assert!(StateDir::open(&temp.0).is_ok());
    }
}
