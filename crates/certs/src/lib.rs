//! A certificate chain with its private key, and what is wrong with it. For the dashboard's own and for the gateways'.

use anyhow::Context as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::net::IpAddr;
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};

/// A certificate that can be served.
#[derive(Debug, Clone)]
pub struct Pair {
    pub key: Arc<CertifiedKey>,
    /// The DNS names and addresses that it is for, in small letters; a name may begin with `*.`.
    pub names: Vec<String>,
    /// Organization and name of whoever signed it.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Why clients will refuse it, although it can be served.
    pub defects: Vec<String>,
}

/// What the two halves are called where something is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub cert: &'a str,
    pub key: &'a str,
}

impl Pair {
    /// Looks whether both halves, in PEM, fit each other and the time.
    ///
    /// # Errors
    /// One sentence that names the half and the remedy, when they cannot be served at all. Never a part of the key.
    pub fn from_pem(chain: &[u8], private: &[u8], names: &Names<'_>, now: UnixTime) -> anyhow::Result<Self> {
        let Names { cert, key } = names;
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| anyhow::anyhow!("{cert} cannot be read as PEM: {error}"))?;
        anyhow::ensure!(!chain.is_empty(), "{cert} holds no certificate: the site's own must be the first");
        let private = PrivateKeyDer::from_pem_slice(private)
            .map_err(|error| anyhow::anyhow!("{key} cannot be read as a private key in PEM: {error}"))?;
        Self::of(chain, private, names, now)
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        private: PrivateKeyDer<'static>,
        halves: &Names<'_>,
        now: UnixTime,
    ) -> anyhow::Result<Self> {
        let Names { cert, key } = halves;
        let key = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| {
            anyhow::anyhow!(
                "{key} is not the key of the first certificate in {cert}: {error}. The site's own certificate comes first, \
                 those that signed it behind it"
            )
        })?;
        let parsed = key
            .cert
            .iter()
            .map(|cert| X509Certificate::from_der(cert).map(|(_, parsed)| parsed))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| anyhow::anyhow!("{cert} holds a malformed certificate: {error}"))?;
        let own = parsed.first().context("an empty chain")?;
        let (names, issuer) = (names_of(own), name_of(own.issuer()));
        let not_after = own.validity().not_after.timestamp();
        let defects = defects(&parsed, cert, now);
        Ok(Self { key: Arc::new(key), names, issuer, not_after, defects })
    }

    /// Notes it as a defect when the certificate is not for `host`, which is what `whose` says.
    ///
    /// # Errors
    /// When the host is no name.
    pub fn expect_host(&mut self, host: &str, cert: &str, whose: &str) -> anyhow::Result<()> {
        let name = ServerName::try_from(host).with_context(|| format!("{whose} is not a name"))?;
        let end = ParsedCertificate::try_from(&self.key.cert[0])?;
        if rustls::client::verify_server_name(&end, &name).is_err() {
            self.defects.push(format!("{cert} is not for {host}, {whose}: have one issued for it"));
        }
        Ok(())
    }
}

fn defects(chain: &[X509Certificate<'_>], shown: &str, now: UnixTime) -> Vec<String> {
    let mut defects = Vec::new();
    for (index, pair) in chain.windows(2).enumerate() {
        if pair[0].issuer() != pair[1].subject() {
            defects.push(format!(
                "{shown}: certificate {} was not signed by certificate {}: put the chain into order, the site's own first",
                index + 1,
                index + 2
            ));
        }
    }
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    for (index, cert) in chain.iter().enumerate() {
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
    defects
}

/// Of its subject alternative names: the common name counts for nobody any more (RFC 9525 section 2).
fn names_of(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = cert.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

/// "Let's Encrypt, R11".
fn name_of(issuer: &X509Name<'_>) -> String {
    let parts = issuer.iter_organization().chain(issuer.iter_common_name());
    let parts: Vec<&str> = parts.filter_map(|part| part.as_str().ok()).collect();
    if parts.is_empty() { issuer.to_string() } else { parts.join(", ") }
}
