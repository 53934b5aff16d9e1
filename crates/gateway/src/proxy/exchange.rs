//! One request, from its head to the end of its answer.

use super::access::{Outcome, Record};
use super::attempts::{Attempts, Link};
use super::body::{Body, Broken, Source, Writer, carry};
use super::client::Client;
use super::headers::{self, Hop, Towards};
use super::refusal::{Asked, Refusal};
use super::route::Destination;
use super::target::Target;
use super::visit::{Connection, Visitor};
use super::{REQUEST, RESPONSE, Rules, tunnel};
use crate::upstream::Group;
use crate::wire::{Buffer, Late, Patience, Stream};
use proxima_http1::{Framing, Method, RequestHead, ResponseHead, Scan, Version};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Interim answers that one request may have; an endless row of them is an attack.
pub(super) const MOST_INTERIM: usize = 16;

/// What becomes of a visitor's connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next request is read.
    Request,
    /// It ends, once the visitor has had time to read the answer.
    Linger,
    /// It ends, and the visitor is told that this is all.
    End,
    /// It is cut: an answer that is not whole must not look whole.
    Close,
}

/// Why there is no answer.
pub(super) enum Failed {
    Refused(Refusal),
    /// Nothing came back. `unsent`: nothing had been written, either.
    Silent {
        unsent: bool,
        why: String,
    },
}

impl Failed {
    pub(super) fn body(why: String) -> Self {
        Self::Refused(Refusal::Body(why))
    }

    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Silent { unsent: true, .. })
    }

    /// Another link, if the request may be sent again.
    pub(super) async fn next(
        self,
        attempts: &mut Attempts,
        (visitor, record): (&Visitor, &Record),
        link: &Link,
        repeatable: bool,
    ) -> Result<Link, Refusal> {
        let (unsent, why) = match self {
            Self::Silent { unsent, why } => (unsent, why),
            Self::Refused(refusal) => {
                if !refusal.is_visitors() {
                    link.failed();
                }
                return Err(refusal);
            }
        };
        if !link.used {
            link.failed();
        }
        tracing::debug!(why, "a backend gave nothing back");
        if unsent || repeatable {
            attempts.again(visitor, record, link).await?.ok_or(Refusal::Backend(why))
        } else {
            Err(Refusal::Backend(why))
        }
    }
}

/// Answers a request whose head could not be read.
pub(super) async fn refuse_head(visitor: &Visitor, connection: &mut Connection, refusal: Refusal) -> Next {
    let record = Record::begin(&visitor.worker, &visitor.client, &visitor.client, None);
    let asked = Asked { method: Method::Get, request_id: &record.request_id, accept: "", hsts: visitor.hsts() };
    send_refusal(visitor, connection, &record, &refusal, asked, false).await
}

/// Answers one request. Never fails: a failure is an answer, too.
pub(super) async fn exchange(visitor: &Visitor, connection: &mut Connection) -> Next {
    let rules = visitor.port.rules();
    let client = rules.trusted.client(&visitor.client, connection.request.fields());
    let record = Record::begin(&visitor.worker, &client.ip, &visitor.client, Some(&connection.request));
    let mut body = Body::new(connection.request.framing());
    let refusal = match forward(visitor, &client, &rules, connection, &record, &mut body).await {
        Ok(next) => return next,
        Err(refusal) => refusal,
    };
    let head = &connection.request;
    let keep = !refusal.is_visitors() && head.keeps_alive() && body.is_empty() && !visitor.port.closing.is_cancelled();
    let accept = String::from_utf8_lossy(head.fields().get("accept").unwrap_or_default()).into_owned();
    let asked = Asked { method: head.method, request_id: &record.request_id, accept: &accept, hsts: visitor.hsts() };
    send_refusal(visitor, connection, &record, &refusal, asked, keep).await
}

async fn send_refusal(
    visitor: &Visitor,
    connection: &mut Connection,
    record: &Record,
    refusal: &Refusal,
    asked: Asked<'_>,
    keep: bool,
) -> Next {
    refusal.count(visitor.worker.metrics());
    record.status.set(refusal.status().as_u16());
    record.note(refusal.to_string());
    let mut out = std::mem::take(&mut connection.to_visitor);
    out.clear();
    let bytes = refusal.push(&mut out, asked, keep);
    let stall = visitor.worker.settings().visitor.stall;
    let written = connection.visitor_timer.progress(stall, &connection.stream, &out).await;
    out.clear();
    connection.to_visitor = out;
    if !matches!(written, Ok(Ok(()))) {
        return Next::Close;
    }
    record.sent(bytes);
    record.outcome.set(Outcome::Complete);
    if keep { Next::Request } else { Next::Linger }
}

async fn forward(
    visitor: &Visitor,
    client: &Client<'_>,
    rules: &Rules,
    connection: &mut Connection,
    record: &Record,
    body: &mut Body,
) -> Result<Next, Refusal> {
    let mut attempts = Attempts::at(route(visitor, rules, &connection.request)?);
    let offered = headers::upgrade(&connection.request);
    let repeatable = connection.request.method.is_idempotent() && body.is_empty();
    let mut link = attempts.link(visitor, record).await?;
    push_head(visitor, client, &connection.request, &mut connection.to_backend, record, &link, offered.as_deref())?;
    if headers::expects_continue(&connection.request) && connection.buffer.is_empty() {
        let stall = visitor.worker.settings().visitor.stall;
        let said = connection.visitor_timer.progress(stall, &connection.stream, CONTINUE).await;
        said.map_err(|Late| Refusal::Body("100 Continue was not taken".to_owned()))?
            .map_err(|error| Refusal::Body(error.to_string()))?;
    }
    loop {
        let failed = match converse(visitor, connection, record, body, &mut link, offered.is_some()).await {
            Ok(Answered::Http { whole }) => return Ok(end(visitor, connection, link, whole)),
            Ok(Answered::Switched) => return Ok(tunnel::carry(visitor, connection, record, link).await),
            Err(failed) => failed,
        };
        let unsent = failed.is_unsent();
        link = failed.next(&mut attempts, (visitor, record), &link, repeatable).await?;
        if !unsent {
            let Connection { request, to_backend, .. } = &mut *connection;
            push_head(visitor, client, request, to_backend, record, &link, offered.as_deref())?;
        }
    }
}

/// The backends that a request goes to.
pub(super) fn route(visitor: &Visitor, rules: &Rules, request: &RequestHead) -> Result<Arc<Group>, Refusal> {
    let target = Target::of(request)?;
    if let Some(url) = &rules.image_url
        && target.path[0].starts_with(b"/images/")
    {
        return Err(Refusal::Image(format!("{url}{}", target.path_text())));
    }
    let mark = visitor.worker.loop_mark();
    if request.fields().all(headers::LOOP_MARK).any(|one| one == mark.as_bytes()) {
        return Err(Refusal::Loop);
    }
    match visitor.port.destination(target.host, target.path[0]) {
        Destination::Backends(group) => Ok(group),
        Destination::Https(port) => Err(Refusal::Https(target.by_https(port).ok_or(Refusal::Host)?)),
    }
}

/// Writes the request's head for the backend.
pub(super) fn push_head(
    visitor: &Visitor,
    client: &Client<'_>,
    request: &RequestHead,
    to_backend: &mut Vec<u8>,
    record: &Record,
    link: &Link,
    offered: Option<&[u8]>,
) -> Result<(), Refusal> {
    let target = Target::of(request)?;
    let hop = Hop {
        client: &client.ip,
        chain: &client.chain,
        scheme: client.scheme.unwrap_or(visitor.scheme()),
        host: target.host.unwrap_or(link.backend().host.as_bytes()),
        request_id: &record.request_id,
        loop_mark: visitor.worker.loop_mark(),
        upgrade: offered,
    };
    to_backend.clear();
    headers::push_request(to_backend, request, &target.path, &hop);
    Ok(())
}

enum Answered {
    /// `whole`: with both bodies to their ends.
    Http { whole: Whole },
    /// The backend has switched protocols, as it was offered.
    Switched,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy)]
struct Whole {
    request: bool,
    response: bool,
    /// The visitor was told that his connection stays.
    keep: bool,
}

/// How a request's body gets on: tells a slow visitor from a slow backend.
pub(super) struct Progress {
    last: Cell<Instant>,
    waits_for_visitor: Cell<bool>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { last: Cell::new(Instant::now()), waits_for_visitor: Cell::new(false) }
    }

    pub(super) fn waits(&self, waits: bool) {
        self.waits_for_visitor.set(waits);
        self.last.set(Instant::now());
    }

    /// What is left of `limit` for the backend; all of it while the visitor keeps us waiting.
    fn patience(&self, limit: Duration) -> Duration {
        if self.waits_for_visitor.get() { limit } else { limit.saturating_sub(self.last.get().elapsed()) }
    }
}

/// Sends the request and carries back the answer, at the same time where they overlap.
async fn converse(
    visitor: &Visitor,
    connection: &mut Connection,
    record: &Record,
    body: &mut Body,
    link: &mut Link,
    offered: bool,
) -> Result<Answered, Failed> {
    let settings = visitor.worker.settings();
    let Connection { stream, buffer, request, response, to_backend, to_visitor, visitor_timer, backend_timer } =
        connection;
    let chunked = request.framing() == Framing::Chunked;
    let begun = Cell::new(false);
    let progress = Progress::new();
    let (waits, received, sent) =
        (|waits| progress.waits(waits), |bytes| record.received(bytes), |bytes| record.sent(bytes));
    let stall = settings.visitor.stall;
    let source = Source {
        stream,
        buffer,
        body,
        limits: &REQUEST,
        patience: Some(stall),
        waits: &waits,
        pipes: &visitor.worker.pipes,
    };
    let sink =
        Writer { stream: &link.stream, out: to_backend, chunked, patience: stall, count: &received, begun: &begun };
    let mut sending = Sending { future: pin!(carry(source, sink, visitor_timer)), ended: None };

    let mut from_backend =
        Heads { stream: &link.stream, buffer: &mut link.buffer, timer: backend_timer, progress: &progress };
    let mut interim = 0;
    loop {
        let read = alongside(&mut sending, from_backend.next(response, settings.backend.header)).await;
        match read.map_err(Failed::body)? {
            Ok(()) => {}
            Err(NoHead::Late) => return Err(Failed::Refused(Refusal::BackendTimeout)),
            Err(NoHead::Nonsense(why)) => return Err(Failed::Refused(Refusal::Backend(why))),
            Err(NoHead::Broken(why)) => {
                return Err(Failed::Silent { unsent: !begun.get(), why });
            }
        }
        if response.status == 101 && !offered {
            return Err(Failed::Refused(Refusal::Backend("switched protocols without being asked".to_owned())));
        }
        if !matches!(response.status, 100 | 102..=199) {
            break;
        }
        interim += 1;
        if interim > MOST_INTERIM {
            return Err(Failed::Refused(Refusal::Backend("interim answers without end".to_owned())));
        }
        if response.status != 100 && request.version == Version::Http11 {
            to_visitor.clear();
            headers::push_response(
                to_visitor,
                response,
                Towards { chunked: false, connection: None, hsts: None },
                &record.request_id,
            );
            let written = alongside(&mut sending, from_backend.timer.progress(stall, stream, to_visitor)).await;
            to_visitor.clear();
            if !matches!(written.map_err(Failed::body)?, Ok(Ok(()))) {
                return Err(Failed::body("an interim answer was not taken".to_owned()));
            }
        }
    }
    if response.status == 101 {
        return Ok(Answered::Switched);
    }
    record.status.set(response.status);
    link.connections.backend.health.answered();
    let framing = response.framing(request.method);
    let closes = visitor.port.closing.is_cancelled() || !request.keeps_alive();
    let (towards, keep) = towards(request, framing, closes, visitor.hsts());
    to_visitor.clear();
    headers::push_response(to_visitor, response, towards, &record.request_id);
    let (mut rest, shown) = (Body::new(framing), Cell::new(false));
    let source = Source {
        stream: &link.stream,
        buffer: from_backend.buffer,
        body: &mut rest,
        limits: &RESPONSE,
        patience: None,
        waits: &|_| {},
        pipes: &visitor.worker.pipes,
    };
    let sink =
        Writer { stream, out: to_visitor, chunked: towards.chunked, patience: stall, count: &sent, begun: &shown };
    let answered = alongside(&mut sending, carry(source, sink, from_backend.timer)).await;
    let answered = answered.unwrap_or_else(|why| {
        record.note(format!("the request's body broke off: {why}"));
        Err(Broken::Target(why))
    });
    match &answered {
        Ok(()) => record.outcome.set(Outcome::Complete),
        Err(Broken::Source(why)) if !shown.get() => return Err(Failed::Refused(Refusal::Backend(why.clone()))),
        Err(Broken::Source(why)) => {
            record.outcome.set(Outcome::BackendBrokeOff);
            record.note(why.clone());
        }
        Err(Broken::Target(_)) => {}
    }
    let whole = Whole { request: matches!(sending.ended, Some(Ok(()))), response: answered.is_ok(), keep };
    Ok(Answered::Http { whole })
}

/// How an answer's end is shown to the visitor, and whether his connection stays.
fn towards<'a>(request: &RequestHead, framing: Framing, closes: bool, hsts: Option<&'a str>) -> (Towards<'a>, bool) {
    let of_http_11 = request.version == Version::Http11;
    let has_end = matches!(framing, Framing::Empty | Framing::Length(_));
    let keep = !closes && (has_end || of_http_11);
    let connection = match (keep, of_http_11) {
        (false, _) => Some("close"),
        (true, false) => Some("keep-alive"),
        (true, true) => None,
    };
    (Towards { chunked: !has_end && of_http_11, connection, hsts }, keep)
}

/// What becomes of both connections.
fn end(visitor: &Visitor, connection: &Connection, link: Link, whole: Whole) -> Next {
    let response = &connection.response;
    let has_end = response.framing(connection.request.method) != Framing::UntilClose;
    if whole.request && whole.response && has_end && response.keeps_alive() && link.buffer.is_empty() {
        link.keep(visitor);
    }
    match (whole.response, whole.request, whole.keep) {
        (false, ..) => Next::Close,
        (true, true, false) => Next::End,
        (true, false, _) => Next::Linger,
        (true, true, true) => Next::Request,
    }
}

/// A body that is being sent while something else is done.
pub(super) struct Sending<'a, F> {
    pub future: Pin<&'a mut F>,
    pub ended: Option<Result<(), Broken>>,
}

/// Waits for `what`, and goes on sending meanwhile.
///
/// # Errors
/// Why the visitor's body broke off, if it did first.
pub(super) async fn alongside<T>(
    sending: &mut Sending<'_, impl Future<Output = Result<(), Broken>>>,
    what: impl Future<Output = T>,
) -> Result<T, String> {
    let mut what = pin!(what);
    poll_fn(|cx| {
        if sending.ended.is_none()
            && let Poll::Ready(ended) = sending.future.as_mut().poll(cx)
        {
            sending.ended = Some(ended);
        }
        if let Some(Err(Broken::Source(why))) = &sending.ended {
            return Poll::Ready(Err(why.clone()));
        }
        what.as_mut().poll(cx).map(Ok)
    })
    .await
}

pub(super) enum NoHead {
    Late,
    /// It is no answer.
    Nonsense(String),
    /// The connection ended first.
    Broken(String),
}

/// A backend's heads, one after the other.
pub(super) struct Heads<'a> {
    pub stream: &'a Stream,
    pub buffer: &'a mut Buffer,
    pub timer: &'a mut Patience,
    pub progress: &'a Progress,
}

impl Heads<'_> {
    pub(super) async fn next(&mut self, head: &mut ResponseHead, limit: Duration) -> Result<(), NoHead> {
        let mut scan = Scan::default();
        loop {
            let found = scan
                .look(self.buffer.bytes(), &RESPONSE)
                .map_err(|violation| NoHead::Nonsense(violation.to_string()))?;
            if let Some((start, end)) = found {
                if start > 0 {
                    return Err(NoHead::Nonsense("an empty line before an answer".to_owned()));
                }
                head.parse(&self.buffer.bytes()[..end], &RESPONSE)
                    .map_err(|violation| NoHead::Nonsense(violation.to_string()))?;
                self.buffer.take(end);
                return Ok(());
            }
            self.fill(limit).await?;
        }
    }

    async fn fill(&mut self, limit: Duration) -> Result<(), NoHead> {
        loop {
            let patience = self.progress.patience(limit);
            match self.timer.within(patience, self.stream.read(self.buffer)).await {
                Ok(Ok(1..)) => return Ok(()),
                Ok(Ok(0)) => {
                    return Err(NoHead::Broken("the backend closed the connection without an answer".to_owned()));
                }
                Ok(Err(error)) => return Err(NoHead::Broken(error.to_string())),
                Err(Late) if self.progress.patience(limit).is_zero() => return Err(NoHead::Late),
                Err(Late) => {}
            }
        }
    }
}
