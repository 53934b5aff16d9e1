//! The gateway programs, as boxes that install themselves download them.

use crate::app::{App, AppError, AppResult};
use proxima_db::install_tokens;
use proxima_installer::BinaryStore;
use proxima_types::KeyDigest;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::fs::File;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// Downloads at one time; the next is told to come back.
const DOWNLOADS_MAX: usize = 16;
/// When the next may come back, in seconds.
const RETRY_AFTER_SECONDS: u32 = 15;

/// What a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Lower-case hex.
    pub sha256: String,
    pub bytes: u64,
}

/// By which a replaced file is noticed.
type Stamp = (u64, Option<SystemTime>);

/// The digests of the programs, read again when a file has changed, and the places for downloads.
pub struct Programs {
    known: Mutex<BTreeMap<String, (Stamp, Program)>>,
    downloads: Arc<Semaphore>,
}

impl Default for Programs {
    fn default() -> Self {
        Self { known: Mutex::default(), downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)) }
    }
}

impl Programs {
    /// The program for `architecture`, if there is one that can be read. One request hashes, the others wait for it.
    pub async fn get(&self, store: &BinaryStore, architecture: &str) -> Option<Program> {
        let mut known = self.known.lock().await;
        let stamp = stamp(&store.find(architecture).await.ok()?).await?;
        if let Some((at, program)) = known.get(architecture)
            && *at == stamp
        {
            return Some(program.clone());
        }
        let binary = store.open(architecture).await.ok()?;
        let program = Program { sha256: binary.sha256, bytes: binary.bytes };
        known.insert(architecture.to_owned(), (stamp, program.clone()));
        Some(program)
    }

    /// All that there are, by architecture.
    pub async fn all(&self, store: &BinaryStore) -> BTreeMap<String, Program> {
        let mut all = BTreeMap::new();
        for architecture in store.architectures().await {
            if let Some(program) = self.get(store, &architecture).await {
                all.insert(architecture, program);
            }
        }
        all
    }
}

async fn stamp(file: &File) -> Option<Stamp> {
    let metadata = file.metadata().await.ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// A program to be sent, with its place among the downloads.
pub struct Download {
    pub file: File,
    pub bytes: u64,
    /// Held as long as it is sent.
    pub place: OwnedSemaphorePermit,
}

/// The program for `architecture`, for whoever has an install token that is good.
///
/// # Errors
/// [`AppError::BadInstallToken`]; [`AppError::NotFound`] without such a program; [`AppError::Busy`].
pub async fn program(app: &App, token: &str, architecture: &str) -> AppResult<Download> {
    let presented = install_tokens::find(&app.db, KeyDigest::of_presented(token)).await?;
    presented.filter(|token| token.good).ok_or(AppError::BadInstallToken)?;
    let busy = |_| AppError::Busy { retry_after_seconds: RETRY_AFTER_SECONDS };
    let place = Arc::clone(&app.programs.downloads).try_acquire_owned().map_err(busy)?;
    let file = app.config.binaries().find(architecture).await.map_err(|_| AppError::NotFound)?;
    let bytes = file.metadata().await.map_err(|error| AppError::Internal(error.into()))?.len();
    Ok(Download { file, bytes, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replaced_program_has_another_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x86_64");
        std::fs::create_dir(&path).expect("a folder");
        std::fs::write(path.join("proxima-gateway"), "abc").expect("written");
        let (store, programs) = (BinaryStore::new(folder.path().to_owned(), String::new()), Programs::default());
        let first = programs.get(&store, "x86_64").await.expect("there");
        assert_eq!(programs.get(&store, "x86_64").await.as_ref(), Some(&first));
        std::fs::write(path.join("proxima-gateway"), "abcd").expect("written");
        let second = programs.all(&store).await;
        assert!(second["x86_64"] != first && second["x86_64"].bytes == 4, "{second:?}");
        assert_eq!(programs.get(&store, "../x86_64").await, None);
    }
}
