//! One stream: a request, and its answer.

use super::request;
use super::sink::{self, Frames};
use crate::proxy::access::{Outcome, Record};
use crate::proxy::attempts::{Attempts, Link};
use crate::proxy::body::{Body, Broken, Source, Writer, carry};
use crate::proxy::client::Client;
use crate::proxy::exchange::{Failed, Heads, MOST_INTERIM, NoHead, Progress, Sending, alongside, push_head, route};
use crate::proxy::headers::{self, HSTS, REQUEST_ID};
use crate::proxy::refusal::{Asked, Refusal};
use crate::proxy::visit::Visitor;
use crate::proxy::{RESPONSE, Rules};
use crate::wire::Patience;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use proxima_http1::{Framing, Known, RequestHead, ResponseHead};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What one stream is answered with.
struct Stream<'a> {
    visitor: Rc<Visitor>,
    client: Client<'a>,
    rules: &'a Rules,
    request: RequestHead,
    body: RecvStream,
    respond: &'a Respond,
    response: ResponseHead,
    /// What is waited for of the visitor, and of the backend.
    visitor_timer: Patience,
    backend_timer: Patience,
}

/// What an answer begins with. Borrowed only while something is done with it.
struct Respond {
    inner: RefCell<SendResponse<Bytes>>,
    /// The final head is sent.
    begun: Cell<bool>,
}

impl Respond {
    fn interim(&self, response: Response<()>) {
        // Who does not get it gets the answer.
        let _ = self.inner.borrow_mut().send_informational(response);
    }

    /// `None`: the visitor is gone.
    fn head(&self, response: Response<()>, end: bool) -> Option<RefCell<SendStream<Bytes>>> {
        self.begun.set(true);
        self.inner.borrow_mut().send_response(response, end).ok().map(RefCell::new)
    }

    /// Ready when the visitor has reset the stream before there was an answer.
    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begun.get() { Poll::Pending } else { self.inner.borrow_mut().poll_reset(cx).map(|_| ()) }
    }
}

/// Answers one stream, unless its visitor resets it first.
pub(super) async fn answer(visitor: Rc<Visitor>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let respond = Respond { inner: RefCell::new(respond), begun: Cell::new(false) };
    let head = request::head(&request, !request.body().is_end_stream());
    let known = head.is_ok();
    let (head, refused) = match head {
        Ok(head) => (head, None),
        Err(refusal) => (RequestHead::default(), Some(refusal)),
    };
    let rules = visitor.port.rules();
    let client = rules.trusted.client(&visitor.client, head.fields());
    let record = Record::begin(&visitor.worker, &client.ip, &visitor.client, Some(&head).filter(|_| known));
    let mut stream = Stream {
        visitor: Rc::clone(&visitor),
        client,
        rules: &rules,
        request: head,
        body: request.into_body(),
        respond: &respond,
        response: ResponseHead::default(),
        visitor_timer: Patience::default(),
        backend_timer: Patience::default(),
    };
    let mut answering = pin!(stream.answer(&record, refused));
    poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => respond.poll_reset(cx),
    })
    .await;
}

impl Stream<'_> {
    async fn answer(&mut self, record: &Record, refused: Option<Refusal>) {
        let refusal = match refused {
            Some(refusal) => refusal,
            None => match self.forward(record).await {
                Ok(()) => return,
                Err(refusal) => refusal,
            },
        };
        self.refuse(record, &refusal).await;
    }

    async fn refuse(&mut self, record: &Record, refusal: &Refusal) {
        refusal.count(self.visitor.worker.metrics());
        record.status.set(refusal.status().as_u16());
        record.note(refusal.to_string());
        let accept = String::from_utf8_lossy(self.request.fields().get("accept").unwrap_or_default()).into_owned();
        let asked = Asked {
            method: self.request.method,
            request_id: &record.request_id,
            accept: &accept,
            hsts: self.visitor.hsts(),
        };
        let (fields, page) = refusal.page(asked);
        let mut response = head_of(refusal.status());
        *response.headers_mut() =
            fields.iter().filter_map(|(name, value)| line(name.as_bytes(), value.as_bytes())).collect();
        let stall = self.visitor.worker.settings().visitor.stall;
        let Some(stream) = self.respond.head(response, page.is_empty()) else { return };
        let sent = |bytes| record.sent(bytes);
        let frames = Frames::new(&stream, stall, &sent);
        if page.is_empty() || frames.whole(page.as_bytes(), &mut self.visitor_timer).await.is_ok() {
            record.outcome.set(Outcome::Complete);
        }
    }

    async fn forward(&mut self, record: &Record) -> Result<(), Refusal> {
        let visitor = Rc::clone(&self.visitor);
        let mut attempts = Attempts::at(route(&visitor, self.rules, &self.request)?);
        let repeatable = self.request.method.is_idempotent() && self.body.is_end_stream();
        let mut link = attempts.link(&visitor, record).await?;
        let mut to_backend = Vec::new();
        push_head(&visitor, &self.client, &self.request, &mut to_backend, record, &link, None)?;
        if headers::expects_continue(&self.request) {
            self.respond.interim(head_of(StatusCode::CONTINUE));
        }
        loop {
            let failed = match self.converse(record, &mut to_backend, &mut link).await {
                Ok(whole) => {
                    if whole {
                        keep(&visitor, link, &self.response, &self.request);
                    }
                    return Ok(());
                }
                Err(failed) => failed,
            };
            let unsent = failed.is_unsent();
            link = failed.next(&mut attempts, (&visitor, record), &link, repeatable).await?;
            if !unsent {
                push_head(&visitor, &self.client, &self.request, &mut to_backend, record, &link, None)?;
            }
        }
    }

    /// Sends the request and carries back the answer; whether both came to their ends.
    async fn converse(&mut self, record: &Record, to_backend: &mut Vec<u8>, link: &mut Link) -> Result<bool, Failed> {
        let visitor = Rc::clone(&self.visitor);
        let settings = visitor.worker.settings();
        let Self { request, body, respond, response, visitor_timer, backend_timer, .. } = self;
        let stall = settings.visitor.stall;
        let (begun, progress) = (Cell::new(false), Progress::new());
        let (waits, received, sent) =
            (|waits| progress.waits(waits), |bytes| record.received(bytes), |bytes| record.sent(bytes));
        let chunked = request.framing() == Framing::Chunked;
        let writer =
            Writer { stream: &link.stream, out: to_backend, chunked, patience: stall, count: &received, begun: &begun };
        let mut sending = Sending { future: pin!(upload(body, writer, stall, &waits, visitor_timer)), ended: None };
        let mut from_backend =
            Heads { stream: &link.stream, buffer: &mut link.buffer, timer: backend_timer, progress: &progress };
        let mut interim = 0;
        loop {
            let read = alongside(&mut sending, from_backend.next(response, settings.backend.header)).await;
            match read.map_err(Failed::body)? {
                Ok(()) => {}
                Err(NoHead::Late) => return Err(Failed::Refused(Refusal::BackendTimeout)),
                Err(NoHead::Nonsense(why)) => return Err(Failed::Refused(Refusal::Backend(why))),
                Err(NoHead::Broken(why)) => return Err(Failed::Silent { unsent: !begun.get(), why }),
            }
            if response.status == 101 {
                let why = "switched protocols without being asked".to_owned();
                return Err(Failed::Refused(Refusal::Backend(why)));
            }
            if !matches!(response.status, 100 | 102..=199) {
                break;
            }
            interim += 1;
            if interim > MOST_INTERIM {
                return Err(Failed::Refused(Refusal::Backend("interim answers without end".to_owned())));
            }
            if response.status != 100 {
                let mut early = head_of(StatusCode::from_u16(response.status).unwrap_or(StatusCode::PROCESSING));
                *early.headers_mut() = fields(response);
                respond.interim(early);
            }
        }
        record.status.set(response.status);
        link.connections.backend.health.answered();
        let framing = response.framing(request.method);
        let head = answer_head(response, record, visitor.hsts());
        let Some(stream) = respond.head(head, framing == Framing::Empty) else { return Ok(false) };
        if framing == Framing::Empty {
            record.outcome.set(Outcome::Complete);
            let _ = alongside(&mut sending, std::future::ready(())).await;
            return Ok(matches!(sending.ended, Some(Ok(()))));
        }
        let source = Source {
            stream: &link.stream,
            buffer: from_backend.buffer,
            body: &mut Body::new(framing),
            limits: &RESPONSE,
            patience: None,
            waits: &|_| {},
            pipes: &visitor.worker.pipes,
        };
        let frames = Frames::new(&stream, stall, &sent);
        let carrying = unless_reset(&stream, carry(source, frames, from_backend.timer));
        let answered = alongside(&mut sending, carrying).await;
        let answered = answered.unwrap_or_else(|why| {
            record.note(format!("the request's body broke off: {why}"));
            Err(Broken::Target(why))
        });
        match &answered {
            Ok(()) => record.outcome.set(Outcome::Complete),
            Err(Broken::Source(why)) => {
                record.outcome.set(Outcome::BackendBrokeOff);
                record.note(why.clone());
                // What came of it leaves first: the connection's task has its turn.
                tokio::task::yield_now().await;
                stream.borrow_mut().send_reset(Reason::INTERNAL_ERROR);
            }
            Err(Broken::Target(_)) => stream.borrow_mut().send_reset(Reason::CANCEL),
        }
        Ok(answered.is_ok() && matches!(sending.ended, Some(Ok(()))))
    }
}

/// Sends the head, and the body if there is one.
async fn upload(
    body: &mut RecvStream,
    mut writer: Writer<'_>,
    stall: std::time::Duration,
    waits: &dyn Fn(bool),
    timer: &mut Patience,
) -> Result<(), Broken> {
    if body.is_end_stream() {
        use crate::proxy::body::Sink as _;
        if writer.chunked {
            writer.end(&proxima_http1::Fields::default());
        }
        return writer.flush(timer).await;
    }
    sink::carry(body, writer, stall, waits, timer).await
}

/// The connection to the backend serves on, if its answer has an end of its own.
fn keep(visitor: &Visitor, link: Link, response: &ResponseHead, request: &RequestHead) {
    let has_end = response.framing(request.method) != Framing::UntilClose;
    if has_end && response.keeps_alive() && link.buffer.is_empty() {
        link.keep(visitor);
    }
}

/// Carries an answer until it has ended, or the visitor has reset its stream.
async fn unless_reset(
    stream: &RefCell<SendStream<Bytes>>,
    carrying: impl Future<Output = Result<(), Broken>>,
) -> Result<(), Broken> {
    let mut carrying = pin!(carrying);
    poll_fn(|cx| match carrying.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending => stream
            .borrow_mut()
            .poll_reset(cx)
            .map(|_| Err(Broken::Target("the visitor has reset the stream".to_owned()))),
    })
    .await
}

fn head_of(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

fn line(name: &[u8], value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}

/// Those of the backend's fields that are for the visitor (RFC 9113 section 8.2.2: none of one connection).
fn fields(head: &ResponseHead) -> HeaderMap {
    let lines = headers::end_to_end(head.fields());
    let mut map = HeaderMap::with_capacity(head.fields().len() + 2);
    lines.filter(|line| line.known != Known::Upgrade).filter_map(|found| line(found.name, found.value)).for_each(
        |(name, value)| {
            map.append(name, value);
        },
    );
    map
}

fn answer_head(head: &ResponseHead, record: &Record, hsts: Option<&str>) -> Response<()> {
    let mut response = head_of(StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY));
    let mut fields = fields(head);
    let mut unless_said = |name: &str, value: &str| {
        if let Some((name, value)) = line(name.as_bytes(), value.as_bytes()) {
            fields.entry(name).or_insert(value);
        }
    };
    unless_said(REQUEST_ID, &record.request_id);
    if let Some(hsts) = hsts {
        unless_said(HSTS, hsts);
    }
    *response.headers_mut() = fields;
    response
}
