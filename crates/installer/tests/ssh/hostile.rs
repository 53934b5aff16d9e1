//! Servers that want to harm us: each lands on its own problem, none on a hang or a panic.

use crate::support::{Heard, loopback, secret, within};
use proxima_installer::ssh::{Exec, Payload, Stop};
use proxima_installer::text::Redactor;
use proxima_installer::{Credential, HostKey, Login, Problem, Session, Target, probe_host_key};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKeyBase64 as _};
use russh::server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Evil {
    None,
    EndlessStdout,
    EndlessStderr,
    EndlessLine,
    NeverAnswers,
    DropsInTheMiddle,
    RefusesExec,
    RefusesChannels,
    HugeBanner,
    AnsiBanner,
    Interactive,
    InteractiveWithCode,
    RepeatsSecrets,
    NoStatus,
}

/// What reached the server before it let anybody in.
type Log = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Server {
    evil: Evil,
    log: Log,
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

fn host_key(seed: u8) -> HostKey {
    HostKey::parse(&format!("ssh-ed25519 {}", key(seed).public_key_base64())).unwrap()
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.log.lock().unwrap().push(format!("none {user}"));
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.log.lock().unwrap().push(format!("password {user} {password}"));
        Ok(if password == "hunter2!" { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let ask = |prompt: &'static str| Auth::Partial {
            name: Cow::Borrowed("\u{1b}[31mname"),
            instructions: Cow::Borrowed(""),
            prompts: Cow::Owned(vec![(Cow::Borrowed(prompt), false)]),
        };
        let Some(mut response) = response else { return Ok(ask("Password: ")) };
        let right = response.next().is_some_and(|answer| &*answer == b"hunter2!");
        Ok(match (right, self.evil) {
            (true, Evil::InteractiveWithCode) => ask("\u{1b}[2JVerification code: "),
            (true, _) => Auth::Accept,
            (false, _) => Auth::reject(),
        })
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(match self.evil {
            Evil::HugeBanner => Some("x".repeat(200_000)),
            Evil::AnsiBanner => Some("\u{1b}]0;owned\u{7}\u{1b}[31mred\u{202e}\r\n\0two hunter2!\n".repeat(50)),
            _ => None,
        })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if self.evil == Evil::RefusesChannels {
            drop(reply);
        } else {
            reply.accept().await;
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if self.evil == Evil::RefusesExec {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        let handle = session.handle();
        let evil = self.evil;
        tokio::spawn(async move {
            let chunk = match evil {
                Evil::EndlessLine => vec![b'x'; 30_000],
                _ => b"\x1b[31mline\n".repeat(3000),
            };
            match evil {
                Evil::EndlessStdout => while handle.data(channel, chunk.clone()).await.is_ok() {},
                Evil::EndlessStderr | Evil::EndlessLine => {
                    while handle.extended_data(channel, 1, chunk.clone()).await.is_ok() {}
                }
                Evil::NeverAnswers => std::future::pending().await,
                Evil::DropsInTheMiddle => {
                    let _ = handle.data(channel, b"half".to_vec()).await;
                    let _ = handle
                        .disconnect(russh::Disconnect::ByApplication, "\u{1b}[31mbye hunter2!".into(), "".into())
                        .await;
                }
                Evil::RepeatsSecrets => {
                    let said = b"got aHVudGVyMiE= and hunt".to_vec();
                    let _ = handle.extended_data(channel, 1, said).await;
                    let _ = handle.extended_data(channel, 1, b"er2!\n".to_vec()).await;
                    let _ = handle.exit_status_request(channel, 3).await;
                    let _ = handle.close(channel).await;
                }
                Evil::NoStatus => {
                    let _ = handle.close(channel).await;
                }
                _ => {
                    let _ = handle.data(channel, b"fine\n".to_vec()).await;
                    let _ = handle.exit_status_request(channel, 0).await;
                    let _ = handle.close(channel).await;
                }
            }
        });
        Ok(())
    }
}

/// A server on a port of loopback, for the rest of the test.
async fn serve(evil: Evil, seed: u8) -> (Target, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new("127.0.0.1", listener.local_addr().unwrap().port(), "root").unwrap();
    let methods = match evil {
        Evil::Interactive | Evil::InteractiveWithCode => MethodKind::KeyboardInteractive,
        _ => MethodKind::Password,
    };
    let config = Arc::new(Config {
        keys: vec![key(seed)],
        methods: MethodSet::from(&[methods][..]),
        auth_rejection_time: Duration::ZERO,
        ..Config::default()
    });
    let log = Log::default();
    let server = Server { evil, log: log.clone() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (config, server) = (config.clone(), server.clone());
            tokio::spawn(async move {
                if let Ok(session) = server::run_stream(config, stream, server).await {
                    let _ = session.await;
                }
            });
        }
    });
    (target, log)
}

fn login(password: &str) -> Login {
    Login { credential: Credential::Password(secret(password)), sudo_password: None }
}

async fn open(evil: Evil, password: &str) -> Result<Session, Problem> {
    let (target, _) = serve(evil, 1).await;
    let login = login(password);
    let redactor = Redactor::new(login.secrets());
    Session::open(&target, &host_key(1), &login, &loopback(), redactor).await
}

async fn exec(
    session: &Session,
    limit: Duration,
    heard: &mut Heard,
) -> Result<proxima_installer::ssh::Output, Problem> {
    let exec = Exec { what: "The test", command: "true", payload: Payload::default(), limit };
    session.exec(exec, heard, &CancellationToken::new()).await.map_err(|stop| match stop {
        Stop::Problem(problem) => problem,
        Stop::Fenced(fenced) => panic!("{fenced}"),
    })
}

async fn exec_code(evil: Evil, limit: Duration) -> String {
    let session = open(evil, "hunter2!").await.unwrap();
    exec(&session, limit, &mut Heard::default()).await.unwrap_err().report().code
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_honest_server_works() {
    let session = open(Evil::None, "hunter2!").await.unwrap();
    let output = exec(&session, LONG, &mut Heard::default()).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.code), (&b"fine\n"[..], Some(0)));
}

#[tokio::test]
async fn endless_output_is_cut_off() {
    for evil in [Evil::EndlessStdout, Evil::EndlessStderr, Evil::EndlessLine] {
        assert_eq!(exec_code(evil, LONG).await, "TOO_MUCH_OUTPUT", "{evil:?}");
    }
}

#[tokio::test]
async fn a_silent_command_runs_into_its_limit() {
    assert_eq!(exec_code(Evil::NeverAnswers, Duration::from_millis(300)).await, "STEP_TIMED_OUT");
}

#[tokio::test]
async fn cancelling_does_not_wait_for_the_server() {
    let session = open(Evil::NeverAnswers, "hunter2!").await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let exec = Exec { what: "The test", command: "true", payload: Payload::default(), limit: LONG };
    let stop = session.exec(exec, &mut Heard::default(), &cancel).await.unwrap_err();
    assert!(matches!(stop, Stop::Problem(Problem::Cancelled)));
}

#[tokio::test]
async fn a_connection_that_drops_is_told_with_clean_words() {
    let session = open(Evil::DropsInTheMiddle, "hunter2!").await.unwrap();
    let report = exec(&session, LONG, &mut Heard::default()).await.unwrap_err().report();
    assert_eq!(report.code, "CONNECTION_LOST");
    assert!(report.sentence.contains("bye [hidden]"), "{}", report.sentence);
    assert!(!report.sentence.contains('\u{1b}'));
}

#[tokio::test]
async fn a_channel_that_ends_without_status_is_a_lost_connection() {
    assert_eq!(exec_code(Evil::NoStatus, LONG).await, "CONNECTION_LOST");
}

#[tokio::test]
async fn accounts_that_run_nothing_are_told_so() {
    assert_eq!(exec_code(Evil::RefusesExec, LONG).await, "NO_SHELL");
    assert_eq!(exec_code(Evil::RefusesChannels, LONG).await, "NO_SHELL");
}

#[tokio::test]
async fn secrets_that_a_server_repeats_are_hidden() {
    let session = open(Evil::RepeatsSecrets, "hunter2!").await.unwrap();
    let mut heard = Heard::default();
    let output = exec(&session, LONG, &mut heard).await.unwrap();
    assert_eq!(heard.lines, ["got [hidden] and [hidden]"]);
    assert_eq!((output.said.as_str(), output.code), ("got [hidden] and [hidden]", Some(3)));
}

#[tokio::test]
async fn banners_are_bounded_clean_and_redacted() {
    assert_eq!(open(Evil::HugeBanner, "hunter2!").await.unwrap_err(), Problem::BannerTooLong);
    let banner = open(Evil::AnsiBanner, "hunter2!").await.unwrap().banner();
    assert!(banner.starts_with("red two [hidden]"), "{banner}");
    assert!(!banner.chars().any(|c| c.is_control() || c == '\u{202e}') && banner.chars().count() < 700, "{banner}");
}

#[tokio::test]
async fn a_single_question_is_answered_with_the_password() {
    open(Evil::Interactive, "hunter2!").await.unwrap();
    assert_eq!(open(Evil::Interactive, "wrong").await.unwrap_err().report().code, "PASSWORD_REFUSED");
    let problem = open(Evil::InteractiveWithCode, "hunter2!").await.unwrap_err();
    assert_eq!(problem, Problem::MoreThanPassword { prompt: "Verification code:".into() });
}

#[tokio::test]
async fn a_wrong_password_and_a_method_not_offered_differ() {
    assert_eq!(open(Evil::None, "wrong").await.unwrap_err(), Problem::PasswordRefused { user: "root".into() });
    let (target, log) = serve(Evil::None, 1).await;
    let pem = key(9).to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap();
    let credential = Credential::PrivateKey { pem: secret(&pem), passphrase: None };
    let login = Login { credential, sudo_password: None };
    let result = Session::open(&target, &host_key(1), &login, &loopback(), Redactor::default()).await;
    let offered = vec!["password".to_owned()];
    assert_eq!(result.unwrap_err(), Problem::MethodNotOffered { ours: "a key", offered });
    assert_eq!(*log.lock().unwrap(), ["none root"]);
}

#[tokio::test]
async fn another_host_key_is_sent_nothing() {
    let (target, log) = serve(Evil::None, 2).await;
    let result = Session::open(&target, &host_key(1), &login("hunter2!"), &loopback(), Redactor::default()).await;
    let problem = Problem::HostKeyChanged { expected: Box::new(host_key(1)), presented: Box::new(host_key(2)) };
    assert_eq!(result.unwrap_err(), problem);
    let sentence = problem.report().sentence;
    assert!(sentence.contains(&host_key(1).fingerprint) && sentence.contains(&host_key(2).fingerprint), "{sentence}");
    assert!(log.lock().unwrap().is_empty(), "the server learnt a user name or a credential");
}

#[tokio::test]
async fn a_probe_learns_the_key_and_tells_nothing() {
    let (target, log) = serve(Evil::None, 3).await;
    assert_eq!(probe_host_key(&target, &loopback()).await.unwrap(), host_key(3));
    assert!(log.lock().unwrap().is_empty(), "the server learnt a user name");
}

/// Sends bytes and closes, or keeps the connection open and silent.
async fn raw(bytes: Vec<u8>, stay: bool) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(&bytes).await;
            if stay {
                tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop(stream);
                });
            }
        }
    });
    Target::new("127.0.0.1", port, "root").unwrap()
}

#[tokio::test]
async fn what_is_no_ssh_server_is_told_so() {
    for bytes in [b"HTTP/1.1 400 Bad Request\r\n".repeat(30), vec![b'x'; 1_000_000], b"\x1b[2J\n".repeat(10_000)] {
        let problem = probe_host_key(&raw(bytes, true).await, &loopback()).await.unwrap_err();
        assert_eq!(problem, Problem::NotSsh);
    }
    let closed = probe_host_key(&raw(vec![], false).await, &loopback()).await.unwrap_err();
    assert_eq!(closed.report().code, "HANDSHAKE_FAILED");
    let garbage = [b"SSH-2.0-evil\r\n".to_vec(), vec![0xff; 5000]].concat();
    let garbage = probe_host_key(&raw(garbage, true).await, &loopback()).await.unwrap_err();
    assert_eq!(garbage.report().code, "HANDSHAKE_FAILED");
}

#[tokio::test]
async fn a_server_that_never_speaks_runs_into_the_limit() {
    let outbound = within(Duration::from_millis(300));
    let problem = probe_host_key(&raw(vec![], true).await, &outbound).await.unwrap_err();
    assert_eq!(problem.report().code, "STEP_TIMED_OUT");
}
