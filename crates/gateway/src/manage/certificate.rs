//! The management API's key and certificate: made on this machine at the first start, kept in one
//! file of the state directory, never replaced unasked, because the dashboard pins the certificate.

use crate::agent::store;
use anyhow::Context as _;
use proxima_types::manage::CertificateFingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// Key and certificate, PEM, mode 0600.
const FILE: &str = "management.pem";
/// Nobody checks it: the certificate is known by its fingerprint.
const NAME: &str = "proxima-gateway";

/// What a TLS server needs.
pub(super) struct Certificate {
    pub fingerprint: CertificateFingerprint,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// Reads the certificate, or makes it when there is none. A damaged one is not replaced: that
    /// would look like another machine to the dashboard.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub(super) fn of(state_dir: &Path) -> anyhow::Result<Self> {
        match Self::load(state_dir)? {
            Some(certificate) => Ok(certificate),
            None => Self::renew(state_dir),
        }
    }

    /// `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(super) fn load(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = state_dir.join(FILE);
        let shown = path.display();
        match std::fs::read(&path) {
            Ok(pem) => Self::parse(&pem).map(Some).with_context(|| {
                format!("{shown} is damaged. Put it back, or run: proxima-gateway management-fingerprint --renew")
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {shown}")),
        }
    }

    /// Makes a new key and certificate in place of whatever is there. A gateway that runs goes on
    /// with what it has until its next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn renew(state_dir: &Path) -> anyhow::Result<Self> {
        let pem = generate().context("cannot make the management API's certificate")?;
        store::write_bytes(state_dir, FILE, pem.as_bytes())
            .with_context(|| format!("cannot write {}", state_dir.join(FILE).display()))?;
        Self::parse(pem.as_bytes())
    }

    fn parse(pem: &[u8]) -> anyhow::Result<Self> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| anyhow::anyhow!("it holds no private key"))?;
        let certificate =
            CertificateDer::from_pem_slice(pem).map_err(|_| anyhow::anyhow!("it holds no certificate"))?;
        Ok(Self { fingerprint: CertificateFingerprint::of_der(&certificate), certificate, key })
    }

    /// TLS 1.3 and HTTP/1.1 only; nothing is remembered between two connections.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub(super) fn into_tls(self) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate], self.key)
            .context("the management API's key and certificate do not fit")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

/// Valid for ever: what is pinned needs no date, and the machine's clock may be wrong.
fn generate() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([NAME.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::tests::TempDir;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn made_once_private_and_kept_until_renewed() {
        let temp = TempDir::new();
        assert!(Certificate::load(&temp.0).expect("readable").is_none());
        let first = Certificate::of(&temp.0).expect("made");
        let mode = std::fs::metadata(temp.0.join(FILE)).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Certificate::of(&temp.0).expect("read");
        assert_eq!(again.fingerprint, first.fingerprint);
        assert!(again.into_tls().is_ok());
        let renewed = Certificate::renew(&temp.0).expect("made");
        assert_ne!(renewed.fingerprint, first.fingerprint);
        assert_eq!(Certificate::of(&temp.0).expect("read").fingerprint, renewed.fingerprint);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_replaced() {
        let temp = TempDir::new();
        Certificate::of(&temp.0).expect("made");
        let path = temp.0.join(FILE);
        let whole = std::fs::read_to_string(&path).expect("text");
        for damage in ["", "nonsense", &whole[..whole.len() / 2]] {
            std::fs::write(&path, damage).expect("written");
            let error = Certificate::of(&temp.0).err().map(|error| format!("{error:#}")).expect("damaged");
            assert!(error.contains("--renew") && !error.contains("PRIVATE"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).expect("text"), damage);
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let temp = TempDir::new();
        let (one, two) = (generate().expect("made"), generate().expect("made"));
        let split = |pem: &str| pem.find("-----BEGIN CERTIFICATE").expect("a certificate");
        let mixed = format!("{}{}", &one[..split(&one)], &two[split(&two)..]);
        std::fs::write(temp.0.join(FILE), mixed).expect("written");
        assert!(Certificate::of(&temp.0).expect("readable").into_tls().is_err());
    }
}
