//! One account, one order, one certificate.

use super::{Authority, Credentials, ExternalAccount};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::time::Duration;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

/// How long the authority may take to look at the host, and to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(90));

/// Makes the dashboard's port answer with a digest.
pub type Show<'a> = dyn Fn([u8; 32]) -> BoxFuture<'a, anyhow::Result<()>> + Send + Sync + 'a;

/// A certificate with its key.
pub struct Issued {
    /// PEM, the host's own certificate first.
    pub chain: String,
    /// PEM.
    pub key: Zeroizing<String>,
}

impl Issued {
    /// When it ends, and when it is to be renewed: after two thirds of its life, as authorities ask for.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn times(&self) -> anyhow::Result<(DateTime<Utc>, DateTime<Utc>)> {
        let own = CertificateDer::from_pem_slice(self.chain.as_bytes()).context("what was issued is no PEM")?;
        let (_, parsed) = X509Certificate::from_der(&own).context("what was issued is no certificate")?;
        let (from, to) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).context("a time in what was issued");
        Ok((moment(to)?, moment(to - (to - from) / 3)?))
    }
}

/// A new account.
///
/// # Errors
/// What the authority says, or why it cannot be asked.
pub async fn register(authority: &Authority) -> anyhow::Result<(Account, Credentials)> {
    let contact = contact_url(authority);
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let account = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = authority.external_account.as_ref().map(external_key).transpose()?;
    let (account, credentials) = builder(authority)?
        .create(&account, authority.directory.clone(), external.as_ref())
        .await
        .with_context(|| format!("no account at {}", authority.directory))?;
    Ok((account, Zeroizing::new(serde_json::to_string(&credentials)?)))
}

/// The account of stored credentials.
///
/// # Errors
/// As [`register`].
pub async fn open_account(authority: &Authority, credentials: &Credentials) -> anyhow::Result<Account> {
    let credentials: AccountCredentials =
        serde_json::from_str(credentials).map_err(|_| anyhow::anyhow!("the stored account is malformed"))?;
    builder(authority)?
        .from_credentials(credentials)
        .await
        .with_context(|| format!("{} cannot be asked", authority.directory))
}

/// Tells the authority the contact of the settings, in place of the one before.
///
/// # Errors
/// What the authority says of it.
pub async fn change_contact(account: &Account, authority: &Authority) -> anyhow::Result<()> {
    let contact = contact_url(authority);
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let told = account.update_contacts(&contact).await;
    told.with_context(|| format!("{} does not take the acme_contact of the settings", authority.directory))
}

fn contact_url(authority: &Authority) -> Option<String> {
    authority.contact.as_ref().map(|address| format!("mailto:{address}"))
}

fn builder(authority: &Authority) -> anyhow::Result<instant_acme::AccountBuilder> {
    match &authority.ca {
        Some(file) => Account::builder_with_root(file).with_context(|| format!("acme_ca {}", file.display())),
        None => Account::builder().context("the roots that this system trusts"),
    }
}

fn external_key(external: &ExternalAccount) -> anyhow::Result<ExternalAccountKey> {
    let file = external.key_file.display();
    let text = Zeroizing::new(
        std::fs::read_to_string(&external.key_file).with_context(|| format!("acme_eab_key_file {file}"))?,
    );
    let text = text.trim().trim_end_matches('=');
    let key = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
    let key = key
        .map_err(|_| anyhow::anyhow!("acme_eab_key_file {file} holds no base64url text, as the authority gives it"))?;
    Ok(ExternalAccountKey::new(external.key_id.clone(), &key))
}

/// Has a certificate issued for the host. `show` is called before the authority looks.
///
/// # Errors
/// What the authority says of the order and of the host.
pub async fn order(account: &Account, host: &str, show: &Show<'_>) -> anyhow::Result<Issued> {
    let identifiers = [Identifier::Dns(host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await.context("the order was refused")?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .context("the authority offers no tls-alpn-01 for this host: use certificate files instead")?;
        let digest = challenge.key_authorization().digest().as_ref().try_into()?;
        show(digest).await?;
        challenge.set_ready().await.map_err(|error| anyhow::anyhow!(unreached(host, &error.to_string())))?;
    }
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => anyhow::bail!(refusal(&mut order, host).await),
        Err(instant_acme::Error::Api(problem)) => anyhow::bail!(unreached(host, &problem.to_string())),
        Err(error) => return Err(error.into()),
    }
    let key = Zeroizing::new(order.finalize().await?);
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Issued { chain, key })
}

/// Whether an order failed because the authority does not know the account, or not any more (RFC 8555, 6.7): a new one helps.
#[must_use]
pub fn account_is_gone(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<instant_acme::Error>()).any(|cause| {
        let instant_acme::Error::Api(problem) = cause else { return false };
        let kind = problem.r#type.as_deref().unwrap_or_default();
        kind.ends_with(":accountDoesNotExist") || kind.ends_with(":unauthorized")
    })
}

/// Why the authority does not take the host for ours.
async fn refusal(order: &mut Order, host: &str) -> String {
    let mut said = None;
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        said = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()).map(ToString::to_string).or(said);
    }
    unreached(host, said.as_deref().unwrap_or("it gives no reason"))
}

fn unreached(host: &str, said: &str) -> String {
    format!(
        "the authority could not reach this dashboard as {host} on port 443: {said}. Look at the DNS name and the firewall"
    )
}
