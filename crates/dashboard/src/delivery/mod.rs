//! How notifications leave: webhooks as Standard Webhooks (`sign`, `webhook`), and e-mail (`email`). Connections are those of
//! the installer's outbound policy: a name is resolved once, every address is checked, no redirect is followed.

mod code;
mod email;
mod sign;
mod tls;
mod url;
mod webhook;

pub use code::OutcomeCode;
pub use email::{Mail, MailServer, SmtpTls, check_mailbox, check_sender, send_mail};
pub use sign::Signed;
pub use tls::Tls;
pub use url::WebhookUrl;
pub use webhook::post;

use proxima_installer::outbound::OutboundError;
use proxima_installer::text::clean;
use std::time::Duration;

/// An attempt, from the name to the last byte that counts.
const WHOLE: Duration = Duration::from_secs(15);
/// Of what the receiver said, in characters.
const KEPT: usize = 1024;

/// How an attempt went.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub code: OutcomeCode,
    /// A sentence for people, without control characters.
    pub message: String,
    /// The HTTP or SMTP status.
    pub status: Option<u16>,
    /// The first of what the receiver said, cleaned.
    pub response: Option<String>,
    /// How long the receiver asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    pub(crate) fn failed(code: OutcomeCode, message: impl AsRef<str>) -> Self {
        Self {
            code,
            message: clean(message.as_ref().as_bytes(), KEPT),
            status: None,
            response: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn delivered(&self) -> bool {
        self.code == OutcomeCode::Delivered
    }

    /// Whether the receiver wants nothing more, ever (410 Gone).
    #[must_use]
    pub fn gone(&self) -> bool {
        self.code == OutcomeCode::Gone
    }

    fn timed_out() -> Self {
        Self::failed(OutcomeCode::Timeout, format!("There was no answer within {} s.", WHOLE.as_secs()))
    }

    fn of_connection(error: &OutboundError) -> Self {
        match error {
            OutboundError::Unresolved { .. } => Self::failed(OutcomeCode::Unresolved, format!("{error}.")),
            OutboundError::Denied { why, .. } => {
                Self::failed(OutcomeCode::NotAllowed, format!("{error}. {}.", why.remedy()))
            }
            OutboundError::ConnectionRefused { .. } | OutboundError::Unreachable { .. } => {
                Self::failed(OutcomeCode::Connect, format!("{error}."))
            }
            OutboundError::TimedOut { .. } => Self::failed(OutcomeCode::Timeout, format!("{error}.")),
        }
    }
}
