//! The key file: `keys.json`, version 1.
//!
//! Read at every start and whenever it changes; written by the first start and by commands, whole: temporary file, fsync,
//! rename. A version that finds a field it does not know refuses the file rather than lose a key of it.

use crate::entropy::{Entropy, EntropyExt as _};
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proxima_types::identity::DashboardPublicKey;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
    version: u32,
    /// Oldest first. The database says which one seals; all open.
    pub master_keys: Vec<StoredKey>,
    /// Oldest first. The database says which ones sign.
    pub signing_keys: Vec<StoredKey>,
    /// The public halves of signing keys that were retired: what they signed before still verifies here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_signing_keys: Vec<FormerKey>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FormerKey {
    pub id: i32,
    pub public_key: DashboardPublicKey,
}

/// 32 secret bytes, base64 in the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredKey {
    pub id: i32,
    key: Zeroizing<String>,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredKey({})", self.id)
    }
}

impl StoredKey {
    /// # Errors
    /// When it is not the base64 of 32 bytes; the sentence does not repeat it.
    pub fn bytes(&self) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let bytes = Zeroizing::new(STANDARD.decode(self.key.as_bytes()).context("a key is not base64")?);
        Ok(Zeroizing::new(bytes.as_slice().try_into().context("a key has not 32 bytes")?))
    }

    pub fn random(id: i32, entropy: &dyn Entropy) -> Self {
        Self { id, key: Zeroizing::new(STANDARD.encode(*Zeroizing::new(entropy.bytes::<32>()))) }
    }
}

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Of its content, owner or mode: seconds and nanoseconds.
    changed: (i64, i64),
    inode: u64,
    size: u64,
}

impl Stamp {
    /// `None` when there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { changed: (metadata.ctime(), metadata.ctime_nsec()), inode: metadata.ino(), size: metadata.len() })
    }
}

impl KeyFile {
    /// A file without any key.
    #[must_use]
    pub fn empty() -> Self {
        Self { version: 1, ..Self::default() }
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed; the sentence says what to do.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mode = std::fs::metadata(path).with_context(|| format!("cannot read the key file {shown}"))?.permissions();
        if mode.mode() & 0o077 != 0 {
            bail!("the key file {shown} can be read by others: run `chmod 600 {shown}`");
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?);
        Self::parse(&text).with_context(|| format!("the key file {shown} is malformed"))
    }

    /// # Errors
    /// What is malformed; never a key.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        // Only the position: serde's own message may quote a key.
        let file: Self = serde_json::from_str(text).map_err(|error| {
            anyhow::anyhow!("it cannot be read at line {}, column {}", error.line(), error.column())
        })?;
        if file.version != 1 {
            bail!("version {} is not known to this release", file.version);
        }
        for (kind, keys) in [("master", &file.master_keys), ("signing", &file.signing_keys)] {
            for (index, key) in keys.iter().enumerate() {
                key.bytes()?;
                if key.id < 1 || keys[..index].iter().any(|other| other.id == key.id) {
                    bail!("the id {} of a {kind} key is not positive, or used twice", key.id);
                }
            }
        }
        Ok(file)
    }

    /// As the file holds it: the keys in clear.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_json(&self) -> anyhow::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(serde_json::to_string_pretty(self)? + "\n"))
    }

    /// Writes a new file, readable by its owner only; never replaces one.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(&self, path: &Path, entropy: &dyn Entropy) -> anyhow::Result<()> {
        // A hard link, unlike a rename, fails when the name is taken: of two that start at once one wins.
        self.write(path, entropy, |temporary| std::fs::hard_link(temporary, path))
    }

    /// Replaces the file, or makes it; its owner stays.
    ///
    /// # Errors
    /// When it cannot be written; then the file is as it was.
    pub fn replace(&self, path: &Path, entropy: &dyn Entropy) -> anyhow::Result<()> {
        self.write(path, entropy, |temporary| {
            if let Ok(before) = std::fs::metadata(path) {
                std::os::unix::fs::chown(temporary, Some(before.uid()), Some(before.gid()))?;
            }
            std::fs::rename(temporary, path)
        })
    }

    fn write(
        &self,
        path: &Path,
        entropy: &dyn Entropy,
        place: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let json = self.to_json()?;
        let temporary: PathBuf = path.with_extension(format!("{}.tmp", entropy.uuid()));
        let write = || -> std::io::Result<()> {
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            output.write_all(json.as_bytes())?;
            output.sync_all()?;
            place(&temporary)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        let written = write();
        let _ = std::fs::remove_file(&temporary);
        written.with_context(|| format!("cannot write the key file {}", path.display()))
    }
}
