//! Running one constant command, with a bound on everything that it says and on its time.

use super::session::Session;
use crate::problem::Problem;
use crate::run::Fenced;
use crate::text::{LineLimits, Lines, clean};
use async_trait::async_trait;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf, Sig};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Bytes of standard output that are kept; more ends the command.
const STDOUT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes read from a payload at once.
const CHUNK: usize = 32 * 1024;
/// How often the progress of a payload is told.
const PROGRESS: Duration = Duration::from_millis(250);
/// Characters of the last words on standard error that problems repeat.
const SAID_CHARS_MAX: usize = 300;
/// SSH's number for standard error (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// A command to run.
pub struct Exec<'a> {
    /// What it does, for problems: `Looking at the server`.
    pub what: &'static str,
    /// A constant: never made of data.
    pub command: &'static str,
    pub payload: Payload<'a>,
    pub limit: Duration,
}

/// What a command gets on standard input.
#[derive(Default)]
pub struct Payload<'a> {
    /// Sent first; may hold secrets.
    pub head: Zeroizing<Vec<u8>>,
    /// Sent after it, with its length in bytes.
    pub body: Option<(&'a mut (dyn AsyncRead + Send + Unpin), u64)>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Raw and unredacted: only ever parsed.
    pub stdout: Vec<u8>,
    /// The last line or lines on standard error: clean, redacted, bounded.
    pub said: String,
    /// `None`: ended by a signal, which `status` names.
    pub code: Option<u32>,
    /// `exit status 1`, `signal KILL`.
    pub status: String,
}

/// Why a command was not run to its end.
#[derive(Debug)]
pub enum Stop {
    Problem(Problem),
    Fenced(Fenced),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Fenced> for Stop {
    fn from(fenced: Fenced) -> Self {
        Self::Fenced(fenced)
    }
}

/// Hears a command's standard error and progress, as it goes.
#[async_trait]
pub trait Listener: Send {
    /// A clean, redacted line.
    async fn line(&mut self, line: &str) -> Result<(), Fenced>;
    /// Of the payload's body: bytes sent, and in all.
    async fn progress(&mut self, done: u64, total: u64) -> Result<(), Fenced>;
}

/// What came from the command so far.
struct Heard {
    stdout: Vec<u8>,
    stderr: Lines,
    said: Vec<String>,
    ended: Option<(Option<u32>, String)>,
}

impl Session {
    /// Runs a command to its end, whatever its exit status.
    ///
    /// # Errors
    /// The limit, the cancellation, a flood of output, the connection's end; or the listener's word.
    pub async fn exec(
        &self,
        exec: Exec<'_>,
        listener: &mut dyn Listener,
        cancel: &CancellationToken,
    ) -> Result<Output, Stop> {
        let (what, limit) = (exec.what, exec.limit);
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Problem::Cancelled.into()),
            result = timeout(limit, self.exec_to_end(exec, listener)) => {
                result.unwrap_or(Err(Problem::StepTimedOut { what, seconds: limit.as_secs() }.into()))
            }
        }
    }

    async fn exec_to_end(&self, exec: Exec<'_>, listener: &mut dyn Listener) -> Result<Output, Stop> {
        let Exec { what, command, payload, .. } = exec;
        let total = payload.body.as_ref().map_or(0, |(_, bytes)| *bytes);
        let channel = self.handle.channel_open_session().await.map_err(|error| self.no_channel(&error))?;
        channel.exec(true, command).await.map_err(|_| self.lost())?;
        let (mut read, write) = channel.split();
        let sent = AtomicU64::new(0);
        let feeding = feed(&write, payload, &sent);
        tokio::pin!(feeding);
        let mut fed = false;
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Heard::new(self.redactor.clone());
        loop {
            tokio::select! {
                result = &mut feeding, if !fed => {
                    fed = true;
                    result?;
                }
                message = read.wait() => match message {
                    None | Some(ChannelMsg::Close) => break,
                    Some(message) => heard.take(message, what, listener).await?,
                },
                _ = ticks.tick(), if total > 0 && !fed => {
                    listener.progress(sent.load(Ordering::Relaxed), total).await?;
                }
            }
        }
        if total > 0 {
            listener.progress(sent.load(Ordering::Relaxed), total).await?;
        }
        heard.finish(listener).await?.ok_or_else(|| self.lost().into())
    }

    fn no_channel(&self, error: &russh::Error) -> Problem {
        match error {
            russh::Error::ChannelOpenFailure(_) => Problem::NoShell { said: "it opens no session".to_owned() },
            _ => self.lost(),
        }
    }

    /// The connection's end, with the server's parting words if there were any.
    pub(super) fn lost(&self) -> Problem {
        let reason = self.redactor.redact(&self.observed.parting().unwrap_or_default());
        self.observed.take_problem().unwrap_or(Problem::ConnectionLost { reason })
    }
}

impl Heard {
    fn new(redactor: crate::text::Redactor) -> Self {
        Self { stdout: Vec::new(), stderr: Lines::new(LineLimits::default(), redactor), said: Vec::new(), ended: None }
    }

    async fn take(&mut self, message: ChannelMsg, what: &'static str, listener: &mut dyn Listener) -> Result<(), Stop> {
        match message {
            ChannelMsg::Data { data } => {
                if self.stdout.len() + data.len() > STDOUT_BYTES_MAX {
                    return Err(Problem::TooMuchOutput { what }.into());
                }
                self.stdout.extend_from_slice(&data);
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                let lines = self.stderr.push(&data).map_err(|_| Problem::TooMuchOutput { what })?;
                for line in lines {
                    self.hear(line, listener).await?;
                }
            }
            ChannelMsg::ExitStatus { exit_status } => {
                self.ended = Some((Some(exit_status), format!("exit status {exit_status}")));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.ended = Some((None, format!("signal {}", signal(&signal_name))));
            }
            ChannelMsg::Failure => {
                return Err(Problem::NoShell { said: "it refuses to run commands".to_owned() }.into());
            }
            _ => {}
        }
        Ok(())
    }

    async fn hear(&mut self, line: String, listener: &mut dyn Listener) -> Result<(), Fenced> {
        listener.line(&line).await?;
        self.said.push(line);
        if self.said.len() > 3 {
            self.said.remove(0);
        }
        Ok(())
    }

    async fn finish(mut self, listener: &mut dyn Listener) -> Result<Option<Output>, Fenced> {
        if let Some(line) = self.stderr.finish() {
            self.hear(line, listener).await?;
        }
        let said = clean(self.said.join(" ").as_bytes(), SAID_CHARS_MAX);
        Ok(self.ended.map(|(code, status)| Output { stdout: self.stdout, said, code, status }))
    }
}

/// Sends the payload and the end of it. That nobody reads it any more is no error: how the command
/// ended says more.
async fn feed(write: &ChannelWriteHalf<Msg>, payload: Payload<'_>, sent: &AtomicU64) -> Result<(), Problem> {
    if !payload.head.is_empty() && write.data_bytes(payload.head.to_vec()).await.is_err() {
        return Ok(());
    }
    if let Some((reader, _)) = payload.body {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = reader.read(&mut chunk).await;
            let read = read.map_err(|error| Problem::BinaryUnreadable { reason: error.kind().to_string() })?;
            let data = chunk.get(..read).unwrap_or_default().to_vec();
            if read == 0 {
                break;
            }
            if write.data_bytes(data).await.is_err() {
                return Ok(());
            }
            sent.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
    let _ = write.eof().await;
    Ok(())
}

fn signal(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => clean(name.as_bytes(), 20),
        known => format!("{known:?}"),
    }
}
