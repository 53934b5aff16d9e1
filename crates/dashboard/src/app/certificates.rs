//! The certificate of the public URL, issued by an authority (`acme`): one for all dashboards on the database. Whoever finds it
//! due has it renewed; the others take what it stored.

use super::{Actor, App, AppResult, audit, commit};
use crate::acme::{self, Authority, Credentials, Issued};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use chrono::Duration;
use futures_util::FutureExt as _;
use proxima_db::acme::{self as db, CertificateRow};
use proxima_db::servers::interval;
use proxima_db::{DbError, PgConnection};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

/// An order takes less than this.
const LEASE: Duration = Duration::minutes(10);
/// From a first failure to the next attempt; doubled for each further one. Authorities refuse more than five an hour.
const RETRY: Duration = Duration::minutes(2);
const LONGEST: Duration = Duration::hours(6);
/// Characters of a failure that are kept.
const TOLD: usize = 500;

/// What is stored, opened.
pub struct Stored {
    pub chain: String,
    pub key: Zeroizing<String>,
}

/// The certificate that is stored, unless it is the one of `seen` (its chain), or there is none.
///
/// # Errors
/// When the database is not to be had.
pub async fn stored(app: &App, authority: &Authority, seen: Option<&str>) -> AppResult<Option<Stored>> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let Some(row) = db::find(&mut connection, &authority.host, &authority.directory).await? else { return Ok(None) };
    let CertificateRow { id, chain: Some(chain), key_ciphertext: Some(sealed), .. } = row else { return Ok(None) };
    if seen == Some(chain.as_str()) {
        return Ok(None);
    }
    match app.keyring.open_sealed(key_place(id), &sealed) {
        Ok(key) => Ok(Some(Stored { chain, key })),
        Err(trouble) if seen.is_none() => {
            if db::make_due(&mut connection, id).await? {
                tracing::error!(%trouble, "the certificate's key cannot be opened: a new one is ordered");
            }
            Ok(None)
        }
        Err(_) => Ok(None),
    }
}

fn key_place(id: Uuid) -> Place<'static> {
    Place { table: "acme_certificates", row: id, column: "key" }
}

fn account_place(id: Uuid) -> Place<'static> {
    Place { table: "acme_accounts", row: id, column: "credentials" }
}

/// The digest for the authority's question at `host`, if there is one now.
pub async fn challenge(app: &App, host: &str) -> Option<[u8; 32]> {
    let mut connection = app.db.acquire().await.ok()?;
    db::challenge(&mut connection, host).await.ok()??.try_into().ok()
}

/// Has the certificate issued when it is due and nobody else is at it. At once, when `now`; otherwise not before the next
/// attempt is. The certificate is given back too where it could not be stored.
///
/// # Errors
/// When the database is not to be had. What goes wrong with the authority is written down instead.
pub async fn renew(app: &App, authority: &Authority, now: bool) -> AppResult<Option<Stored>> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let (host, directory) = (&authority.host, &authority.directory);
    let claimed = db::claim(&mut connection, app.entropy.uuid(), host, directory, interval(LEASE), now).await?;
    let Some(id) = claimed else { return Ok(None) };
    drop(connection);
    tracing::info!(host, directory, "a certificate is ordered");
    let issued = match issue(app, authority, id).await {
        Ok(issued) => issued,
        Err(error) => {
            fail(app, authority, id, error).await?;
            return Ok(None);
        }
    };
    if let Err(error) = keep(app, authority, id, &issued).await {
        let error =
            error.context("the certificate was issued, and could not be stored: it lasts as long as this process");
        fail(app, authority, id, error).await?;
    }
    Ok(Some(Stored { chain: issued.chain, key: issued.key }))
}

async fn issue(app: &App, authority: &Authority, id: Uuid) -> anyhow::Result<Issued> {
    let account = match credentials(app, authority).await? {
        Some(credentials) => acme::open_account(authority, &credentials).await?,
        None => {
            let (account, credentials) = acme::register(authority).await?;
            keep_account(app, authority, &credentials).await;
            account
        }
    };
    let show = |digest| show(app, id, digest).boxed();
    acme::order(&account, &authority.host, &show).await
}

async fn show(app: &App, id: Uuid, digest: [u8; 32]) -> anyhow::Result<()> {
    let mut connection = app.db.acquire().await?;
    Ok(db::show_challenge(&mut connection, id, &digest, interval(LEASE)).await?)
}

async fn credentials(app: &App, authority: &Authority) -> anyhow::Result<Option<Credentials>> {
    let mut connection = app.db.acquire().await?;
    let Some((id, sealed)) = db::account(&mut connection, &authority.directory).await? else { return Ok(None) };
    Ok(app.keyring.open_sealed(account_place(id), &sealed).ok())
}

/// Without it the next order makes an account anew, which costs nothing.
async fn keep_account(app: &App, authority: &Authority, credentials: &Credentials) {
    let id = app.entropy.uuid();
    let kept = async {
        let sealed = app.keyring.seal(account_place(id), credentials, app.entropy.as_ref())?;
        let mut tx = app.begin().await?;
        db::replace_account(&mut tx, id, &authority.directory, &sealed).await?;
        anyhow::Ok(commit(tx).await?)
    };
    if let Err(error) = kept.await {
        tracing::warn!(error = format!("{error:#}"), "the account at the certificate authority could not be stored");
    }
}

async fn keep(app: &App, authority: &Authority, id: Uuid, issued: &Issued) -> anyhow::Result<()> {
    let (not_after, renew_at) = issued.times()?;
    let key_ciphertext = app.keyring.seal(key_place(id), &issued.key, app.entropy.as_ref())?;
    let mut tx = app.begin().await?;
    let row = db::Issued { chain: &issued.chain, key_ciphertext: &key_ciphertext, not_after, renew_at };
    db::store(&mut tx, id, row).await?;
    let metadata = json!({ "host": authority.host, "authority": authority.directory, "notAfter": not_after });
    audit::succeeded(&mut tx, &Actor::system(), "certificate.issue", None, metadata).await?;
    Ok(commit(tx).await?)
}

async fn fail(app: &App, authority: &Authority, id: Uuid, error: anyhow::Error) -> AppResult<()> {
    let told: String = format!("{error:#}").chars().filter(|c| !c.is_control()).take(TOLD).collect();
    metrics::counter!("proxima_acme_failures_total").increment(1);
    tracing::error!(host = authority.host, error = told, "no certificate: it is tried again");
    let mut tx = app.begin().await?;
    db::fail(&mut tx, id, &told, interval(RETRY), interval(LONGEST)).await?;
    note_failure(&mut tx, authority, &told).await?;
    commit(tx).await
}

async fn note_failure(connection: &mut PgConnection, authority: &Authority, told: &str) -> AppResult<()> {
    let metadata = json!({ "host": authority.host, "authority": authority.directory, "reason": told });
    audit::failed(connection, &Actor::system(), "certificate.issue", None, metadata).await
}
