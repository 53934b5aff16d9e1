//! Whether we are root, or may become it.

use super::exec::{Exec, Listener, Output, Payload, Stop};
use super::session::Session;
use crate::problem::Problem;
use crate::scripts::{HELPER_COMMAND, Privileged, WHO};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// sudo waits some seconds after a wrong password, and for names that do not resolve.
const LIMIT: Duration = Duration::from_secs(30);
const WHAT: &str = "Checking privileges";

/// How commands run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Privileges {
    /// The user is root.
    Root,
    /// By sudo, which asks for nothing.
    Sudo,
    /// By sudo, with the password as the first line of standard input.
    SudoPassword,
    /// By sudo, without a password, for the helper alone that an earlier install put there.
    Helper,
}

impl Session {
    /// Finds out how to run commands as root, and remembers it.
    ///
    /// # Errors
    /// What keeps us from becoming root, each with its own words.
    pub async fn detect_privileges(
        &mut self,
        listener: &mut dyn Listener,
        cancel: &CancellationToken,
    ) -> Result<Privileges, Stop> {
        let found = self.find_privileges(listener, cancel).await?;
        self.privileges = Some(found);
        Ok(found)
    }

    async fn find_privileges(
        &self,
        listener: &mut dyn Listener,
        cancel: &CancellationToken,
    ) -> Result<Privileges, Stop> {
        let exec = |command, head| Exec { what: WHAT, command, payload: Payload { head, body: None }, limit: LIMIT };
        let plain = self.exec(exec(WHO.root, Zeroizing::default()), &mut Silent, cancel).await?;
        match uid(&plain) {
            Some(0) => return Ok(Privileges::Root),
            Some(_) => {}
            None => {
                let printed = crate::text::clean(&plain.stdout, 200);
                let said = if plain.said.is_empty() { self.redactor.redact(&printed) } else { plain.said };
                return Err(Problem::NoShell { said }.into());
            }
        }
        let free = self.exec(exec(WHO.sudo, Zeroizing::default()), &mut Silent, cancel).await?;
        if uid(&free) == Some(0) {
            return Ok(Privileges::Sudo);
        }
        let user = || self.user.clone();
        match sudo_problem(&free, user()) {
            Problem::SudoPasswordMissing { .. } => {}
            other => return Err(other.into()),
        }
        let verb = Zeroizing::new(WHO.verb.as_bytes().to_vec());
        let helped = self.exec(exec(HELPER_COMMAND, verb), &mut Silent, cancel).await?;
        if uid(&helped) == Some(0) {
            return Ok(Privileges::Helper);
        }
        let Some(head) = self.sudo_line() else { return Err(Problem::SudoPasswordMissing { user: user() }.into()) };
        let asked = self.exec(exec(WHO.sudo_password, head), listener, cancel).await?;
        if uid(&asked) == Some(0) {
            return Ok(Privileges::SudoPassword);
        }
        Err(sudo_problem(&asked, user()).into())
    }

    fn sudo_line(&self) -> Option<Zeroizing<Vec<u8>>> {
        // sudo reads one line: of a password with a line break the rest would be taken for payload.
        let password = self.login.password_for_sudo()?.expose_secret().lines().next()?;
        Some(Zeroizing::new(format!("{password}\n").into_bytes()))
    }

    /// The spelling of `script` for our privileges, and the payload's head to go before `head`.
    pub(crate) fn as_root(&self, script: &Privileged, head: &[u8]) -> (&'static str, Zeroizing<Vec<u8>>) {
        let (command, mut line) = match self.privileges {
            Some(Privileges::Sudo) => (script.sudo, Zeroizing::default()),
            Some(Privileges::SudoPassword) => (script.sudo_password, self.sudo_line().unwrap_or_default()),
            Some(Privileges::Helper) => (HELPER_COMMAND, Zeroizing::new(script.verb.as_bytes().to_vec())),
            Some(Privileges::Root) | None => (script.root, Zeroizing::default()),
        };
        line.extend_from_slice(head);
        (command, line)
    }
}

fn uid(output: &Output) -> Option<u32> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout.lines().find_map(|line| line.trim().strip_prefix("proxima-uid=")?.parse().ok())
}

/// sudo's English words (we set `LC_ALL=C`), of versions 1.8 to 1.9.
fn sudo_problem(output: &Output, user: String) -> Problem {
    let said = output.said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["must have a tty", "no tty present"]) && !says(&["a password is required"]) {
        Problem::SudoNeedsTty { user }
    } else if says(&["not in the sudoers", "not allowed to execute", "not allowed to run sudo", "may not run sudo"]) {
        Problem::NotInSudoers { user }
    } else if says(&["incorrect password", "sorry, try again", "authentication failure"]) {
        Problem::SudoPasswordWrong { user }
    } else if says(&["a password is required", "no password was provided", "askpass"]) {
        Problem::SudoPasswordMissing { user }
    } else if output.code == Some(127) || says(&["not found", "no such file"]) {
        Problem::NoSudo { user }
    } else {
        let said = if output.said.is_empty() { output.status.clone() } else { output.said.clone() };
        Problem::SudoFailed { said }
    }
}

/// Hears what is expected and of no interest to people.
pub(crate) struct Silent;

#[async_trait::async_trait]
impl Listener for Silent {
    async fn line(&mut self, _line: &str) -> Result<(), crate::run::Fenced> {
        Ok(())
    }

    async fn progress(&mut self, _done: u64, _total: u64) -> Result<(), crate::run::Fenced> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: u32, said: &str) -> String {
        let output =
            Output { stdout: vec![], said: said.into(), code: Some(code), status: format!("exit status {code}") };
        sudo_problem(&output, "joe".into()).report().code
    }

    #[test]
    fn sudos_words_become_problems() {
        for (code, said, expected) in [
            (1, "sudo: a password is required", "SUDO_PASSWORD_MISSING"),
            (1, "sudo: no tty present and no askpass program specified", "SUDO_NEEDS_TTY"),
            (1, "sudo: sorry, you must have a tty to run sudo", "SUDO_NEEDS_TTY"),
            (1, "joe is not in the sudoers file.", "NOT_IN_SUDOERS"),
            (1, "joe is not in the sudoers file. This incident will be reported.", "NOT_IN_SUDOERS"),
            (1, "Sorry, user joe is not allowed to execute '/usr/bin/sh' as root on vps.", "NOT_IN_SUDOERS"),
            (1, "Sorry, user joe may not run sudo on vps.", "NOT_IN_SUDOERS"),
            (
                1,
                "Sorry, try again. sudo: no password was provided sudo: 1 incorrect password attempt",
                "SUDO_PASSWORD_WRONG",
            ),
            (127, "env: 'sudo': No such file or directory", "NO_SUDO"),
            (127, "sh: 1: sudo: not found", "NO_SUDO"),
            (1, "sudo: unable to open /etc/sudoers: Permission denied", "SUDO_FAILED"),
        ] {
            assert_eq!(problem(code, said), expected, "{said}");
        }
    }
}
