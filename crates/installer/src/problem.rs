//! Everything that can go wrong between the dashboard and a box, each with a word for programs, a
//! sentence that says what is wrong, and what to do about it.

use crate::outbound::OutboundError;
use crate::ssh::HostKey;
use proxima_types::setup::SetupProblem;
use serde::{Deserialize, Serialize};

/// Why a step failed, or what to look at. Texts of the other side in it are clean and bounded
/// (see [`crate::text`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No connection: the address is denied, unknown, or nobody answers.
    Outbound(OutboundError),
    /// What answers speaks no SSH 2, or says too much before it does.
    NotSsh,
    /// No key exchange, cipher or host key type in common. `kind` is russh's word for which.
    NoCommonAlgorithm {
        kind: String,
    },
    /// The key exchange failed otherwise, or its signature was wrong.
    HandshakeFailed {
        reason: String,
    },
    /// Another host key than the pinned one. Nothing was sent to that server.
    HostKeyChanged {
        expected: Box<HostKey>,
        presented: Box<HostKey>,
    },
    /// The server identifies itself by something that is no plain key.
    HostKeyUnsupported,
    /// The pasted text is no private key that we read.
    KeyUnreadable {
        reason: String,
    },
    /// The private key is encrypted and no passphrase was given.
    PassphraseMissing,
    PassphraseWrong,
    PasswordRefused {
        user: String,
    },
    KeyRefused {
        user: String,
        fingerprint: String,
    },
    /// The server offers other ways to log in than the one we have.
    MethodNotOffered {
        ours: &'static str,
        offered: Vec<String>,
    },
    /// A second factor, a password change or another question after the password.
    MoreThanPassword {
        prompt: String,
    },
    /// The server ended the connection while we logged in; some do after too many failures.
    LoginCutOff {
        said: String,
    },
    /// More banner than anybody reads.
    BannerTooLong,
    /// A wrong password for sudo.
    SudoPasswordWrong {
        user: String,
    },
    /// sudo asks for a password and we have none.
    SudoPasswordMissing {
        user: String,
    },
    NotInSudoers {
        user: String,
    },
    /// sudo insists on a terminal (`requiretty`).
    SudoNeedsTty {
        user: String,
    },
    NoSudo {
        user: String,
    },
    /// sudo failed in words we do not know.
    SudoFailed {
        said: String,
    },
    /// The account's shell runs no commands (`nologin`, a menu, a router).
    NoShell {
        said: String,
    },
    /// The box's answers to the facts script are not what it prints.
    FactsUnreadable {
        reason: String,
    },
    NotLinux {
        kernel: String,
    },
    NoSystemd {
        init: String,
    },
    SystemdTooOld {
        found: u32,
        needed: u32,
    },
    /// No binary in the release folder for the box's architecture.
    NoBinary {
        architecture: String,
        folder: String,
    },
    /// The release folder's binary cannot be read.
    BinaryUnreadable {
        reason: String,
    },
    DiskFull {
        path: String,
        free_mib: u64,
        needed_mib: u64,
    },
    /// A warning: the box's clock is off. Both in RFC 3339, UTC.
    ClockOff {
        box_time: String,
        our_time: String,
        seconds: i64,
    },
    /// A warning: a distribution that we have not tried.
    UntriedDistribution {
        name: String,
    },
    /// A port that the gateway needs is taken. `by` names process and unit as far as known.
    PortTaken {
        port: u16,
        by: String,
    },
    /// The upload could not be written.
    UploadFailed {
        reason: String,
    },
    /// What arrived is not what was sent.
    UploadDamaged,
    /// `proxima-gateway setup` on the box said so, in its own words.
    Setup(SetupProblem),
    /// `proxima-gateway setup` gave no readable answer.
    SetupUnreadable {
        reason: String,
    },
    /// A command ended with an error that we do not know.
    CommandFailed {
        what: &'static str,
        status: String,
        said: String,
    },
    /// The other side printed without end.
    TooMuchOutput {
        what: &'static str,
    },
    StepTimedOut {
        what: &'static str,
        seconds: u64,
    },
    /// The connection ended in the middle.
    ConnectionLost {
        reason: String,
    },
    NoHeartbeat {
        seconds: u64,
    },
    /// A warning: the per-server key could not be set up; the password or key stays needed.
    AccessNotTraded {
        reason: String,
    },
    /// The person cancelled.
    Cancelled,
}

/// Code, sentence, remedy.
type Words = (&'static str, String, String);

/// A [`Problem`] as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemReport {
    /// A stable word for programs, `HOST_KEY_CHANGED`.
    pub code: String,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report().sentence)
    }
}

impl std::error::Error for Problem {}

impl From<OutboundError> for Problem {
    fn from(error: OutboundError) -> Self {
        Self::Outbound(error)
    }
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        problem.report()
    }
}

impl Problem {
    /// Whether the connection to the box is of no more use.
    #[must_use]
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Outbound(_)
                | Self::ConnectionLost { .. }
                | Self::TooMuchOutput { .. }
                | Self::StepTimedOut { .. }
                | Self::HandshakeFailed { .. }
                | Self::Cancelled
        )
    }

    /// Whether it only is to be looked at: the job goes on.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::ClockOff { .. } | Self::UntriedDistribution { .. } | Self::AccessNotTraded { .. })
    }

    #[must_use]
    pub fn report(&self) -> ProblemReport {
        if let Self::Setup(problem) = self {
            let code = serde_json::to_value(problem.code).ok();
            let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or("SETUP_FAILED").to_owned();
            return ProblemReport { code, sentence: problem.sentence.clone(), remedy: problem.remedy.clone() };
        }
        let words = self.transport().or_else(|| self.login()).or_else(|| self.privileges());
        let words = words.or_else(|| self.unsuitable()).or_else(|| self.warning()).or_else(|| self.on_the_box());
        let (code, sentence, remedy) = words.unwrap_or_else(|| ("FAILED", "It failed.".to_owned(), String::new()));
        ProblemReport { code: code.to_owned(), sentence, remedy }
    }

    fn transport(&self) -> Option<Words> {
        Some(match self {
            Self::Outbound(error) => outbound(error),

            Self::NotSsh => (
                "NOT_SSH",
                "What answers at this address does not speak SSH.".to_owned(),
                "Check the port: SSH is usually on 22, the provider's panel shows it.".to_owned(),
            ),
            Self::NoCommonAlgorithm { kind } => (
                "NO_COMMON_ALGORITHM",
                format!("The server and we have no safe SSH algorithm in common ({kind})."),
                "Update the server's OpenSSH, or allow its default algorithms again in sshd_config.".to_owned(),
            ),
            Self::HostKeyChanged { expected, presented } => (
                "HOST_KEY_CHANGED",
                format!(
                    "The server identifies itself by another key than the one you confirmed: expected {} {}, got {} {}. Nothing was sent to it.",
                    expected.algorithm, expected.fingerprint, presented.algorithm, presented.fingerprint
                ),
                "If you reinstalled the server or changed its keys, test the connection and confirm the new key. If not, somebody may stand between us and your server: ask your provider.".to_owned(),
            ),
            Self::HostKeyUnsupported => (
                "HOST_KEY_UNSUPPORTED",
                "The server identifies itself by a kind of key that we do not know.".to_owned(),
                "Give the server an Ed25519, ECDSA or RSA host key (ssh-keygen -A).".to_owned(),
            ),
            Self::ConnectionLost { reason } => (
                "CONNECTION_LOST",
                format!("The connection to the server ended in the middle{}.", detail(reason)),
                "Check that the server is up and try again; what was done is taken up from there.".to_owned(),
            ),
            Self::HandshakeFailed { reason } => (
                "HANDSHAKE_FAILED",
                format!("The SSH handshake with the server failed{}.", detail(reason)),
                "Try again; if it stays so, check the server's sshd log.".to_owned(),
            ),
            _ => return None,
        })
    }

    fn login(&self) -> Option<Words> {
        Some(match self {

            Self::KeyUnreadable { reason } => (
                "KEY_UNREADABLE",
                format!("The private key cannot be read{}.", detail(reason)),
                "Paste the whole file, from -----BEGIN to -----END; the public key (.pub) is not the one needed.".to_owned(),
            ),
            Self::PassphraseMissing => (
                "PASSPHRASE_MISSING",
                "The private key is protected by a passphrase.".to_owned(),
                "Enter the key's passphrase.".to_owned(),
            ),
            Self::PassphraseWrong => (
                "PASSPHRASE_WRONG",
                "The passphrase does not open the private key.".to_owned(),
                "Enter the passphrase of this key again; it is not the login password.".to_owned(),
            ),
            Self::PasswordRefused { user } => (
                "PASSWORD_REFUSED",
                format!("The server refused the password of {user}."),
                "Check user and password. Many providers forbid root's password over SSH: use a key, or another user with sudo.".to_owned(),
            ),
            Self::KeyRefused { user, fingerprint } => (
                "KEY_REFUSED",
                format!("The server did not accept the key {fingerprint} for {user}."),
                format!("Add its public key to ~{user}/.ssh/authorized_keys on the server, or use the password."),
            ),
            Self::MethodNotOffered { ours, offered } => (
                "METHOD_NOT_OFFERED",
                format!("The server does not let anybody log in by {ours}; it offers: {}.", listed(offered)),
                "Use one of the ways it offers, or allow this one in the server's sshd_config.".to_owned(),
            ),
            Self::MoreThanPassword { prompt } => (
                "MORE_THAN_PASSWORD",
                format!("The server asks for more than a password: “{prompt}”."),
                "Log in by a private key instead, or finish the password change by hand first.".to_owned(),
            ),
            Self::LoginCutOff { said } => (
                "LOGIN_CUT_OFF",
                format!("The server ended the connection during the login{}.", detail(said)),
                "It may block after failed logins (fail2ban, MaxAuthTries): wait some minutes, then try again.".to_owned(),
            ),
            Self::BannerTooLong => (
                "BANNER_TOO_LONG",
                "The server sends an endless login banner.".to_owned(),
                "Check that this is your server, and its Banner setting in sshd_config.".to_owned(),
            ),
            _ => return None,
        })
    }

    fn privileges(&self) -> Option<Words> {
        Some(match self {
            Self::SudoPasswordWrong { user } => (
                "SUDO_PASSWORD_WRONG",
                format!("sudo refused the password of {user}."),
                "Enter the sudo password if it differs from the login password.".to_owned(),
            ),
            Self::SudoPasswordMissing { user } => (
                "SUDO_PASSWORD_MISSING",
                format!("sudo asks {user} for a password."),
                "Enter the sudo password in the connection.".to_owned(),
            ),
            Self::NotInSudoers { user } => (
                "NOT_IN_SUDOERS",
                format!("{user} may not become root: it is not in the sudoers."),
                "Log in as root, or add this user to the group sudo (Debian, Ubuntu) or wheel (others).".to_owned(),
            ),
            Self::SudoNeedsTty { user } => (
                "SUDO_NEEDS_TTY",
                format!("sudo on this server works for {user} only in a terminal (requiretty)."),
                "Remove requiretty from the sudoers for this user, or log in as root.".to_owned(),
            ),
            Self::NoSudo { user } => (
                "NO_SUDO",
                format!("{user} is not root and there is no sudo on this server."),
                "Log in as root, or install sudo.".to_owned(),
            ),
            Self::SudoFailed { said } => (
                "SUDO_FAILED",
                format!("sudo failed{}.", detail(said)),
                "Run sudo by hand on the server and mend what it says.".to_owned(),
            ),
            Self::NoShell { said } => (
                "NO_SHELL",
                format!("This account runs no commands{}.", detail(said)),
                "Use an account with an ordinary shell.".to_owned(),
            ),
            _ => return None,
        })
    }
}

fn outbound(error: &OutboundError) -> Words {
    match error {
        OutboundError::Unresolved { host } => (
            "NAME_UNKNOWN",
            format!("The name {host} has no address."),
            "Check the spelling, or enter the IP address.".to_owned(),
        ),
        OutboundError::Denied { address, why } => (
            "ADDRESS_DENIED",
            format!("The dashboard does not connect to {address}: {}.", why.sentence()),
            "Enter the server's public address. The operator can allow ranges in the dashboard's settings.".to_owned(),
        ),
        OutboundError::ConnectionRefused { address } => (
            "CONNECTION_REFUSED",
            format!("{address} refused the connection: nothing listens there."),
            "Check the port and that the SSH service runs.".to_owned(),
        ),
        OutboundError::TimedOut { host, seconds } => (
            "NO_ANSWER",
            format!("{host} did not answer within {seconds} seconds."),
            "Check the address, and allow the dashboard's addresses in the server's firewall.".to_owned(),
        ),
        OutboundError::Unreachable { address, reason } => (
            "UNREACHABLE",
            format!("{address} cannot be reached{}.", detail(reason)),
            "Check the address and the server's network.".to_owned(),
        ),
    }
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", text.trim_end_matches('.')) }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

mod on_the_box;

#[cfg(test)]
mod tests;
