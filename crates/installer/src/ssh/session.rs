//! From a TCP connection to a session that is logged in.

use super::credential::Login;
use super::handler::{Ended, Keep, Observed, describe};
use super::host_key::HostKey;
use super::privileges::Privileges;
use super::{HANDSHAKE_LIMIT, LOGIN_LIMIT, login};
use crate::outbound::Outbound;
use crate::problem::Problem;
use crate::target::Target;
use crate::text::Redactor;
use russh::client::{self, Handle};
use russh::keys::ssh_key::PublicKey;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Disconnect, Preferred, SshId};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sent when the server is silent; after four without an answer the connection is given up.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A connection on which nothing moves at all is given up.
const INACTIVITY: Duration = Duration::from_secs(120);
/// Bytes in flight to us on a channel. Small: we read logs, and many jobs run at once.
const WINDOW_BYTES: u32 = 256 * 1024;
/// Messages between the connection and the reader of a channel.
const CHANNEL_MESSAGES: usize = 16;
/// How we name ourselves; the version of the library is nobody's business.
const CLIENT_ID: &str = "SSH-2.0-proxima";

/// A connection whose server has proved to hold the pinned host key. Nothing was sent yet that it
/// could misuse.
pub struct Connection {
    handle: Handle<Observed>,
    observed: Observed,
    user: String,
}

/// A session that is logged in.
pub struct Session {
    pub(super) handle: Handle<Observed>,
    pub(super) observed: Observed,
    pub(super) user: String,
    pub(super) redactor: Redactor,
    pub(super) login: Login,
    pub(super) privileges: Option<Privileges>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Connection {
    /// Exchanges keys on `stream` (see [`Outbound::connect`]) and compares the host key. The pinned
    /// key's algorithm is asked for first, so that a host with several keys presents that one.
    ///
    /// # Errors
    /// [`Problem::HostKeyChanged`] before anything else is sent, or the handshake's failure.
    pub async fn verify(stream: TcpStream, target: &Target, pinned: &HostKey) -> Result<Self, Problem> {
        let observed = Observed::new(Keep::Only(Box::new(pinned.clone())));
        let handle = handshake(stream, Some(pinned), observed.clone(), HANDSHAKE_LIMIT).await?;
        Ok(Self { handle, observed, user: target.user().to_owned() })
    }

    /// Logs in. `redactor` knows at least the secrets of `login`.
    ///
    /// # Errors
    /// The problem with the credential, or with what the server wants beyond it.
    pub async fn login(mut self, login: &Login, redactor: Redactor) -> Result<Session, Problem> {
        let attempt = login::log_in(&mut self.handle, &self.observed, &self.user, &login.credential);
        let result = timeout(LOGIN_LIMIT, attempt).await;
        let result =
            result.unwrap_or(Err(Problem::StepTimedOut { what: "Logging in", seconds: LOGIN_LIMIT.as_secs() }));
        if let Err(problem) = result {
            return Err(self.observed.take_problem().unwrap_or(problem));
        }
        Ok(Session {
            handle: self.handle,
            observed: self.observed,
            user: self.user,
            redactor,
            login: login.clone(),
            privileges: None,
        })
    }
}

impl Session {
    /// Connects, verifies and logs in, at once.
    ///
    /// # Errors
    /// The first problem met.
    pub async fn open(
        target: &Target,
        pinned: &HostKey,
        login: &Login,
        outbound: &Outbound,
        redactor: Redactor,
    ) -> Result<Self, Problem> {
        let stream = outbound.connect(target.host(), target.port()).await?;
        Connection::verify(stream, target, pinned).await?.login(login, redactor).await
    }

    /// The server's login banner: clean, 500 characters at most, often empty.
    #[must_use]
    pub fn banner(&self) -> String {
        self.redactor.redact(&self.observed.banner())
    }

    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says goodbye; what is under way on the connection ends.
    pub async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        // A server that reads nothing is not waited for.
        let _ = timeout(Duration::from_secs(2), goodbye).await;
    }
}

/// The key exchange up to and including the check of the host key.
pub(super) async fn handshake(
    stream: TcpStream,
    pinned: Option<&HostKey>,
    observed: Observed,
    limit: Duration,
) -> Result<Handle<Observed>, Problem> {
    let config = Arc::new(config(pinned));
    let attempt = client::connect_stream(config, stream, observed.clone());
    match timeout(limit, attempt).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(ended)) => Err(observed.take_problem().unwrap_or_else(|| handshake_problem(&ended, &observed))),
        Err(_) => Err(Problem::StepTimedOut { what: "The SSH handshake", seconds: limit.as_secs() }),
    }
}

fn handshake_problem(ended: &Ended, observed: &Observed) -> Problem {
    let reason = || observed.parting().unwrap_or_default();
    match ended {
        Ended::ByUs => Problem::HandshakeFailed { reason: reason() },
        Ended::Protocol(russh::Error::Version) => Problem::NotSsh,
        Ended::Protocol(russh::Error::NoCommonAlgo { kind, .. }) => {
            Problem::NoCommonAlgorithm { kind: format!("{kind:?}").to_lowercase() }
        }
        Ended::Protocol(error) => Problem::HandshakeFailed {
            reason: match describe(error) {
                said if said.is_empty() => "the server ended the connection".to_owned(),
                said => said,
            },
        },
    }
}

fn config(pinned: Option<&HostKey>) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(CLIENT_ID)),
        preferred: Preferred { key: Cow::Owned(host_key_order(pinned)), ..Preferred::DEFAULT },
        window_size: WINDOW_BYTES,
        channel_buffer_size: CHANNEL_MESSAGES,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 4,
        inactivity_timeout: Some(INACTIVITY),
        ..client::Config::default()
    }
}

/// Host key types that we take, the pinned key's first. Not `ssh-rsa`, whose signatures are SHA-1:
/// an RSA key itself is asked for by `rsa-sha2-512` and `rsa-sha2-256` (RFC 8332).
fn host_key_order(pinned: Option<&HostKey>) -> Vec<Algorithm> {
    let mut order = vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ];
    if let Some(key) = pinned.and_then(|pinned| PublicKey::from_openssh(&pinned.openssh).ok()) {
        let pinned = key.algorithm();
        let is_rsa = pinned.clone().is_rsa();
        // Stable: the two RSA spellings keep their order.
        order.sort_by_key(|candidate| *candidate != pinned && !(is_rsa && candidate.clone().is_rsa()));
    }
    order
}
