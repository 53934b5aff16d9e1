//! What we do with what a server says on its own accord: check its key, keep a bounded part of its
//! banner and of its parting words.

use super::host_key::HostKey;
use crate::problem::Problem;
use crate::text::clean;
use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of all banners together that a server may send.
const BANNER_BYTES_MAX: usize = 64 * 1024;
/// Characters of a banner that are kept for the log.
const BANNER_CHARS_KEPT: usize = 500;
/// Characters of the server's parting words that are kept.
const PARTING_CHARS_KEPT: usize = 200;

/// What to do with the host key.
#[derive(Debug, Clone)]
pub(super) enum Keep {
    /// Look at it and end the connection.
    First,
    /// Go on only with this one.
    Only(Box<HostKey>),
}

#[derive(Debug, Default)]
struct Seen {
    key: Option<HostKey>,
    banner: String,
    banner_bytes: usize,
    parting: Option<String>,
    nothing_left: bool,
    problem: Option<Problem>,
}

/// What a connection's handler saw; shared with who made the connection.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    keep: Keep,
    seen: Arc<Mutex<Seen>>,
}

impl Observed {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, seen: Arc::default() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn take_key(&self) -> Option<HostKey> {
        self.with(|seen| seen.key.take())
    }

    pub(super) fn take_problem(&self) -> Option<Problem> {
        self.with(|seen| seen.problem.take())
    }

    pub(super) fn banner(&self) -> String {
        self.with(|seen| seen.banner.clone())
    }

    /// Whether the server refused us and offers no way to log in any more.
    pub(super) fn nothing_left(&self) -> bool {
        self.with(|seen| seen.nothing_left)
    }

    pub(super) fn parting(&self) -> Option<String> {
        self.with(|seen| seen.parting.clone())
    }
}

/// A connection ended by us or by an error of the protocol.
#[derive(Debug)]
pub(super) enum Ended {
    /// The reason is in [`Observed::take_problem`], if there is one.
    ByUs,
    Protocol(russh::Error),
}

impl From<russh::Error> for Ended {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

impl Handler for Observed {
    type Error = Ended;

    /// Runs before anything but the key exchange is sent: whatever is refused here has learnt
    /// neither user nor credential.
    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, Ended> {
        if presented.certificate().is_some() {
            return self.end(Problem::HostKeyUnsupported);
        }
        let presented = HostKey::of(&presented.public_key());
        match self.keep.clone() {
            Keep::First => {
                self.with(|seen| seen.key = Some(presented));
                Err(Ended::ByUs)
            }
            Keep::Only(expected) if expected.openssh == presented.openssh => Ok(true),
            Keep::Only(expected) => self.end(Problem::HostKeyChanged { expected, presented: Box::new(presented) }),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut Session) -> Result<(), Ended> {
        let too_long = self.with(|seen| {
            seen.banner_bytes = seen.banner_bytes.saturating_add(banner.len().max(1));
            if seen.banner.chars().count() < BANNER_CHARS_KEPT {
                seen.banner =
                    clean(format!("{} {banner}", seen.banner).as_bytes(), BANNER_CHARS_KEPT).trim().to_owned();
            }
            seen.banner_bytes > BANNER_BYTES_MAX
        });
        if too_long { self.end(Problem::BannerTooLong) } else { Ok(()) }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Ended>) -> Result<(), Ended> {
        let said = match reason {
            DisconnectReason::ReceivedDisconnect(info) => clean(info.message.as_bytes(), PARTING_CHARS_KEPT),
            DisconnectReason::Error(Ended::Protocol(russh::Error::NoAuthMethod)) => {
                self.with(|seen| seen.nothing_left = true);
                return Ok(());
            }
            DisconnectReason::Error(Ended::Protocol(error)) => describe(&error),
            DisconnectReason::Error(Ended::ByUs) => return Ok(()),
        };
        self.with(|seen| seen.parting = Some(said));
        Ok(())
    }
}

impl Observed {
    fn end<T>(&self, problem: Problem) -> Result<T, Ended> {
        self.with(|seen| seen.problem = Some(problem));
        Err(Ended::ByUs)
    }
}

/// russh's words, clean; empty when the connection just ended.
pub(super) fn describe(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError => {
            String::new()
        }
        russh::Error::IO(error) => error.kind().to_string(),
        russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => "it no longer answers".to_owned(),
        other => clean(other.to_string().as_bytes(), PARTING_CHARS_KEPT),
    }
}
