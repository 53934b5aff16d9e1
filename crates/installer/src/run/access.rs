//! Trading the credential that the person gave for a key of the server's own: the key is put on
//! the box, logged in with once, and only then is the dashboard told to erase the credential.

use super::driver::Run;
use super::remote::succeeded;
use super::steps::Ended;
use super::{AccessTraded, AccessWish, Fenced, StepState, Tools};
use crate::plan::StepId;
use crate::problem::Problem;
use crate::scripts::{AUTHORIZE, GRANT, HELPER, REVOKE};
use crate::ssh::{Credential, Exec, HostKey, Login, Payload, Privileges, Session, Silent, Stop};
use crate::target::Target;
use crate::text::Redactor;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{LineEnding, PrivateKey};
use secrecy::SecretString;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

const WHAT: &str = "Writing authorized_keys";

/// A key, its public half, and its line.
struct NewKey {
    private: SecretString,
    public: HostKey,
    line: String,
}

impl Run<'_> {
    /// Never fails: without the trade everything works by asking for the credential again.
    pub(super) async fn trade_access(&mut self) -> Result<Ended, Stop> {
        let Some(wish) = self.job.inputs.access.clone() else {
            return Ok(Ended { state: StepState::Skipped, warnings: vec![] });
        };
        match self.try_trade(&wish).await {
            Ok(()) => Ok(Ended::done()),
            Err(Stop::Fenced(fenced)) => Err(fenced.into()),
            Err(Stop::Problem(problem)) => {
                let reason = problem.report().sentence;
                Ok(Ended::skipped(Problem::AccessNotTraded { reason }))
            }
        }
    }

    async fn try_trade(&mut self, wish: &AccessWish) -> Result<(), Stop> {
        let cancel = self.job.cancel.clone();
        self.ensure_session(&cancel).await?;
        let key = self.new_key(wish)?;
        let mark = mark(wish);
        // Every other way to be root works with the key alone.
        let granted = self.privileges == Some(Privileges::SudoPassword);
        if granted {
            self.grant(&cancel).await?;
        }
        self.authorize("add", &mark, &key.line, &cancel).await?;
        self.line(StepId::Access, &format!("The key {} is on the server.", key.public.fingerprint)).await?;
        let never = CancellationToken::new();
        if let Err(stop) = self.log_in_once(&key, &cancel).await {
            if matches!(stop, Stop::Problem(_)) {
                self.authorize("drop", &mark, &key.line, &never).await?;
                if granted {
                    self.revoke(&never).await?;
                }
            }
            return Err(stop);
        }
        self.line(StepId::Access, "Logged in with it once.").await?;
        let HostKey { fingerprint, openssh, .. } = key.public;
        let traded = AccessTraded { private_key: key.private, public_key: openssh, fingerprint };
        self.journal.access_traded(&traded).await?;
        // Keys of earlier installs go only now: until here one of them may be the one that works.
        match self.authorize("only", &mark, &key.line, &never).await {
            Err(Stop::Fenced(fenced)) => Err(fenced.into()),
            Err(Stop::Problem(problem)) => {
                let line = format!("Keys of earlier installs could not be removed: {}", problem.report().sentence);
                Ok(self.line(StepId::Access, &line).await?)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Lets the user be root through the helper.
    async fn grant(&mut self, cancel: &CancellationToken) -> Result<(), Stop> {
        let what = "Giving the user a helper to be root with";
        let user = self.job.target.user().to_owned();
        if !is_plain_name(&user) {
            let reason = "the user's name cannot be written into sudoers safely".to_owned();
            return Err(Problem::AccessNotTraded { reason }.into());
        }
        let limit = self.tools.limits.command;
        let head = format!("{user}\n{HELPER}");
        let output = self.remote(StepId::Access, cancel)?.script(what, &GRANT, head.as_bytes(), limit).await?;
        succeeded(what, &output).map_err(Stop::from)
    }

    async fn revoke(&mut self, cancel: &CancellationToken) -> Result<(), Stop> {
        let what = "Removing the helper";
        let limit = self.tools.limits.command;
        self.ensure_session(cancel).await?;
        let output = self.remote(StepId::Access, cancel)?.script(what, &REVOKE, b"", limit).await?;
        succeeded(what, &output).map_err(Stop::from)
    }

    /// Removes our keys from the box, whoever logs in.
    pub(super) async fn forget_access(&mut self, cancel: &CancellationToken) -> Result<(), Stop> {
        match self.job.inputs.access.clone() {
            Some(wish) => self.authorize("only", &mark(&wish), "", cancel).await,
            None => Ok(()),
        }
    }

    fn new_key(&self, wish: &AccessWish) -> Result<NewKey, Problem> {
        let mut seed = Zeroizing::new([0; 32]);
        (self.tools.random)(&mut *seed);
        let failed = |_| Problem::KeyUnreadable { reason: "a key could not be made".to_owned() };
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        let private = PrivateKey::new(pair, mark(wish)).map_err(failed)?;
        let public = HostKey::of(private.public_key());
        let pem = private.to_openssh(LineEnding::LF).map_err(failed)?;
        let from: Vec<_> = wish.allow_from.iter().map(ToString::to_string).collect();
        let from = if from.is_empty() { String::new() } else { format!(",from=\"{}\"", from.join(",")) };
        let line = format!("restrict{from} {} {}", public.openssh, mark(wish));
        Ok(NewKey { private: SecretString::from(pem.as_str()), public, line })
    }

    async fn authorize(&mut self, mode: &str, mark: &str, line: &str, cancel: &CancellationToken) -> Result<(), Stop> {
        let limit = self.tools.limits.command;
        self.ensure_session(cancel).await?;
        let mut remote = self.remote(StepId::Access, cancel)?;
        let output = remote.session.exec(authorizing(mode, mark, line, limit), &mut remote.log, cancel).await?;
        succeeded(WHAT, &output).map_err(Stop::from)
    }

    async fn log_in_once(&mut self, key: &NewKey, cancel: &CancellationToken) -> Result<(), Stop> {
        let credential = Credential::PrivateKey { pem: key.private.clone(), passphrase: None };
        let login = Login { credential, sudo_password: None };
        let target = &self.job.target;
        let opening = Session::open(target, &self.job.pinned, &login, &self.tools.outbound, self.redactor.clone());
        let mut session = tokio::select! {
            () = cancel.cancelled() => return Err(Problem::Cancelled.into()),
            session = opening => session?,
        };
        let found = session.detect_privileges(&mut Silent, cancel).await;
        session.close().await;
        found.map(|_| ())
    }
}

/// Removes this server's key (and the helper, if there is one) from the box: "forget this server's
/// access". Logs in with `login`, which may be that very key.
///
/// # Errors
/// What keeps us from it; nothing is removed then, or the key is and the helper is not.
pub async fn forget_access(
    target: &Target,
    pinned: &HostKey,
    login: &Login,
    server_id: Uuid,
    tools: &Tools,
) -> Result<(), Problem> {
    let never = CancellationToken::new();
    let limit = tools.limits.command;
    let redactor = Redactor::new(login.secrets());
    let mut session = Session::open(target, pinned, login, &tools.outbound, redactor).await?;
    let problem = |stop| match stop {
        Stop::Problem(problem) => problem,
        Stop::Fenced(Fenced(reason)) => Problem::ConnectionLost { reason },
    };
    session.detect_privileges(&mut Silent, &never).await.map_err(problem)?;
    let mark = mark(&AccessWish { server_id, allow_from: vec![] });
    let output = session.exec(authorizing("only", &mark, "", limit), &mut Silent, &never).await.map_err(problem)?;
    succeeded(WHAT, &output)?;
    let what = "Removing the helper";
    let (command, head) = session.as_root(&REVOKE, b"");
    let exec = Exec { what, command, payload: Payload { head, body: None }, limit };
    let output = session.exec(exec, &mut Silent, &never).await.map_err(problem)?;
    session.close().await;
    succeeded(what, &output)
}

fn authorizing(mode: &str, mark: &str, line: &str, limit: Duration) -> Exec<'static> {
    let head = Zeroizing::new(format!("{mode}\n{mark}\n{line}\n").into_bytes());
    Exec { what: WHAT, command: AUTHORIZE, payload: Payload { head, body: None }, limit }
}

/// A name that means itself in sudoers(5): no `%group`, `#number`, alias or escape.
fn is_plain_name(user: &str) -> bool {
    user.len() <= 32
        && user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && user.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
}

/// Ends our lines: letters, digits, `-` and `:` only, so that it is itself as a pattern.
fn mark(wish: &AccessWish) -> String {
    format!("proxima-gateway:{}", wish.server_id)
}
