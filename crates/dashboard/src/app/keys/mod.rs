//! The keys' life (invariant 14): which there are, whether this dashboard holds the right ones, and how they are replaced.
//!
//! The database says which master key seals and which signing keys gateways are to trust ([`Ledger`]); the key file has the
//! keys. [`refresh`] brings both together, at the start and every few seconds.

mod adopt;
mod reseal;
pub mod rotate_master;
pub mod rotate_signing;
mod view;

pub use adopt::adopt;
pub use reseal::{Resealed, count_by_key, reseal};
pub use view::{KeysView, SigningKeyView, get};

use super::{App, AppResult};
use crate::keyring::{Ledger, MasterEntry, MasterState, SigningEntry};
use proxima_db::{DbError, PgConnection, keys};
use proxima_types::identity::DashboardPublicKey;

/// The database's word on the keys.
///
/// # Errors
/// When the database is not to be had.
pub async fn ledger(connection: &mut PgConnection) -> AppResult<Ledger> {
    let masters = keys::masters(&mut *connection).await?;
    let signing = keys::signing(connection).await?;
    let entry = |row: keys::SigningKeyRow| {
        let public_key = DashboardPublicKey(row.public_key.try_into().ok()?);
        Some(SigningEntry { id: row.id, public_key, live: row.state == "LIVE" })
    };
    Ok(Ledger {
        masters: masters
            .into_iter()
            .map(|row| MasterEntry { id: row.id, state: MasterState::parse(&row.state), canary: row.canary_ciphertext })
            .collect(),
        signing: signing.into_iter().filter_map(entry).collect(),
    })
}

/// Reads the key file again if it has changed, and what the database says of the keys.
///
/// # Errors
/// When the database is not to be had; then what was known stays in force.
pub async fn refresh(app: &App) -> AppResult<()> {
    app.keyring.reload();
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let ledger = ledger(&mut connection).await?;
    app.keyring.follow(ledger);
    Ok(())
}
