//! The gateway programs, as boxes that install themselves download them.

use crate::app::{App, AppError, AppResult};
use proxima_db::install_tokens;
use proxima_installer::BinaryStore;
use proxima_types::KeyDigest;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;
use tokio::fs::File;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Downloads at one time; the next is told to come back.
const DOWNLOADS_MAX: usize = 16;
/// Of those, for one server: one that goes on, and one that was cut off and is tried again.
const DOWNLOADS_OF_ONE_MAX: usize = 2;
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
#[derive(Default)]
pub struct Programs {
    known: Mutex<BTreeMap<String, (Stamp, Program)>>,
    /// The server of each download under way.
    downloads: Downloads,
}

type Downloads = Arc<std::sync::Mutex<Vec<Uuid>>>;

/// A place among the downloads, until it is dropped.
pub struct Place {
    server: Uuid,
    downloads: Downloads,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = downloads.iter().position(|server| *server == self.server) {
            downloads.swap_remove(own);
        }
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

    /// A place for a download of this server, if one is free.
    pub fn place(&self, server: Uuid) -> Option<Place> {
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        let own = downloads.iter().filter(|other| **other == server).count();
        if downloads.len() >= DOWNLOADS_MAX || own >= DOWNLOADS_OF_ONE_MAX {
            return None;
        }
        downloads.push(server);
        Some(Place { server, downloads: Arc::clone(&self.downloads) })
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
    pub place: Place,
}

/// The program for `architecture`, for whoever has an install token that is good.
///
/// # Errors
/// [`AppError::BadInstallToken`]; [`AppError::NotFound`] without such a program; [`AppError::Busy`] when too many are
/// downloaded, or too many by this server.
pub async fn program(app: &App, token: &str, architecture: &str) -> AppResult<Download> {
    let presented = install_tokens::find(&app.db, KeyDigest::of_presented(token)).await?;
    let token = presented.filter(|token| token.good).ok_or(AppError::BadInstallToken)?;
    let busy = AppError::Busy { retry_after_seconds: RETRY_AFTER_SECONDS };
    let place = app.programs.place(token.server_id).ok_or(busy)?;
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
