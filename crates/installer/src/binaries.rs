//! The gateway binaries that this dashboard has, one folder per architecture.

use crate::problem::Problem;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// The file's name in each architecture's folder.
const NAME: &str = "proxima-gateway";
/// Bytes read at once while hashing.
const CHUNK: usize = 64 * 1024;

/// The release folder: `<folder>/<architecture>/proxima-gateway`, with `uname -m`'s names; and a second one, for the
/// architectures that the first does not have: what ships with the dashboard.
#[derive(Debug, Clone)]
pub struct BinaryStore {
    folder: PathBuf,
    shipped: Option<PathBuf>,
    version: String,
}

/// One binary, opened: what is sent is what was hashed, also when the file is replaced meanwhile.
#[derive(Debug)]
pub struct Binary {
    file: File,
    /// Lower-case hex.
    pub sha256: String,
    pub bytes: u64,
    pub version: String,
}

impl BinaryStore {
    /// `version`: the dashboard's own, which its binaries share.
    #[must_use]
    pub fn new(folder: PathBuf, version: String) -> Self {
        Self { folder, shipped: None, version }
    }

    #[must_use]
    pub fn with_shipped(self, shipped: Option<PathBuf>) -> Self {
        Self { shipped, ..self }
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        [Some(self.folder.as_path()), self.shipped.as_deref()].into_iter().flatten()
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The architectures that there is a binary for, in alphabetical order.
    pub async fn architectures(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in self.folders() {
            let Ok(mut entries) = tokio::fs::read_dir(folder).await else { continue };
            while let Ok(Some(entry)) = entries.next_entry().await {
                let is_file = tokio::fs::metadata(entry.path().join(NAME)).await.is_ok_and(|meta| meta.is_file());
                found.extend(entry.file_name().into_string().ok().filter(|_| is_file));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Opens and hashes the binary for `architecture`.
    ///
    /// # Errors
    /// [`Problem::NoBinary`] when there is none, [`Problem::BinaryUnreadable`] otherwise.
    pub async fn open(&self, architecture: &str) -> Result<Binary, Problem> {
        let mut file = self.find(architecture).await?;
        let unreadable = |error: std::io::Error| Problem::BinaryUnreadable { reason: error.kind().to_string() };
        let (sha256, bytes) = digest(&mut file).await.map_err(unreadable)?;
        file.rewind().await.map_err(unreadable)?;
        Ok(Binary { file, sha256, bytes, version: self.version.clone() })
    }

    /// Opens the binary for `architecture` and reads nothing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn find(&self, architecture: &str) -> Result<File, Problem> {
        let missing =
            || Problem::NoBinary { architecture: architecture.to_owned(), folder: self.folder.display().to_string() };
        if !architecture.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || architecture.is_empty() {
            return Err(missing());
        }
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(),
            kind => Problem::BinaryUnreadable { reason: kind.to_string() },
        };
        let mut opened = Err(missing());
        for folder in self.folders() {
            opened = File::open(folder.join(architecture).join(NAME)).await.map_err(unreadable);
            // Only what is not there is looked for elsewhere: a file that cannot be read is said to be so.
            if !matches!(opened, Err(Problem::NoBinary { .. })) {
                break;
            }
        }
        opened
    }
}

impl Binary {
    /// The open file, at its beginning.
    pub fn reader(&mut self) -> &mut File {
        &mut self.file
    }
}

async fn digest(file: &mut File) -> std::io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), bytes));
        }
        hash.update(chunk.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_binary_is_found_hashed_and_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("x86_64")).unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        std::fs::write(folder.path().join("x86_64").join(NAME), "abc").unwrap();
        let store = BinaryStore::new(folder.path().to_owned(), "1.2.3".to_owned());
        assert_eq!(store.architectures().await, ["x86_64"]);
        let mut binary = store.open("x86_64").await.unwrap();
        // SHA-256 of "abc": FIPS 180-2, appendix B.1.
        assert_eq!(binary.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut sent = String::new();
        binary.reader().read_to_string(&mut sent).await.unwrap();
        assert_eq!((sent.as_str(), binary.bytes), ("abc", 3));
    }

    #[tokio::test]
    async fn the_release_folder_goes_before_what_ships_with_the_dashboard() {
        let (own, shipped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, architecture, content) in
            [(&shipped, "x86_64", "shipped"), (&shipped, "aarch64", "shipped too"), (&own, "x86_64", "own")]
        {
            std::fs::create_dir(folder.path().join(architecture)).unwrap();
            std::fs::write(folder.path().join(architecture).join(NAME), content).unwrap();
        }
        let store =
            BinaryStore::new(own.path().to_owned(), String::new()).with_shipped(Some(shipped.path().to_owned()));
        assert_eq!(store.architectures().await, ["aarch64", "x86_64"]);
        for (architecture, bytes) in [("x86_64", 3), ("aarch64", 11)] {
            assert_eq!(store.open(architecture).await.unwrap().bytes, bytes, "{architecture}");
        }
        let problem = store.open("riscv64").await.unwrap_err();
        assert!(matches!(problem, Problem::NoBinary { folder, .. } if folder == own.path().display().to_string()));
    }

    #[tokio::test]
    async fn a_missing_architecture_says_so_and_paths_do_not_escape() {
        let folder = tempfile::tempdir().unwrap();
        let store = BinaryStore::new(folder.path().join("releases"), String::new());
        std::fs::write(folder.path().join(NAME), "abc").unwrap();
        std::fs::create_dir(folder.path().join("releases")).unwrap();
        for architecture in ["aarch64", "..", "", "a/b"] {
            let problem = store.open(architecture).await.unwrap_err();
            assert!(matches!(problem, Problem::NoBinary { .. }), "{architecture}");
        }
    }
}
