//! The API itself: which request is what, and who may ask. Everything but the liveness check needs
//! the secret, unknown paths too.

use super::desk::Desk;
use super::gate::Admission;
use super::problem::Problem;
use super::secret::Secret;
use crate::metrics::Metrics;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use proxima_types::manage::{
    DRAIN_PATH, DrainAnswer, DrainRequest, LIVENESS_PATH, MAX_DRAIN_SECONDS, MAX_REQUEST_BYTES, ManagementProblem,
    NUDGE_PATH, NudgeAnswer, NudgeOutcome, STATUS_PATH, StatusDocument,
};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How long a nudge waits for its heartbeat: one attempt's 10 s and the pause before it.
const NUDGE_WAIT: Duration = Duration::from_secs(15);
/// How often refused secrets are logged.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// Begins the one drain of this process.
pub(super) type Drain = Mutex<Option<oneshot::Sender<Duration>>>;

/// What every request needs.
pub(super) struct Api {
    pub secret: Secret,
    pub desk: Arc<Desk>,
    pub metrics: Arc<Metrics>,
    pub drain: Drain,
    pub warned: Mutex<Option<Instant>>,
}

type Answer = Response<Full<Bytes>>;

/// A JSON answer that no cache keeps.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut response = Response::new(Full::new(serde_json::to_vec(body).unwrap_or_default().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Api {
    pub(super) async fn answer(&self, request: Request<Incoming>, admission: &Admission) -> Answer {
        self.metrics.management_requests.increment();
        let answered = match self.authenticate(&request, admission) {
            Ok(()) => self.route(request, admission).await,
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(Problem::into_response)
    }

    fn authenticate(&self, request: &Request<Incoming>, admission: &Admission) -> Result<(), Problem> {
        if request.uri().path() == LIVENESS_PATH {
            return Ok(());
        }
        let now = Instant::now();
        let refused = match admission.may_try(now) {
            Err(wait) => Problem::TooManyFailures(wait),
            Ok(()) if self.secret.is_shown(request.headers()) => {
                admission.proved();
                return Ok(());
            }
            Ok(()) => {
                admission.failed(now);
                Problem::Unauthenticated
            }
        };
        self.metrics.management_refused.increment();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY) {
            *warned = Some(now);
            let refused_in_all = self.metrics.management_refused.get();
            tracing::warn!(peer = %admission.address(), refused_in_all, "management: a request without the secret refused");
        }
        Err(refused)
    }

    async fn route(&self, request: Request<Incoming>, admission: &Admission) -> Result<Answer, Problem> {
        let only = |allowed: Method, name| {
            if request.method() == allowed { Ok(()) } else { Err(Problem::MethodNotAllowed(name)) }
        };
        match request.uri().path() {
            LIVENESS_PATH => only(Method::GET, "GET").map(|()| liveness_get()),
            STATUS_PATH => only(Method::GET, "GET").map(|()| status_get(&self.desk)),
            NUDGE_PATH => {
                only(Method::POST, "POST")?;
                tracing::info!(peer = %admission.address(), "management: nudge");
                Ok(nudge_create(&self.desk).await)
            }
            DRAIN_PATH => {
                only(Method::POST, "POST")?;
                let seconds = read_drain(request.into_body()).await?;
                tracing::info!(peer = %admission.address(), seconds, "management: drain");
                drain_create(&self.drain, seconds)
            }
            _ => Err(Problem::NotFound),
        }
    }
}

#[utoipa::path(
    post, path = DRAIN_PATH, operation_id = "drain_create", tag = "management",
    request_body = DrainRequest,
    responses(
        (status = 202, description = "The drain has begun; the process ends, and systemd starts it again", body = DrainAnswer),
        (status = 401, description = "The secret is missing or wrong", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 409, description = "The gateway is ending already", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not of the form", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong secrets", body = ManagementProblem, content_type = "application/problem+json"),
    ),
    security(("apiSecret" = []))
)]
fn drain_create(drain: &Drain, seconds: u32) -> Result<Answer, Problem> {
    let sender = drain.lock().unwrap_or_else(PoisonError::into_inner).take();
    let begun = sender.is_some_and(|sender| sender.send(Duration::from_secs(seconds.into())).is_ok());
    if begun { Ok(json(StatusCode::ACCEPTED, &DrainAnswer { seconds })) } else { Err(Problem::AlreadyDraining) }
}

async fn read_drain(body: Incoming) -> Result<u32, Problem> {
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(|_| Problem::TooLarge)?.to_bytes();
    let asked: DrainRequest = serde_json::from_slice(&body).map_err(|_| Problem::Malformed)?;
    (1..=MAX_DRAIN_SECONDS).contains(&asked.seconds).then_some(asked.seconds).ok_or(Problem::Malformed)
}

#[utoipa::path(
    get, path = LIVENESS_PATH, operation_id = "liveness_get", tag = "management",
    responses((status = 204, description = "There is a gateway; nothing more is said without the secret"))
)]
fn liveness_get() -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[utoipa::path(
    get, path = STATUS_PATH, operation_id = "status_get", tag = "management",
    responses(
        (status = 200, description = "As `proxima-gateway status --json`", body = StatusDocument),
        (status = 401, description = "The secret is missing or wrong", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong secrets", body = ManagementProblem, content_type = "application/problem+json"),
    ),
    security(("apiSecret" = []))
)]
fn status_get(desk: &Desk) -> Answer {
    let status = desk.status().map(|status| (*status).clone());
    json(StatusCode::OK, &StatusDocument { running: true, status })
}

#[utoipa::path(
    post, path = NUDGE_PATH, operation_id = "nudge_create", tag = "management",
    responses(
        (status = 200, description = "A heartbeat that began after the nudge has ended", body = NudgeAnswer),
        (status = 202, description = "The heartbeat takes longer; `outcome` is PENDING", body = NudgeAnswer),
        (status = 401, description = "The secret is missing or wrong", body = ManagementProblem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong secrets", body = ManagementProblem, content_type = "application/problem+json"),
    ),
    security(("apiSecret" = []))
)]
async fn nudge_create(desk: &Desk) -> Answer {
    match timeout(NUDGE_WAIT, desk.nudge()).await {
        Ok(Some(answer)) => json(StatusCode::OK, &answer),
        _ => json(StatusCode::ACCEPTED, &NudgeAnswer { outcome: NudgeOutcome::Pending, silence: None }),
    }
}
