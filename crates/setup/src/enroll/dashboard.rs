//! What the box and the dashboard say to each other. Over TLS, or on loopback: [`DashboardUrl`] lets nothing else through,
//! and no redirect is followed.

use crate::host::Host;
use crate::problem::problem;
use crate::reach;
use proxima_types::enroll::{
    CLAIM_PATH, ClaimAnswer, ClaimRequest, MAX_ENROLL_ANSWER_BYTES, News, ReportAnswer, ReportEnd, ReportRequest,
    report_path,
};
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::{SetupProblem, SetupProblemCode as Code};
use proxima_types::{InstallToken, JobId, ReportToken};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a dashboard that does not answer is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same when everything is being undone: what is said then only shows it in the dashboard.
const SHORT_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at whether we are interrupted.
const GLANCE: Duration = Duration::from_millis(50);

/// Why nothing came of a request.
#[derive(Debug)]
pub(super) enum Lost {
    /// By a signal, while waiting.
    Interrupted,
    /// The dashboard has ended the job.
    Ended(SetupProblem),
    Problem(SetupProblem),
}

pub(super) struct Dashboard<'a> {
    url: DashboardUrl,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    interrupted: &'a dyn Fn() -> bool,
    job: Option<(JobId, ReportToken)>,
    sequence: u64,
    patience: Duration,
    /// The dashboard takes no reports any more.
    closed: bool,
}

/// An answer, or why there is none.
enum Try<T> {
    Answer(T),
    /// It may be otherwise in a moment.
    Again(SetupProblem),
    Refused {
        status: u16,
        problem: SetupProblem,
    },
}

/// What we need of a problem document (RFC 9457).
#[derive(Deserialize)]
struct ProblemDocument {
    code: String,
    detail: String,
}

impl<'a> Dashboard<'a> {
    pub(super) fn new(
        host: &Host<'_>,
        url: &DashboardUrl,
        interrupted: &'a dyn Fn() -> bool,
    ) -> Result<Self, SetupProblem> {
        let shown = url.to_string();
        let client = (host.http)().map_err(|why| reach::unreachable(&shown, &why))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| reach::unreachable(&shown, &error.to_string()))?;
        let url = url.clone();
        Ok(Self { url, client, runtime, interrupted, job: None, sequence: 0, patience: PATIENCE, closed: false })
    }

    /// Asked again and again while no answer comes: the dashboard answers the same box the same.
    pub(super) fn claim(&self, token: &InstallToken, claim: &ClaimRequest) -> Result<ClaimAnswer, Lost> {
        self.insist(CLAIM_PATH, token.expose(), claim)
    }

    pub(super) fn reports_go_to(&mut self, job: JobId, token: ReportToken) {
        self.job = Some((job, token));
    }

    /// From now on nobody waits long for the dashboard.
    pub(super) fn hurry(&mut self) {
        self.patience = SHORT_PATIENCE;
    }

    pub(super) fn report(&mut self, news: Vec<News>, end: Option<ReportEnd>) -> Result<ReportAnswer, Lost> {
        let Some((job, token)) = self.job.as_ref().filter(|_| !self.closed) else {
            return Ok(ReportAnswer { cancelled: false, proven: false });
        };
        self.sequence += 1;
        let request = ReportRequest { sequence: self.sequence, news, end };
        let answer = self.insist(&report_path(*job), token.expose(), &request);
        self.closed |= matches!(answer, Err(Lost::Ended(_)));
        answer
    }

    fn insist<A: DeserializeOwned>(&self, path: &str, token: &str, body: &impl Serialize) -> Result<A, Lost> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.runtime.block_on(self.ask(path, token, body)) {
                Try::Answer(answer) => return Ok(answer),
                Try::Refused { status: 409, problem } if self.job.is_some() => return Err(Lost::Ended(problem)),
                Try::Refused { problem, .. } => return Err(Lost::Problem(problem)),
                Try::Again(problem) if Instant::now() >= deadline => return Err(Lost::Problem(problem)),
                Try::Again(_) => {}
            }
            self.pause(PAUSE)?;
        }
    }

    /// # Errors
    /// [`Lost::Interrupted`]; not while everything is being undone.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), Lost> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if (self.interrupted)() && self.patience > SHORT_PATIENCE {
                return Err(Lost::Interrupted);
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    async fn ask<A: DeserializeOwned>(&self, path: &str, token: &str, body: &impl Serialize) -> Try<A> {
        let shown = self.url.to_string();
        let request = self.client.post(self.url.join(path)).bearer_auth(token).json(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Try::Again(reach::explain(&shown, &error)),
        };
        let status = response.status().as_u16();
        let mut text = Zeroizing::new(Vec::new());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if text.len() + chunk.len() <= MAX_ENROLL_ANSWER_BYTES => {
                    text.extend_from_slice(&chunk)
                }
                Ok(Some(_)) => return refused(&shown, status, None),
                Ok(None) => break,
                Err(error) => return Try::Again(reach::explain(&shown, &error)),
            }
        }
        if status == 200 {
            return match serde_json::from_slice(&text) {
                Ok(answer) => Try::Answer(answer),
                Err(_) => refused(&shown, status, None),
            };
        }
        let said = serde_json::from_slice::<ProblemDocument>(&text).ok();
        match (status, said) {
            (401 | 404 | 409 | 413 | 422, Some(said)) => refused(&shown, status, Some(said)),
            // A proxy in front of a dashboard that starts again, a database that is away, too much at once.
            _ => Try::Again(reach::wrong_status(&shown, status)),
        }
    }
}

fn refused<A>(shown: &str, status: u16, said: Option<ProblemDocument>) -> Try<A> {
    let problem = match said {
        Some(said) if said.code == "install_token_refused" => problem(
            Code::BadRequest,
            "The install token is not good any more: it was used, withdrawn, replaced by another, or it expired.",
            "Make another install command in the dashboard, and run that one.",
        ),
        Some(said) => problem(
            Code::BadRequest,
            crate::problem::quote(&said.detail),
            "Look at the server's page in the dashboard, then make another install command.",
        ),
        None => reach::wrong_status(shown, status),
    };
    Try::Refused { status, problem }
}
