//! A certificate with its key, and what is wrong with it.

use anyhow::Context as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

/// A certificate that can be served.
pub struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    /// Organization and name of whoever signed it.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Why browsers or gateways will refuse it, although it can be served.
    pub defects: Vec<String>,
}

/// What the two halves are called where something is wrong.
pub(super) struct Names<'a> {
    pub cert: &'a str,
    pub key: &'a str,
}

impl Pair {
    /// Looks whether both halves fit each other, the time and the host.
    ///
    /// # Errors
    /// One sentence that names the half and the remedy, when they cannot be served at all.
    pub(super) fn of(
        chain: Vec<CertificateDer<'static>>,
        private: PrivateKeyDer<'static>,
        names: &Names<'_>,
        host: &str,
        now: UnixTime,
    ) -> anyhow::Result<Self> {
        let Names { cert, key } = names;
        anyhow::ensure!(!chain.is_empty(), "{cert} holds no certificate: it must begin with the dashboard's own");
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| {
            anyhow::anyhow!(
                "{key} is not the key of the first certificate in {cert}: {error}. The dashboard's own certificate comes first, \
                 those that signed it behind it"
            )
        })?;
        let mut defects = Vec::new();
        let (issuer, not_after) = look(&certified.cert, cert, host, now, &mut defects)?;
        Ok(Self { key: Arc::new(certified), issuer, not_after, defects })
    }
}

fn look(
    chain: &[CertificateDer<'static>],
    shown: &str,
    host: &str,
    now: UnixTime,
    defects: &mut Vec<String>,
) -> anyhow::Result<(String, i64)> {
    let parsed = chain
        .iter()
        .map(|cert| X509Certificate::from_der(cert).map(|(_, parsed)| parsed))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| anyhow::anyhow!("{shown} holds a malformed certificate: {error}"))?;
    let own = parsed.first().context("an empty chain")?;
    for (index, pair) in parsed.windows(2).enumerate() {
        if pair[0].issuer() != pair[1].subject() {
            defects.push(format!(
                "{shown}: certificate {} was not signed by certificate {}: put the chain into order, the dashboard's own first",
                index + 1,
                index + 2
            ));
        }
    }
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    for (index, cert) in parsed.iter().enumerate() {
        let (from, to) = (cert.validity().not_before, cert.validity().not_after);
        if to.timestamp() <= now {
            defects.push(format!("{shown}: certificate {} expired at {to}: renew it", index + 1));
        } else if from.timestamp() > now {
            defects.push(format!(
                "{shown}: certificate {} counts from {from} on: look at this machine's clock",
                index + 1
            ));
        }
    }
    let name = ServerName::try_from(host).context("the public URL's host is not a name")?;
    let end = ParsedCertificate::try_from(&chain[0])?;
    if rustls::client::verify_server_name(&end, &name).is_err() {
        defects.push(format!("{shown} is not for {host}, the host of the public URL: have one issued for it"));
    }
    Ok((name_of(own.issuer()), own.validity().not_after.timestamp()))
}

/// "Let's Encrypt, R11".
fn name_of(issuer: &X509Name<'_>) -> String {
    let parts = issuer.iter_organization().chain(issuer.iter_common_name());
    let parts: Vec<&str> = parts.filter_map(|part| part.as_str().ok()).collect();
    if parts.is_empty() { issuer.to_string() } else { parts.join(", ") }
}
