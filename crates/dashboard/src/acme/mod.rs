//! Having a certificate issued by an authority that speaks ACME (RFC 8555). The authority makes sure of the host by a TLS
//! connection to its port 443 (the challenge `tls-alpn-01`, RFC 8737), which the dashboard's own port answers: nothing else
//! need be open. `app::certificates` decides when, and stores what comes of it.

mod challenge;
mod order;

pub use challenge::{ALPN, certificate as challenge_certificate};
pub use order::{Issued, Show, account_is_gone, change_contact, open_account, order, register};

use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where certificates come from, and for what.
pub struct Authority {
    /// The host of the public URL.
    pub host: String,
    /// URL of the authority's directory.
    pub directory: String,
    /// Told by the authority when something is wrong, if it does so.
    pub contact: Option<String>,
    /// The root that signed the certificate of the authority's own API, if it is not a public one.
    pub ca: Option<PathBuf>,
    /// What binds the account to one that the operator has there already.
    pub external_account: Option<ExternalAccount>,
}

/// RFC 8555, 7.3.4.
pub struct ExternalAccount {
    pub key_id: String,
    /// File with the key, base64url, as the authority gave it.
    pub key_file: PathBuf,
}

/// Account credentials, as JSON.
pub type Credentials = Zeroizing<String>;
