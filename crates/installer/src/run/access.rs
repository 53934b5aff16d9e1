//! Trading the credential that the person gave for a key of the server's own: the key is put on
//! the box, logged in with once, and only then is the dashboard told to erase the credential.

use super::driver::Run;
use super::remote::succeeded;
use super::steps::Ended;
use super::{AccessTraded, AccessWish, StepState};
use crate::plan::StepId;
use crate::problem::Problem;
use crate::ssh::{Credential, Exec, HostKey, Login, Payload, Privileges, Session, Silent, Stop};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{LineEnding, PrivateKey};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const WHAT: &str = "Writing authorized_keys";

/// Reads three lines: a mode, our mark, and a line. `add` appends the line, `drop` removes that very
/// line, `only` removes every line that ends in the mark and appends the line unless it is empty.
/// Other lines stay as they are; the file is exchanged as a whole, with its owner and mode. Runs as
/// the user who logs in: it is their file.
const AUTHORIZE: &str = concat!(
    "exec env LC_ALL=C sh -c '",
    "umask 077; read -r mode && read -r mark && IFS= read -r line || exit 64; cd || exit 71; ",
    "mkdir -p .ssh || exit 71; f=$(readlink -f .ssh/authorized_keys) || exit 71; t=\"$f.proxima\"; src=\"$f\"; ",
    "if [ -f \"$f\" ]; then cp -p \"$f\" \"$t\" || exit 72; ",
    "elif [ -z \"$line\" ]; then exit 0; else src=/dev/null; fi; ",
    "case $mode in ",
    "add) { grep \"\" \"$src\"; echo \"$line\"; } >\"$t\";; ",
    "drop) grep -vxF -e \"$line\" \"$src\" >\"$t\" || [ $? -eq 1 ];; ",
    "only) { grep -v \" $mark$\" \"$src\"; if [ -n \"$line\" ]; then echo \"$line\"; fi; } >\"$t\";; ",
    "*) exit 64;; esac && mv -f \"$t\" \"$f\" || { rm -f \"$t\"; exit 72; }'",
);

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
        if self.privileges != Some(Privileges::Root) {
            let reason = "a key alone does not make this user root; log in as root to have one".to_owned();
            return Err(Problem::AccessNotTraded { reason }.into());
        }
        let key = self.new_key(wish)?;
        let mark = mark(wish);
        self.authorize("add", &mark, &key.line, &cancel).await?;
        self.line(StepId::Access, &format!("The key {} is on the server.", key.public.fingerprint)).await?;
        let never = CancellationToken::new();
        if let Err(stop) = self.log_in_once(&key, &cancel).await {
            if matches!(stop, Stop::Problem(_)) {
                self.authorize("drop", &mark, &key.line, &never).await?;
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
        let head = Zeroizing::new(format!("{mode}\n{mark}\n{line}\n").into_bytes());
        let exec = Exec { what: WHAT, command: AUTHORIZE, payload: Payload { head, body: None }, limit };
        let mut remote = self.remote(StepId::Access, cancel)?;
        let output = remote.session.exec(exec, &mut remote.log, cancel).await?;
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

/// Ends our lines: letters, digits, `-` and `:` only, so that it is itself as a pattern.
fn mark(wish: &AccessWish) -> String {
    format!("proxima-gateway:{}", wish.server_id)
}
