//! What an authority finds when it looks whether the host is ours: a certificate signed by nobody, which holds the digest that
//! only the account's owner can know (RFC 8737, section 3).

use anyhow::Context as _;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

/// The protocol that the authority asks for in its TLS handshake, and nobody else does.
pub const ALPN: &[u8] = b"acme-tls/1";

/// The certificate for the digest of a key authorization.
///
/// # Errors
/// When it cannot be made.
pub fn certificate(host: &str, digest: &[u8; 32]) -> anyhow::Result<CertifiedKey> {
    let mut params = CertificateParams::new(vec![host.to_owned()]).context("a name for a certificate")?;
    params.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    // Not looked at: its critical extension is none that a certificate for visitors may have.
    Ok(CertifiedKey::new(vec![cert.der().clone()], aws_lc_rs::sign::any_supported_type(&private)?))
}
