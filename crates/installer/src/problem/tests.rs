use super::*;
use crate::outbound::Refused;
use proxima_types::setup::SetupProblemCode;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

fn key(fingerprint: &str) -> Box<HostKey> {
    Box::new(HostKey { algorithm: "ssh-ed25519".into(), fingerprint: fingerprint.into(), openssh: String::new() })
}

/// One of each.
fn all() -> Vec<Problem> {
    let (user, text) = (|| "joe".to_owned(), || "something".to_owned());
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 22);
    let setup = SetupProblem {
        code: SetupProblemCode::StartFailed,
        sentence: "It did not start.".into(),
        remedy: "Mend it.".into(),
    };
    vec![
        Problem::Outbound(OutboundError::Unresolved { host: text() }),
        Problem::Outbound(OutboundError::Denied { address: address.ip(), why: Refused::Loopback }),
        Problem::Outbound(OutboundError::ConnectionRefused { address }),
        Problem::Outbound(OutboundError::TimedOut { host: text(), seconds: 1 }),
        Problem::Outbound(OutboundError::Unreachable { address, reason: text() }),
        Problem::NotSsh,
        Problem::NoCommonAlgorithm { kind: text() },
        Problem::HandshakeFailed { reason: text() },
        Problem::HostKeyChanged { expected: key("SHA256:a"), presented: key("SHA256:b") },
        Problem::HostKeyUnsupported,
        Problem::KeyUnreadable { reason: text() },
        Problem::PassphraseMissing,
        Problem::PassphraseWrong,
        Problem::PasswordRefused { user: user() },
        Problem::KeyRefused { user: user(), fingerprint: text() },
        Problem::MethodNotOffered { ours: "password", offered: vec![] },
        Problem::MoreThanPassword { prompt: text() },
        Problem::LoginCutOff { said: String::new() },
        Problem::BannerTooLong,
        Problem::SudoPasswordWrong { user: user() },
        Problem::SudoPasswordMissing { user: user() },
        Problem::NotInSudoers { user: user() },
        Problem::SudoNeedsTty { user: user() },
        Problem::NoSudo { user: user() },
        Problem::SudoFailed { said: text() },
        Problem::NoShell { said: text() },
        Problem::FactsUnreadable { reason: text() },
        Problem::NotLinux { kernel: text() },
        Problem::NoSystemd { init: text() },
        Problem::SystemdTooOld { found: 1, needed: 2 },
        Problem::NoBinary { architecture: text(), folder: text() },
        Problem::BinaryUnreadable { reason: text() },
        Problem::DiskFull { path: text(), free_mib: 1, needed_mib: 2 },
        Problem::ClockOff { box_time: text(), our_time: text(), seconds: -86_400 },
        Problem::UntriedDistribution { name: text() },
        Problem::PortTaken { port: 80, by: text() },
        Problem::UploadFailed { reason: text() },
        Problem::UploadDamaged,
        Problem::Setup(setup),
        Problem::SetupUnreadable { reason: text() },
        Problem::CommandFailed { what: "It", status: text(), said: text() },
        Problem::TooMuchOutput { what: "It" },
        Problem::StepTimedOut { what: "It", seconds: 1 },
        Problem::ConnectionLost { reason: text() },
        Problem::NoHeartbeat { seconds: 1 },
        Problem::AccessNotTraded { reason: text() },
        Problem::Cancelled,
    ]
}

#[test]
fn every_problem_has_a_word_of_its_own_a_sentence_and_a_remedy() {
    let reports: Vec<_> = all().iter().map(Problem::report).collect();
    for report in &reports {
        assert_ne!(report.code, "FAILED", "{report:?}");
        assert!(report.code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{report:?}");
        assert!(report.sentence.ends_with('.') && report.remedy.ends_with('.'), "{report:?}");
        assert!(!report.sentence.contains("..") && !report.sentence.contains(": ."), "{report:?}");
    }
    let mut codes: Vec<_> = reports.iter().map(|report| &report.code).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), reports.len());
}
