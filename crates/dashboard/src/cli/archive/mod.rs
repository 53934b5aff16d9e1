//! The file of a backup: a plain tar with `manifest.json` and `database.dump` (PostgreSQL's custom format), so that anybody
//! can look into it and restore it by hand with `tar` and `pg_restore`.

mod programs;

pub(crate) use programs::{Client, Program};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};

const MANIFEST: &str = "manifest.json";
const DUMP: &str = "database.dump";
/// Of a tar.
const BLOCK: u64 = 512;
/// The manifest is written last, into a place of this length at the beginning; spaces fill it.
const MANIFEST_BYTES: usize = 4096;

/// What a backup is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// 1.
    pub format: u32,
    /// Of the program that made it.
    pub version: String,
    /// When, by the database's clock.
    pub taken_at: DateTime<Utc>,
    /// Of PostgreSQL, such as 150018.
    pub postgres: i32,
    /// The newest migration.
    pub migration: i64,
    /// The last row of the audit log, and its hash.
    pub audit_id: i64,
    pub audit_hash: String,
    pub users: i64,
    pub servers: i64,
    /// Of `database.dump`.
    pub dump_bytes: u64,
    pub sha256: String,
}

/// Writes an archive: what `dump` gives, and the manifest that `manifest` makes of its length and SHA-256. It is on the disk
/// when this returns.
///
/// # Errors
/// When something cannot be read or written.
pub(crate) fn write(
    mut file: File,
    dump: &mut impl Read,
    manifest: impl FnOnce(u64, String) -> Manifest,
) -> anyhow::Result<()> {
    file.seek(SeekFrom::Start(2 * BLOCK + MANIFEST_BYTES as u64))?;
    let mut output = Hashing { inner: BufWriter::new(&mut file), digest: Sha256::new(), bytes: 0 };
    std::io::copy(dump, &mut output).context("the dump could not be written")?;
    let (bytes, sha256) = output.finish()?;
    let padding = usize::try_from((BLOCK - bytes % BLOCK) % BLOCK)?;
    file.write_all(&vec![0; padding + 2 * usize::try_from(BLOCK)?])?;
    let mut json = serde_json::to_vec_pretty(&manifest(bytes, sha256))?;
    if json.len() > MANIFEST_BYTES {
        bail!("the manifest is longer than {MANIFEST_BYTES} bytes");
    }
    json.resize(MANIFEST_BYTES, b'\n');
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(MANIFEST, MANIFEST_BYTES as u64)?)?;
    file.write_all(&json)?;
    file.write_all(&header(DUMP, bytes)?)?;
    file.sync_all()?;
    Ok(())
}

fn header(name: &str, size: u64) -> anyhow::Result<[u8; 512]> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(*header.as_bytes())
}

struct Hashing<W> {
    inner: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.digest.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Hashing<W> {
    fn finish(mut self) -> std::io::Result<(u64, String)> {
        self.inner.flush()?;
        Ok((self.bytes, hex::encode(self.digest.finalize())))
    }
}

/// Reads the manifest, and the dump to its end into `output`, from the file's beginning; checks the dump against the manifest.
///
/// # Errors
/// When it is no backup, is cut short, or was changed.
pub(crate) fn read(mut file: &File, output: &mut impl Write) -> anyhow::Result<Manifest> {
    file.rewind().context("it cannot be read twice: a backup is a file, no pipe")?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let (mut manifest, mut dump) = (None, None);
    for entry in archive.entries()? {
        let mut entry = entry.context("it is no backup of this product, or is cut short")?;
        match entry.path()?.to_str() {
            Some(MANIFEST) => {
                let mut text = String::new();
                entry.take(MANIFEST_BYTES as u64).read_to_string(&mut text).context("its manifest cannot be read")?;
                manifest = Some(serde_json::from_str::<Manifest>(&text).context("its manifest cannot be read")?);
            }
            Some(DUMP) => {
                let mut hashing = Hashing { inner: &mut *output, digest: Sha256::new(), bytes: 0 };
                std::io::copy(&mut entry, &mut hashing).context("the dump could not be read to its end")?;
                dump = Some(hashing.finish()?);
            }
            _ => {}
        }
    }
    let manifest = manifest.context("it is no backup of this product: it has no manifest")?;
    let (bytes, sha256) = dump.context("it has no dump")?;
    if bytes != manifest.dump_bytes || sha256 != manifest.sha256 {
        bail!("the dump is not the one that the manifest names: the file is damaged or was changed");
    }
    if manifest.format != 1 {
        bail!("its format {} is not known to this release", manifest.format);
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
