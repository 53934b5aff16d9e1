//! The first start with a database: it learns which keys it is used with.

use crate::app::{App, AppResult, commit};
use crate::keyring::Place;
use proxima_db::{PgConnection, keys, sealed};
use proxima_signing::key_id;

/// Records the keys of the key file in a database that knows none yet. Of a database that was filled before it knew keys,
/// only with keys that open what is in it. Nothing is audited: nothing changes but what is known.
///
/// # Errors
/// When the database is not to be had.
pub async fn adopt(app: &App) -> AppResult<()> {
    app.keyring.reload();
    let mut tx = app.begin().await?;
    keys::lock(&mut tx).await?;
    if keys::masters(&mut tx).await?.is_empty() && opens_what_is_there(app, &mut tx).await? {
        let ids = app.keyring.master_ids();
        for (position, id) in ids.iter().enumerate() {
            let canary = app.keyring.canary(*id, app.entropy.as_ref())?;
            let state = if position + 1 == ids.len() { "ACTIVE" } else { "REPLACED" };
            keys::insert_master(&mut tx, *id, state, &canary).await?;
        }
    }
    if keys::signing(&mut tx).await?.is_empty() {
        for id in app.keyring.signing_ids() {
            if let Some(public) = app.keyring.public_key_of(id) {
                keys::insert_signing(&mut tx, id, &public.0, &key_id(public)).await?;
            }
        }
    }
    let ledger = super::ledger(&mut tx).await?;
    commit(tx).await?;
    app.keyring.follow(ledger);
    Ok(())
}

/// Whether the key file opens a sample of each kind of secret that is stored.
async fn opens_what_is_there(app: &App, connection: &mut PgConnection) -> AppResult<bool> {
    let mut tried = 0;
    for column in sealed::COLUMNS {
        let Some((row, content)) = column.sample(connection).await? else { continue };
        let place = Place { table: column.table, row, column: column.sealed_for };
        if app.keyring.open_sealed(place, &content).is_ok() {
            return Ok(true);
        }
        tried += 1;
    }
    Ok(tried == 0)
}
