//! The key by which a server identifies itself, and reading it before anything is sent.

use super::HANDSHAKE_LIMIT;
use super::handler::{Keep, Observed};
use super::session::handshake;
use crate::outbound::Outbound;
use crate::problem::Problem;
use crate::target::Target;
use russh::keys::ssh_key::PublicKey;
use russh::keys::{HashAlg, PublicKeyBase64 as _};
use serde::{Deserialize, Serialize};

/// A server's public host key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, …
    pub algorithm: String,
    /// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `<algorithm> <base64>`: the line of a `.pub` file without comment.
    pub openssh: String,
}

impl HostKey {
    /// Reads one line as in a `.pub` file; a comment is dropped.
    ///
    /// # Errors
    /// When it is no public key.
    pub fn parse(line: &str) -> Result<Self, String> {
        PublicKey::from_openssh(line.trim())
            .map(|key| Self::of(&key))
            .map_err(|_| "expected a line such as “ssh-ed25519 AAAA…”".to_owned())
    }

    pub(crate) fn of(key: &PublicKey) -> Self {
        let algorithm = key.algorithm().as_str().to_owned();
        Self {
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            openssh: format!("{algorithm} {}", key.public_key_base64()),
            algorithm,
        }
    }
}

/// Reads the host key of `target` by a key exchange alone: neither the user's name nor any
/// credential is sent. The server has proved that it holds the key.
///
/// # Errors
/// When the address is denied, or nobody there completes the handshake.
pub async fn probe_host_key(target: &Target, outbound: &Outbound) -> Result<HostKey, Problem> {
    let stream = outbound.connect(target.host(), target.port()).await?;
    let observed = Observed::new(Keep::First);
    match handshake(stream, None, observed.clone(), HANDSHAKE_LIMIT.min(outbound.limit())).await {
        // The handler ends every probe once it has the key.
        Err(problem) => observed.take_key().ok_or(problem),
        Ok(_) => observed.take_key().ok_or(Problem::HostKeyUnsupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Host key and fingerprint from russh's own tests (made by ssh-keygen).
    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILagOJFgwaMNhBWQINinKOXmqS4Gh5NgxgriXwdOoINJ";

    #[test]
    fn a_line_is_read_and_its_comment_dropped() {
        let key = HostKey::parse(&format!(" {LINE} root@vps\n")).unwrap();
        assert_eq!(key.algorithm, "ssh-ed25519");
        assert_eq!(key.fingerprint, "SHA256:ldyiXa1JQakitNU5tErauu8DvWQ1dZ7aXu+rm7KQuog");
        assert_eq!(key.openssh, LINE);
        assert!(HostKey::parse("ssh-ed25519 nonsense").is_err());
    }
}
