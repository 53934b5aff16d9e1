//! What a signature covers, and how each part is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
use proxima_types::{KeyDigest, ServerId};
use sha2::{Digest as _, Sha256};

/// Response header: the SHA-256 digest of the license key that was presented.
pub const KEY_DIGEST_HEADER: &str = "proxima-key-digest";
/// Response header: the id of the server that the key is, or was, of; `-` for an unknown key.
pub const SERVER_ID_HEADER: &str = "proxima-server-id";
pub(crate) const CONTENT_DIGEST_HEADER: &str = "content-digest";
pub(crate) const DATE_HEADER: &str = "date";
/// The label of our signature in `Signature` and `Signature-Input`.
pub(crate) const LABEL: &str = "proxima";

/// The covered components, as RFC 9421 writes their identifiers.
pub(crate) const COVERED: [&str; 6] = [
    "\"@status\"",
    "\"proxima-nonce\";req",
    "\"proxima-key-digest\"",
    "\"proxima-server-id\"",
    "\"date\"",
    "\"content-digest\"",
];

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    /// Of the request that is answered.
    pub nonce: &'a str,
    pub key_digest: KeyDigest,
    /// `None` for a key that belongs to no server.
    pub server_id: Option<ServerId>,
    pub date: DateTime<Utc>,
    pub body: &'a [u8],
}

/// The text that stands for each covered component, in the order of [`COVERED`].
pub(crate) struct Values<'a> {
    pub status: u16,
    pub nonce: &'a str,
    pub key_digest: &'a str,
    pub server_id: &'a str,
    pub date: &'a str,
    pub content_digest: &'a str,
}

impl Values<'_> {
    pub(crate) fn lines(&self) -> Result<Vec<HttpMessageComponent>, httpsig::prelude::HttpSigError> {
        let status = self.status.to_string();
        let values = [status.as_str(), self.nonce, self.key_digest, self.server_id, self.date, self.content_digest];
        COVERED
            .iter()
            .zip(values)
            .map(|(id, value)| {
                let id = HttpMessageComponentId::try_from(*id)?;
                HttpMessageComponent::try_from((&id, &[value.to_owned()][..]))
            })
            .collect()
    }
}

pub(crate) fn server_id_text(server_id: Option<ServerId>) -> String {
    server_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

/// The `Date` header's form (RFC 9110 section 5.6.7).
pub(crate) fn http_date(date: DateTime<Utc>) -> String {
    date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The `Content-Digest` header's form (RFC 9530).
pub(crate) fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}
