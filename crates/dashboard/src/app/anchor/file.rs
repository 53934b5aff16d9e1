//! The anchor on disk, beside the key file: `anchor.json`, signed, and `anchor-retired.jsonl`, to which retired keys are
//! appended. A lock lets two processes on one folder take turns.

use super::Mark;
use crate::app::signed::{self, Signed};
use crate::keyring::Keyring;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use proxima_db::anchor::Retirement;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const ANCHOR: &str = "anchor.json";
const RETIRED: &str = "anchor-retired.jsonl";
const LOCK: &str = "anchor.lock";

/// What `anchor.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    #[serde(flatten)]
    pub mark: Mark,
    /// How much of the list of retired keys counts, in bytes: what follows was broken off.
    retired_bytes: u64,
    /// Of its last line: SHA-256 over the hash of the line before it and the line.
    #[serde(with = "hex::serde")]
    retired_hash: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(with = "hex::serde")]
    digest: Vec<u8>,
    server_id: Uuid,
    server_name: String,
    reason: String,
    retired_at: DateTime<Utc>,
}

/// The folder that holds an anchor.
#[derive(Debug, Clone)]
pub struct AnchorFile {
    folder: PathBuf,
}

impl AnchorFile {
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(ANCHOR)
    }

    /// When it was written last.
    #[must_use]
    pub fn written_at(&self) -> Option<DateTime<Utc>> {
        std::fs::metadata(self.path()).and_then(|file| file.modified()).ok().map(DateTime::from)
    }

    /// What is stored, if anything.
    ///
    /// # Errors
    /// When it cannot be read, or is not what one of our keys signed.
    pub fn read(&self, keyring: &Keyring) -> anyhow::Result<Option<Stored>> {
        let path = self.path();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let stored = Signed::open_text(&text, keyring, signed::ANCHOR);
        Ok(Some(stored.with_context(|| format!("{} is not what a key of this key file signed", path.display()))?))
    }

    /// The keys that were retired, as far as the anchor vouches for them.
    ///
    /// # Errors
    /// When the list cannot be read, or is not the one that the anchor names.
    pub fn retired(&self, keyring: &Keyring) -> anyhow::Result<Vec<Retirement>> {
        let Some(stored) = self.read(keyring)? else { return Ok(Vec::new()) };
        if stored.retired_bytes == 0 {
            return Ok(Vec::new());
        }
        let path = self.folder.join(RETIRED);
        let shown = path.display();
        let mut text = String::new();
        let file = File::open(&path).with_context(|| format!("cannot read {shown}"))?;
        file.take(stored.retired_bytes).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
        let mut hash = Vec::new();
        let mut retired = Vec::new();
        for line in text.split_inclusive('\n') {
            hash = next_hash(&hash, line);
            let Line { digest, server_id, server_name, reason, retired_at } =
                serde_json::from_str(line).with_context(|| format!("{shown} is malformed"))?;
            retired.push(Retirement { number: 0, digest, server_id, server_name, reason, retired_at });
        }
        anyhow::ensure!(hash == stored.retired_hash, "{shown} is not the list that {ANCHOR} names");
        Ok(retired)
    }

    /// Moves the anchor to `mark` and appends what was retired meanwhile. An anchor that is further already, by another
    /// process on this folder, stays, unless it is to be `replaced`. Durable when this returns.
    ///
    /// # Errors
    /// When the folder cannot be written: a full disk, a read-only one, no signing key.
    pub fn write(
        &self,
        keyring: &Keyring,
        mark: &Mark,
        retired: &[Retirement],
        replaced: bool,
    ) -> anyhow::Result<Stored> {
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.folder.join(LOCK))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let before = match self.read(keyring) {
            Err(_) if replaced => None,
            read => read?,
        };
        if let Some(stored) = before.as_ref().filter(|stored| !replaced && !stored.mark.precedes(mark)) {
            return Ok(stored.clone());
        }
        // What replaces an anchor brings the whole list.
        let before = before.filter(|_| !replaced);
        let (known, bytes, hash) =
            before.map_or((0, 0, Vec::new()), |b| (b.mark.retirements, b.retired_bytes, b.retired_hash));
        let news = retired.iter().filter(|retirement| retirement.number > known);
        let (retired_bytes, retired_hash) = self.append(news, bytes, hash)?;
        let stored = Stored { mark: mark.clone(), retired_bytes, retired_hash };
        let document = Signed::make(keyring, signed::ANCHOR, &stored)?;
        self.exchange(&serde_json::to_vec_pretty(&document)?)?;
        Ok(stored)
    }

    fn append<'a>(
        &self,
        retired: impl Iterator<Item = &'a Retirement>,
        bytes: u64,
        mut hash: Vec<u8>,
    ) -> anyhow::Result<(u64, Vec<u8>)> {
        let mut text = String::new();
        for retirement in retired {
            let Retirement { digest, server_id, server_name, reason, retired_at, .. } = retirement.clone();
            let mut line = serde_json::to_string(&Line { digest, server_id, server_name, reason, retired_at })?;
            line.push('\n');
            hash = next_hash(&hash, &line);
            text.push_str(&line);
        }
        if text.is_empty() {
            return Ok((bytes, hash));
        }
        let path = self.folder.join(RETIRED);
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok((bytes + text.len() as u64, hash))
    }

    fn exchange(&self, content: &[u8]) -> std::io::Result<()> {
        let temporary = self.folder.join(format!("{ANCHOR}.tmp"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path())?;
        File::open(&self.folder)?.sync_all()
    }
}

fn next_hash(hash: &[u8], line: &str) -> Vec<u8> {
    Sha256::new().chain_update(hash).chain_update(line).finalize().to_vec()
}
