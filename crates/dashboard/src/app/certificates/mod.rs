//! The certificate of the public URL, issued by an authority (`acme`): one for all dashboards on the database. Whoever finds it
//! due has it renewed; the others take what it stored.

mod account;
mod questions;
mod report;

pub use account::follow_settings;
pub use questions::Questions;
pub use report::{CertificateState, Report, Shown, ShownCertificate, report};

use super::{Actor, App, AppResult, audit, commit};
use crate::acme::{self, Authority, Issued};
use crate::keyring::Place;
use chrono::Duration;
use futures_util::FutureExt as _;
use proxima_db::acme::{self as db, CertificateRow, Claim, Haste};
use proxima_db::servers::interval;
use proxima_db::{DbError, PgConnection};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

/// An authority that does not answer for so long has failed.
const ORDER_WITHIN: std::time::Duration = std::time::Duration::from_secs(240);
/// So long nobody else tries; longer than an order takes.
const LEASE: Duration = Duration::minutes(5);
/// From a first failure to the next attempt; doubled for each further one. Authorities refuse more than five an hour.
const RETRY: Duration = Duration::minutes(2);
const LONGEST: Duration = Duration::hours(6);
/// After a certificate that could not be stored: authorities issue few for the same host in a week.
const UNSTORED: Duration = Duration::days(1);
/// Characters of a failure that are kept.
const TOLD: usize = 500;

/// A certificate to serve.
pub struct Certificate {
    pub chain: String,
    pub key: Zeroizing<String>,
}

/// What the database has.
pub enum Stored {
    /// What was seen last, or nothing.
    Nothing,
    Certificate(Certificate),
    /// One whose key this dashboard cannot open.
    Sealed,
}

/// The certificate that is stored, unless it is the one of `seen` (its chain), or there is none.
///
/// # Errors
/// When the database is not to be had.
pub async fn stored(app: &App, authority: &Authority, seen: Option<&str>) -> AppResult<Stored> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let row = db::find(&mut connection, &authority.host, &authority.directory).await?;
    let Some(CertificateRow { id, chain: Some(chain), key_ciphertext: Some(sealed), .. }) = row else {
        return Ok(Stored::Nothing);
    };
    if seen == Some(chain.as_str()) {
        return Ok(Stored::Nothing);
    }
    Ok(match app.keyring.open_sealed(key_place(id), &sealed) {
        Ok(key) => Stored::Certificate(Certificate { chain, key }),
        Err(_) => Stored::Sealed,
    })
}

fn key_place(id: Uuid) -> Place<'static> {
    Place { table: "acme_certificates", row: id, column: "key" }
}

/// The digest for the authority's question at `host`, if there is one now.
pub async fn challenge(app: &App, host: &str) -> Option<[u8; 32]> {
    let mut connection = app.db.acquire().await.ok()?;
    db::challenge(&mut connection, host).await.ok()??.try_into().ok()
}

/// Has the certificate issued when it is due and nobody else is at it, by this process (`claimant`). It is given back, also
/// where it could not be stored: then it lasts as long as the process.
///
/// # Errors
/// When the database is not to be had. What goes wrong with the authority is written down instead.
pub async fn renew(app: &App, authority: &Authority, claimant: Uuid, haste: Haste) -> AppResult<Option<Certificate>> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let (host, directory) = (&authority.host, &authority.directory);
    let claimed = db::claim(&mut connection, claimant, host, directory, interval(LEASE), haste).await?;
    let Some(certificate) = claimed else { return Ok(None) };
    drop(connection);
    let claim = Claim { certificate, claimant };
    tracing::info!(host, directory, "a certificate is ordered");
    let issued = match tokio::time::timeout(ORDER_WITHIN, issue(app, authority, claim)).await {
        Ok(Ok(issued)) => issued,
        Ok(Err(error)) => return fail(app, authority, claim, error, (RETRY, LONGEST)).await.map(|()| None),
        Err(_) => {
            let error = anyhow::anyhow!("{directory} does not answer, or not to the end");
            return fail(app, authority, claim, error, (RETRY, LONGEST)).await.map(|()| None);
        }
    };
    if let Err(error) = keep(app, authority, claim, &issued).await {
        let error = error.context("a certificate was issued and could not be stored");
        if let Err(error) = fail(app, authority, claim, error, (UNSTORED, UNSTORED)).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "nor could that be written down");
        }
    }
    Ok(Some(Certificate { chain: issued.chain, key: issued.key }))
}

/// Whether what is issued can be stored here.
#[must_use]
pub fn can_be_stored(app: &App) -> bool {
    app.keyring.sealing_key().is_ok()
}

/// Lets go of an order under way, because the process ends.
pub async fn let_go(app: &App, claimant: Uuid) {
    let Ok(mut connection) = app.db.acquire().await else { return };
    let _ = db::let_go(&mut connection, claimant).await;
}

async fn issue(app: &App, authority: &Authority, claim: Claim) -> anyhow::Result<Issued> {
    let account = account::have(app, authority).await?;
    let show = |digest| show(app, claim, digest).boxed();
    let issued = acme::order(&account, &authority.host, &show).await;
    if issued.as_ref().is_err_and(acme::account_is_gone) {
        let mut connection = app.db.acquire().await?;
        db::forget_account(&mut connection, &authority.directory).await?;
    }
    issued
}

async fn show(app: &App, claim: Claim, digest: [u8; 32]) -> anyhow::Result<()> {
    let mut connection = app.db.acquire().await?;
    Ok(db::show_challenge(&mut connection, claim, &digest, interval(LEASE)).await?)
}

async fn keep(app: &App, authority: &Authority, claim: Claim, issued: &Issued) -> anyhow::Result<()> {
    let (not_after, renew_at) = issued.times()?;
    let key_ciphertext = app.keyring.seal(key_place(claim.certificate), &issued.key, app.entropy.as_ref())?;
    let mut tx = app.begin().await?;
    let row = db::Issued { chain: &issued.chain, key_ciphertext: &key_ciphertext, not_after, renew_at };
    db::store(&mut tx, claim, row).await?;
    let metadata = json!({ "host": authority.host, "authority": authority.directory, "notAfter": not_after });
    audit::succeeded(&mut tx, &Actor::system(), "certificate.issue", None, metadata).await?;
    Ok(commit(tx).await?)
}

async fn fail(
    app: &App,
    authority: &Authority,
    claim: Claim,
    error: anyhow::Error,
    (wait, longest): (Duration, Duration),
) -> AppResult<()> {
    let told: String = format!("{error:#}").chars().filter(|c| !c.is_control()).take(TOLD).collect();
    metrics::counter!("proxima_acme_failures_total").increment(1);
    tracing::error!(host = authority.host, error = told, "no certificate: it is tried again");
    let mut tx = app.begin().await?;
    db::fail(&mut tx, claim, &told, interval(wait), interval(longest)).await?;
    note_failure(&mut tx, authority, &told).await?;
    commit(tx).await
}

async fn note_failure(connection: &mut PgConnection, authority: &Authority, told: &str) -> AppResult<()> {
    let metadata = json!({ "host": authority.host, "authority": authority.directory, "reason": told });
    audit::failed(connection, &Actor::system(), "certificate.issue", None, metadata).await
}
