//! The account at the authority: made for the first order, kept for the next ones, and brought to what the settings say now.

use crate::acme::{self, Authority, Credentials};
use crate::app::{App, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use instant_acme::Account;
use proxima_db::acme::{self as db, AccountRow};
use uuid::Uuid;

/// How long an authority may take for a change of the account.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

fn place(id: Uuid) -> Place<'static> {
    Place { table: "acme_accounts", row: id, column: "credentials" }
}

/// The stored account; a new one where there is none, its credentials cannot be opened, or it is bound by another key than the
/// settings name: an account cannot be bound anew (RFC 8555, 7.3.4).
///
/// # Errors
/// What the authority says, or that the database is not to be had.
pub(super) async fn have(app: &App, authority: &Authority) -> anyhow::Result<Account> {
    match stored(app, authority).await? {
        Some((row, credentials)) if !is_bound_otherwise(&row, authority) => {
            acme::open_account(authority, &credentials).await
        }
        _ => {
            let (account, credentials) = acme::register(authority).await?;
            keep(app, authority, &credentials).await;
            Ok(account)
        }
    }
}

/// Brings a stored account to the contact of the settings, now: the next order may be two months away, and it is the address
/// that the authority warns.
///
/// # Errors
/// What the authority says, or that the database is not to be had.
pub async fn follow_settings(app: &App, authority: &Authority) -> anyhow::Result<()> {
    let Some((row, credentials)) = stored(app, authority).await? else { return Ok(()) };
    // One that the next order replaces is told nothing any more.
    if row.contact == authority.contact || is_bound_otherwise(&row, authority) {
        return Ok(());
    }
    let told = async {
        let account = acme::open_account(authority, &credentials).await?;
        acme::change_contact(&account, authority).await
    };
    let told = tokio::time::timeout(WITHIN, told).await;
    told.map_err(|_| anyhow::anyhow!("{} does not answer", authority.directory))??;
    let mut connection = app.db.acquire().await?;
    db::set_contact(&mut connection, row.id, authority.contact.as_deref()).await?;
    tracing::info!(directory = authority.directory, "the certificate authority was told the new contact");
    Ok(())
}

/// Without a key in the settings the account stays as it was bound.
fn is_bound_otherwise(row: &AccountRow, authority: &Authority) -> bool {
    authority.external_account.as_ref().is_some_and(|external| row.external_key_id.as_ref() != Some(&external.key_id))
}

async fn stored(app: &App, authority: &Authority) -> anyhow::Result<Option<(AccountRow, Credentials)>> {
    let mut connection = app.db.acquire().await?;
    let Some(row) = db::account(&mut connection, &authority.directory).await? else { return Ok(None) };
    let credentials = app.keyring.open_sealed(place(row.id), &row.credentials_ciphertext).ok();
    Ok(credentials.map(|credentials| (row, credentials)))
}

/// Without it the next order makes an account anew.
async fn keep(app: &App, authority: &Authority, credentials: &Credentials) {
    let id = app.entropy.uuid();
    let kept = async {
        let row = AccountRow {
            id,
            credentials_ciphertext: app.keyring.seal(place(id), credentials, app.entropy.as_ref())?,
            contact: authority.contact.clone(),
            external_key_id: authority.external_account.as_ref().map(|external| external.key_id.clone()),
        };
        let mut tx = app.begin().await?;
        db::replace_account(&mut tx, &authority.directory, &row).await?;
        anyhow::Ok(commit(tx).await?)
    };
    if let Err(error) = kept.await {
        tracing::warn!(error = format!("{error:#}"), "the account at the certificate authority could not be stored");
    }
}
