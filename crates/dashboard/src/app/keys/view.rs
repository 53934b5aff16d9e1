//! What admins are shown of the keys: never a key.

use crate::app::{AdminActor, App, AppResult};
use proxima_db::DbError;
use proxima_db::keys::{self, DashboardRow, MasterKeyRow, SigningKeyRow};

/// The keys of this installation, and who holds them.
#[derive(Debug)]
pub struct KeysView {
    /// With whether this dashboard holds it.
    pub masters: Vec<(MasterKeyRow, bool)>,
    pub signing: Vec<SigningKeyView>,
    /// Servers with an installation.
    pub gateways: i64,
    pub dashboards: Vec<DashboardRow>,
    /// What this dashboard misses.
    pub problems: Vec<String>,
}

#[derive(Debug)]
pub struct SigningKeyView {
    pub row: SigningKeyRow,
    /// This dashboard holds it.
    pub held: bool,
    /// Servers whose newest installation trusts it.
    pub gateways: i64,
}

/// # Errors
/// When the database is not to be had.
pub async fn get(app: &App, _admin: &AdminActor) -> AppResult<KeysView> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let (masters, signing) = (keys::masters(&mut connection).await?, keys::signing(&mut connection).await?);
    let trust = keys::trust(&mut connection).await?;
    let dashboards = keys::running(&mut connection).await?;
    let (held, signs) = (app.keyring.master_ids(), app.keyring.signing_ids());
    let trusting = |key_id: &str| {
        let named = |trusted: &Option<String>| trusted.iter().any(|ids| ids.split(' ').any(|id| id == key_id));
        trust.iter().filter(|(trusted, _)| named(trusted)).map(|(_, servers)| servers).sum()
    };
    let view = |row: SigningKeyRow| {
        let (held, gateways) = (signs.contains(&row.id), trusting(&row.key_id));
        SigningKeyView { row, held, gateways }
    };
    Ok(KeysView {
        masters: masters.into_iter().map(|row| (held.contains(&row.id), row)).map(|(held, row)| (row, held)).collect(),
        signing: signing.into_iter().map(view).collect(),
        gateways: trust.iter().map(|(_, servers)| servers).sum(),
        dashboards,
        problems: app.keyring.problems(),
    })
}
