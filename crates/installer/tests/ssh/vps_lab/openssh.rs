//! Logging in to OpenSSH, and becoming root there.

use super::sshd::{PASSWORD, Sshd};
use crate::support::{Heard, loopback, pinned_to, secret};
use proxima_installer::facts::FACTS_COMMAND;
use proxima_installer::ssh::{Exec, Payload, Stop};
use proxima_installer::text::Redactor;
use proxima_installer::{Credential, Facts, Login, Privileges, Problem, Session};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn password(text: &str) -> Login {
    Login { credential: Credential::Password(secret(text)), sudo_password: None }
}

async fn open(sshd: &Sshd, user: &str, login: &Login) -> Result<Session, Problem> {
    let redactor = Redactor::new(login.secrets());
    Session::open(&sshd.target(user), &sshd.host_key("ed25519"), login, &loopback(), redactor).await
}

fn problem(stop: Stop) -> Problem {
    match stop {
        Stop::Problem(problem) => problem,
        Stop::Fenced(fenced) => panic!("{fenced}"),
    }
}

async fn privileges(sshd: &Sshd, user: &str, login: &Login) -> Result<Privileges, Problem> {
    let mut session = open(sshd, user, login).await?;
    session.detect_privileges(&mut Heard::default(), &CancellationToken::new()).await.map_err(problem)
}

#[tokio::test]
async fn the_pinned_kind_of_host_key_is_asked_for_first() {
    let sshd = Sshd::start("");
    assert_eq!(pinned_to(&sshd.target("root")).await, sshd.host_key("ed25519"));
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (target, login) = (sshd.target("root"), password(PASSWORD));
        let session = Session::open(&target, &sshd.host_key(kind), &login, &loopback(), Redactor::default()).await;
        assert!(session.is_ok(), "{kind}: {session:?}");
    }
}

#[tokio::test]
async fn passwords() {
    let sshd = Sshd::start("");
    assert!(open(&sshd, "root", &password(PASSWORD)).await.is_ok());
    let refused = open(&sshd, "root", &password("wrong")).await.unwrap_err();
    assert_eq!(refused, Problem::PasswordRefused { user: "root".into() });
    let hostile = open(&sshd, "$(reboot);'", &password("x")).await.unwrap_err();
    assert_eq!(hostile.report().code, "PASSWORD_REFUSED");
}

#[tokio::test]
async fn a_server_without_passwords_says_what_it_offers() {
    let sshd = Sshd::start("PasswordAuthentication no\nKbdInteractiveAuthentication no");
    let problem = open(&sshd, "root", &password(PASSWORD)).await.unwrap_err();
    assert_eq!(problem, Problem::MethodNotOffered { ours: "password", offered: vec!["publickey".into()] });
}

/// Makes a key pair with ssh-keygen; gives the private key's text.
fn keygen(sshd: &Sshd, arguments: &[&str], passphrase: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let status = std::process::Command::new("ssh-keygen")
        .args(["-q", "-C", "test", "-N", passphrase, "-f", path.to_str().unwrap()])
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success());
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    std::fs::create_dir_all(sshd.path("/root/.ssh")).unwrap();
    std::fs::write(sshd.path("/root/.ssh/authorized_keys"), public).unwrap();
    std::fs::read_to_string(path).unwrap()
}

fn key(pem: &str, passphrase: Option<&str>) -> Login {
    let credential = Credential::PrivateKey { pem: secret(pem), passphrase: passphrase.map(secret) };
    Login { credential, sudo_password: None }
}

#[tokio::test]
async fn every_usual_kind_of_private_key_logs_in() {
    let sshd = Sshd::start("");
    let kinds: &[(&[&str], &str)] = &[
        (&["-t", "ed25519"], ""),
        (&["-t", "ed25519"], "pass phrase"),
        (&["-t", "ecdsa", "-b", "256"], ""),
        (&["-t", "ecdsa", "-b", "384", "-m", "PEM"], ""),
        (&["-t", "ecdsa", "-b", "521", "-m", "PKCS8"], "pass phrase"),
        (&["-t", "rsa", "-b", "2048"], "pass phrase"),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], ""),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], "pass phrase"),
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8"], ""),
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8"], "pass phrase"),
    ];
    for (arguments, passphrase) in kinds {
        let pem = keygen(&sshd, arguments, passphrase);
        let given = (!passphrase.is_empty()).then_some(*passphrase);
        let session = open(&sshd, "root", &key(&pem, given)).await;
        assert!(session.is_ok(), "{arguments:?} {passphrase:?}: {session:?}");
        let windows = open(&sshd, "root", &key(&format!("\r\n {}", pem.replace('\n', "\r\n")), given)).await;
        assert!(windows.is_ok(), "{arguments:?} with CRLF: {windows:?}");
        if given.is_some() {
            let wrong = key(&pem, Some("wrong")).credential.check().unwrap_err();
            assert_eq!(wrong, Problem::PassphraseWrong, "{arguments:?}");
            let none = key(&pem, None).credential.check().unwrap_err();
            assert_eq!(none, Problem::PassphraseMissing, "{arguments:?}");
        } else {
            assert_eq!(key(&pem, Some("needless")).credential.check(), Ok(()), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn keys_that_do_not_fit_are_told_apart() {
    let sshd = Sshd::start("");
    let pem = keygen(&sshd, &["-t", "ed25519"], "");
    std::fs::write(sshd.path("/root/.ssh/authorized_keys"), "").unwrap();
    let refused = open(&sshd, "root", &key(&pem, None)).await.unwrap_err();
    assert!(
        matches!(&refused, Problem::KeyRefused { fingerprint, .. } if fingerprint.starts_with("SHA256:")),
        "{refused:?}"
    );
    for bad in ["", "nonsense", "ssh-ed25519 AAAA root@x", &pem[..pem.len() / 2], &"x".repeat(100_000)] {
        let problem = key(bad, None).credential.check().unwrap_err();
        assert_eq!(problem.report().code, "KEY_UNREADABLE", "{bad}");
    }
}

#[tokio::test]
async fn each_way_to_become_root_and_each_obstacle() {
    let sshd = Sshd::start("");
    let right = password(PASSWORD);
    assert_eq!(privileges(&sshd, "root", &right).await, Ok(Privileges::Root));
    assert_eq!(privileges(&sshd, "free", &right).await, Ok(Privileges::Sudo));
    assert_eq!(privileges(&sshd, "joe", &right).await, Ok(Privileges::SudoPassword));
    let wrong = Login { sudo_password: Some(secret("wrong")), ..right.clone() };
    assert_eq!(privileges(&sshd, "joe", &wrong).await, Err(Problem::SudoPasswordWrong { user: "joe".into() }));
    assert_eq!(privileges(&sshd, "plain", &right).await, Err(Problem::NotInSudoers { user: "plain".into() }));
    assert_eq!(privileges(&sshd, "tty", &right).await, Err(Problem::SudoNeedsTty { user: "tty".into() }));
}

#[tokio::test]
async fn the_facts_of_this_machine_are_read() {
    let sshd = Sshd::start("");
    let session = open(&sshd, "plain", &password(PASSWORD)).await.unwrap();
    let limit = Duration::from_secs(60);
    let exec = Exec { what: "Looking", command: FACTS_COMMAND, payload: Payload::default(), limit };
    let output = session.exec(exec, &mut Heard::default(), &CancellationToken::new()).await.map_err(problem).unwrap();
    let facts = Facts::parse(&String::from_utf8_lossy(&output.stdout)).unwrap();
    assert_eq!((facts.kernel.as_str(), facts.architecture.as_str()), ("Linux", std::env::consts::ARCH));
    assert!(facts.systemd_running, "{facts:?}");
    assert_eq!(facts.disks.len(), 3, "{facts:?}");
}
