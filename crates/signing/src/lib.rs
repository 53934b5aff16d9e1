//! The signed answer: an HTTP message signature (RFC 9421, Ed25519) over everything that a verdict
//! stands on. The dashboard signs, the gateway verifies; both name the covered components here,
//! once (product.md section 4, invariant 1).
//!
//! Covered, in this order: `@status`, the request's nonce (`"proxima-nonce";req`), the digest of
//! the presented key, the server's id, the date, and the digest of the body (RFC 9530).
//!
//! `httpsig` knows the signature base; the covered set is fixed by us and compared on
//! verification, because a valid signature over fewer components proves nothing.

mod components;
mod sign;
mod verify;

pub use components::{Answer, KEY_DIGEST_HEADER, SERVER_ID_HEADER};
pub use sign::{AnswerSigner, SigningError, key_id};
pub use verify::{Expected, VerifyError, verify, verify_bytes};

#[cfg(test)]
mod tests;
