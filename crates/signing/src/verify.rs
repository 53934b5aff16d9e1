//! The gateway's half.

use crate::components::{
    CONTENT_DIGEST_HEADER, COVERED, DATE_HEADER, KEY_DIGEST_HEADER, LABEL, SERVER_ID_HEADER, Values, content_digest,
    server_id_text,
};
use crate::sign::key_id;
use http::HeaderMap;
use httpsig::prelude::{AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, PublicKey};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{KeyDigest, ServerId};

/// What the gateway asked with, and so what an authentic answer must name.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The nonce of this very request: the only proof of freshness. The date is signed but never
    /// compared with the gateway's own clock.
    pub nonce: &'a str,
    pub key_digest: KeyDigest,
    pub server_id: ServerId,
}

/// Why an answer is not the dashboard's. To the gateway all of them are silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the answer is not signed")]
    Unsigned,
    #[error("the answer's signature is malformed")]
    Malformed,
    #[error("the answer's signature does not cover what it must")]
    Covered,
    #[error("the answer is signed with a key that config.json does not name")]
    UnknownKey,
    #[error("the answer's signature does not match")]
    Signature,
    #[error("the answer's body is not the signed one")]
    Body,
    #[error("the answer is for another license key")]
    OtherKey,
    #[error("the answer names no server: the dashboard could not judge the license")]
    NoServer,
    #[error("the answer is for another server")]
    OtherServer,
}

/// Checks that one of `keys` signed exactly this answer to exactly this request.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn verify(
    keys: &[DashboardPublicKey],
    expected: Expected<'_>,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), VerifyError> {
    let signature = our_signature(headers)?;
    let params = signature.signature_params();
    if !params.covered_components.iter().map(ToString::to_string).eq(COVERED) || params.expires.is_some() {
        return Err(VerifyError::Covered);
    }
    let key = keys
        .iter()
        .find(|key| params.keyid.as_deref().is_some_and(|named| !named.is_empty() && key_id(**key) == named))
        .ok_or(VerifyError::UnknownKey)?;
    let key = PublicKey::from_bytes(&AlgorithmName::Ed25519, &key.0).map_err(|_| VerifyError::UnknownKey)?;

    let values = Values {
        status,
        nonce: expected.nonce,
        key_digest: header(headers, KEY_DIGEST_HEADER)?,
        server_id: header(headers, SERVER_ID_HEADER)?,
        date: header(headers, DATE_HEADER)?,
        content_digest: header(headers, CONTENT_DIGEST_HEADER)?,
    };
    HttpSignatureBase::try_new(&values.lines().map_err(|_| VerifyError::Malformed)?, params)
        .and_then(|base| base.verify_signature_headers(&key, &signature))
        .map_err(|_| VerifyError::Signature)?;

    if values.content_digest != content_digest(body) {
        Err(VerifyError::Body)
    } else if values.key_digest != expected.key_digest.to_string() {
        Err(VerifyError::OtherKey)
    } else if values.server_id == server_id_text(None) {
        Err(VerifyError::NoServer)
    } else if values.server_id != server_id_text(Some(expected.server_id)) {
        Err(VerifyError::OtherServer)
    } else {
        Ok(())
    }
}

/// Whether `key` made this plain Ed25519 signature over these bytes.
#[must_use]
pub fn verify_bytes(key: DashboardPublicKey, bytes: &[u8], signature: &[u8]) -> bool {
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, key.0).verify(bytes, signature).is_ok()
}

/// The signature with our label. Duplicated headers are refused: which of two counts would be a
/// matter of taste.
fn our_signature(headers: &HeaderMap) -> Result<HttpSignatureHeaders, VerifyError> {
    if !headers.contains_key("signature") || !headers.contains_key("signature-input") {
        return Err(VerifyError::Unsigned);
    }
    HttpSignatureHeaders::try_parse(header(headers, "signature")?, header(headers, "signature-input")?)
        .map_err(|_| VerifyError::Malformed)?
        .get(LABEL)
        .cloned()
        .ok_or(VerifyError::Unsigned)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, VerifyError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| VerifyError::Malformed),
        _ => Err(VerifyError::Malformed),
    }
}
