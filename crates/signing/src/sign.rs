//! The dashboard's half.

use crate::components::{
    Answer, CONTENT_DIGEST_HEADER, COVERED, DATE_HEADER, KEY_DIGEST_HEADER, LABEL, SERVER_ID_HEADER, Values,
    content_digest, http_date, server_id_text,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use httpsig::prelude::message_component::HttpMessageComponentId;
use httpsig::prelude::{
    AlgorithmName, HttpSigError, HttpSignatureBase, HttpSignatureParams, PublicKey, SigningKey, VerifyingKey as _,
};
use proxima_types::identity::DashboardPublicKey;
use zeroize::Zeroizing;

/// A failure that a valid key and a header-safe nonce cannot cause.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the answer could not be signed: {0}")]
    Signature(#[from] HttpSigError),
    #[error("the signing key is not an Ed25519 key")]
    KeyKind,
    #[error("a signed value is not a header value")]
    Header(#[from] http::header::InvalidHeaderValue),
}

/// Holds the dashboard's private signing key.
pub struct AnswerSigner {
    secret: Secret,
    public: DashboardPublicKey,
    covered: Vec<HttpMessageComponentId>,
}

/// Signs with `aws-lc-rs`, which is there for TLS anyway: five times as fast as `httpsig`'s own Ed25519.
struct Secret {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl SigningKey for Secret {
    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, HttpSigError> {
        Ok(self.pair.sign(data).as_ref().to_vec())
    }

    fn key_id(&self) -> String {
        self.key_id.clone()
    }

    fn alg(&self) -> AlgorithmName {
        AlgorithmName::Ed25519
    }
}

impl AnswerSigner {
    /// `seed` is the 32-byte Ed25519 private key.
    ///
    /// # Errors
    /// Never for 32 bytes; passed through from the libraries.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Result<Self, SigningError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| SigningError::KeyKind)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SigningError::KeyKind)?;
        let public = DashboardPublicKey(public);
        let covered = COVERED.iter().map(|id| HttpMessageComponentId::try_from(*id)).collect::<Result<_, _>>()?;
        let key_id = key_id(public);
        Ok(Self { secret: Secret { pair, key_id }, public, covered })
    }

    #[must_use]
    pub fn public_key(&self) -> DashboardPublicKey {
        self.public
    }

    /// A plain Ed25519 signature. What is signed must not be readable as an answer's signature base, which begins with `"`.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.secret.pair.sign(bytes).as_ref().to_vec()
    }

    /// The headers to set on the answer: date, key digest, server id, content digest, signature.
    ///
    /// # Errors
    /// When a value cannot stand in a header.
    pub fn sign(&self, answer: &Answer<'_>) -> Result<HeaderMap, SigningError> {
        let key_digest = answer.key_digest.to_string();
        let server_id = server_id_text(answer.server_id);
        let date = http_date(answer.date);
        let content_digest = content_digest(answer.body);
        let values = Values {
            status: answer.status,
            nonce: answer.nonce,
            key_digest: &key_digest,
            server_id: &server_id,
            date: &date,
            content_digest: &content_digest,
        };
        let mut params = HttpSignatureParams::try_new(&self.covered)?;
        params.set_created(u64::try_from(answer.date.timestamp()).unwrap_or_default());
        params.set_alg(&AlgorithmName::Ed25519);
        params.set_keyid(&self.secret.key_id);
        let signature = HttpSignatureBase::try_new(&values.lines()?, &params)?
            .build_signature_headers(&self.secret, Some(LABEL))?;
        let mut headers = HeaderMap::with_capacity(6);
        for (name, value) in [
            (DATE_HEADER, date),
            (KEY_DIGEST_HEADER, key_digest),
            (SERVER_ID_HEADER, server_id),
            (CONTENT_DIGEST_HEADER, content_digest),
            ("signature-input", signature.signature_input_header_value()),
            ("signature", signature.signature_header_value()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
        }
        Ok(headers)
    }
}

/// How a signature names its key (`keyid`): the library's digest of the public key. Empty for 32 bytes that are no key.
#[must_use]
pub fn key_id(public: DashboardPublicKey) -> String {
    PublicKey::from_bytes(&AlgorithmName::Ed25519, &public.0).map(|key| key.key_id()).unwrap_or_default()
}
