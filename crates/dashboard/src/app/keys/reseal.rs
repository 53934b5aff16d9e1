//! Sealing everything anew with the master key in force, while dashboards run.

use crate::app::{App, AppResult, commit};
use crate::keyring::{KeyTrouble, Place};
use proxima_db::DbError;
use proxima_db::sealed::{self, SealedColumn};
use uuid::Uuid;

/// Rows that are read, sealed and written in one transaction.
const BATCH: i64 = 200;

/// What became of the secrets.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Resealed {
    pub done: u64,
    /// What does not open, and stays as it is: table, row and column, with the reason.
    pub unreadable: Vec<(String, KeyTrouble)>,
}

/// Seals with the key in force whatever is sealed with another. Interrupted at any point, it goes on where it was: what is
/// sealed anew already is passed over. A secret that somebody replaces meanwhile is left as they wrote it.
///
/// # Errors
/// When the database is not to be had, or the key in force is not in the key file.
pub async fn reseal(app: &App) -> AppResult<Resealed> {
    let key = app.keyring.sealing_key()?;
    let mut resealed = Resealed::default();
    for column in sealed::COLUMNS {
        let mut after = None;
        while let Some(last) = batch(app, column, key, after, &mut resealed).await? {
            after = Some(last);
        }
    }
    Ok(resealed)
}

/// One batch behind `after`; the last row of it, or `None` when there was none.
async fn batch(
    app: &App,
    column: &SealedColumn,
    key: i32,
    after: Option<Uuid>,
    resealed: &mut Resealed,
) -> AppResult<Option<Uuid>> {
    let mut tx = app.begin().await?;
    let rows = column.page_not_of(&mut tx, key, after, BATCH).await?;
    for (row, content) in &rows {
        let place = Place { table: column.table, row: *row, column: column.sealed_for };
        match app.keyring.open_sealed(place, content) {
            Ok(plaintext) => {
                let sealed = app.keyring.seal_with(key, place, &plaintext, app.entropy.as_ref())?;
                resealed.done += u64::from(column.replace(&mut tx, *row, content, &sealed).await?);
            }
            Err(trouble) => {
                resealed.unreadable.push((format!("{} {row} {}", column.table, column.column), trouble));
            }
        }
    }
    commit(tx).await?;
    Ok(rows.last().map(|(row, _)| *row))
}

/// How many secrets are sealed with each master key: (id, count).
///
/// # Errors
/// When the database is not to be had.
pub async fn count_by_key(app: &App) -> AppResult<Vec<(i64, i64)>> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    Ok(sealed::count_by_key(&mut connection).await?.into_iter().collect())
}
