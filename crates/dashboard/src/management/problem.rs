//! Why a gateway's management API could not be asked: a word for programs, a sentence, and what to do. Nothing that the
//! other side said is in them.

use proxima_installer::ProblemReport;
use proxima_installer::outbound::OutboundError;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection: the address is denied, unknown, or nobody answers.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// No connection, or no TLS handshake, within this time.
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The connection was closed before TLS began: what a gateway does to addresses that its list does not name.
    #[error("the connection was closed before TLS began")]
    ShutOut,
    /// Another certificate than the pinned one, or not its key. The secret was not sent.
    #[error("another certificate than the pinned one")]
    OtherCertificate,
    /// 401.
    #[error("the secret was refused")]
    SecretRefused,
    /// 429.
    #[error("too many wrong secrets")]
    TooManyFailures,
    /// The whole took longer than this.
    #[error("no whole answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The connection ended in the middle of an answer.
    #[error("the connection broke off")]
    BrokenOff,
    /// No TLS 1.3, no HTTP, too long an answer, or one that a gateway does not give.
    #[error("what answers is no gateway")]
    NotAGateway,
}

const OPEN_THE_PORT: &str = "Allow TCP 6060 from the dashboard's addresses in the server's firewall.";

impl Trouble {
    pub(super) fn of_http(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() { Self::NotAGateway } else { Self::BrokenOff }
    }

    /// For people. `port` is that of the management API.
    #[must_use]
    pub fn report(&self, port: u16) -> ProblemReport {
        let (code, sentence, remedy) = match self {
            Self::Outbound(error) => outbound(error, port),
            Self::NoAnswer(limit) => (
                "NO_ANSWER",
                format!("The server does not answer on port {port} within {} seconds.", limit.as_secs()),
                OPEN_THE_PORT.to_owned(),
            ),
            Self::ShutOut => (
                "NOT_ON_ALLOW_LIST",
                format!("The gateway refuses this dashboard on port {port}: it is not on the gateway's allow-list."),
                "The list is the platform's dashboard IP allowlist at the time of the install. After the allowlist has \
                 changed, run Re-install."
                    .to_owned(),
            ),
            Self::OtherCertificate => (
                "OTHER_CERTIFICATE",
                format!(
                    "What answers on port {port} shows another certificate than the gateway did when it was installed. \
                     Nothing was sent to it."
                ),
                "If you renewed the gateway's certificate or moved the gateway, run Restart or Re-install: the new \
                 certificate is read over SSH. If you did not, look at who answers there."
                    .to_owned(),
            ),
            Self::SecretRefused => (
                "SECRET_REFUSED",
                format!("The gateway does not accept this dashboard's secret on port {port}."),
                "Run Re-install: the gateway is given a new secret.".to_owned(),
            ),
            Self::TooManyFailures => (
                "TOO_MANY_FAILURES",
                format!("The gateway has seen too many wrong secrets on port {port} and takes none for a while."),
                format!("Try again in some minutes. {OPEN_THE_PORT} Close it to everybody else."),
            ),
            Self::TooSlow(limit) => (
                "TOO_SLOW",
                format!("The gateway gave no whole answer on port {port} within {} seconds.", limit.as_secs()),
                "Look at the load of the server and at its network.".to_owned(),
            ),
            Self::BrokenOff => (
                "BROKEN_OFF",
                format!("The connection to port {port} broke off in the middle of an answer."),
                "Try again. If it goes on, look at the server's network and at the gateway's log.".to_owned(),
            ),
            Self::NotAGateway => (
                "NOT_A_GATEWAY",
                format!("What answers on port {port} is not a gateway's management API."),
                "Look at which program has the port. Restart the gateway when it is free.".to_owned(),
            ),
        };
        ProblemReport { code: code.to_owned(), sentence, remedy }
    }
}

fn outbound(error: &OutboundError, port: u16) -> (&'static str, String, String) {
    match error {
        OutboundError::Unresolved { host } => (
            "NAME_UNKNOWN",
            format!("The name {host} has no address."),
            "Correct the server's address on the Connect card.".to_owned(),
        ),
        OutboundError::Denied { address, why } => (
            "ADDRESS_DENIED",
            format!("The dashboard does not connect to {address}: {}.", why.sentence()),
            "Enter the server's public address. The operator can allow ranges in the dashboard's settings.".to_owned(),
        ),
        OutboundError::ConnectionRefused { .. } => (
            "CONNECTION_REFUSED",
            format!("The server refuses connections to port {port}."),
            format!("{OPEN_THE_PORT} If the gateway does not run or its management API is off, nothing listens there."),
        ),
        OutboundError::TimedOut { seconds, .. } => (
            "NO_ANSWER",
            format!("The server does not answer on port {port} within {seconds} seconds."),
            OPEN_THE_PORT.to_owned(),
        ),
        OutboundError::Unreachable { .. } => (
            "UNREACHABLE",
            format!("The server's port {port} cannot be reached."),
            format!("Look at the server's network. {OPEN_THE_PORT}"),
        ),
    }
}
