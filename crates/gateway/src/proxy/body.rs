//! Bodies on their way from one connection to another: read as their framing says, written anew. What was read is written
//! before more is read, so a slow reader slows the writer and memory holds one buffer per direction.

use crate::wire::{Buffer, Late, Patience, Pipe, Pipes, Stream};
use proxima_http1::{Chunked, Fields, Framing, Limits, Piece, Violation};
use std::cell::Cell;
use std::io::Write as _;
use std::time::Duration;

/// A body of which so much is still to come passes through the kernel alone, where it can.
const SPLICED: u64 = 128 * 1024;
/// Up to so many bytes are written together with what stands before and after them.
const TOGETHER: usize = 16 * 1024;

/// The rest of one message's body.
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Empty => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    fn next(&mut self, bytes: &[u8], limits: &Limits, trailers: &mut Fields) -> Result<Piece, Violation> {
        match self {
            Self::Chunked(chunked) => chunked.next(bytes, limits, trailers),
            Self::Length(0) => Ok(Piece::End(0)),
            Self::Length(_) | Self::UntilClose if bytes.is_empty() => Ok(Piece::More),
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                Ok(Piece::Data(0..taken))
            }
            Self::UntilClose => Ok(Piece::Data(0..bytes.len())),
        }
    }
}

/// Why a body did not reach its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// Where it comes from is at fault.
    #[error("{0}")]
    Source(String),
    /// Where it goes to is.
    #[error("{0}")]
    Target(String),
}

/// Where a body comes from.
pub(super) struct Source<'a> {
    pub stream: &'a Stream,
    pub buffer: &'a mut Buffer,
    pub body: &'a mut Body,
    pub limits: &'a Limits,
    /// Without a byte; `None`: for ever.
    pub patience: Option<Duration>,
    /// Told before and after each wait.
    pub waits: &'a dyn Fn(bool),
    pub pipes: &'a Pipes,
}

/// Where a body goes to. What it was given may wait in it until the next `flush`.
pub(super) trait Sink {
    async fn data(&mut self, data: &[u8], timer: &mut Patience) -> Result<(), Broken>;
    /// Nothing comes any more but these.
    fn end(&mut self, trailers: &Fields);
    async fn flush(&mut self, timer: &mut Patience) -> Result<(), Broken>;
    /// Where bytes of the body go as they are, once what waits is flushed; how long it may take none of them.
    fn raw(&self) -> Option<(&Stream, Duration)> {
        None
    }
    /// So many of them went there.
    fn moved(&mut self, _bytes: u64) {}
}

/// A body written to an HTTP/1 connection.
pub(super) struct Writer<'a> {
    pub stream: &'a Stream,
    /// What stands before the body and is not written yet: a head.
    pub out: &'a mut Vec<u8>,
    pub chunked: bool,
    /// Without taking a byte.
    pub patience: Duration,
    /// Told how many bytes of the body there are more.
    pub count: &'a dyn Fn(u64),
    /// Set once what is written cannot be taken back: until then `out` is all there is.
    pub begun: &'a Cell<bool>,
}

impl Sink for Writer<'_> {
    async fn data(&mut self, data: &[u8], timer: &mut Patience) -> Result<(), Broken> {
        if self.chunked {
            let _ = write!(self.out, "{:x}\r\n", data.len());
        }
        if self.out.len() + data.len() <= TOGETHER {
            self.out.extend_from_slice(data);
        } else {
            self.begun.set(true);
            self.flush(timer).await?;
            self.write(data, timer).await?;
        }
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
        (self.count)(data.len() as u64);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields) {
        if self.chunked {
            self.out.extend_from_slice(b"0\r\n");
            for line in trailers.iter().filter(|line| super::headers::may_trail(line.known)) {
                super::headers::push_line(self.out, line.name, line.value);
            }
            self.out.extend_from_slice(b"\r\n");
        }
    }

    fn raw(&self) -> Option<(&Stream, Duration)> {
        (!self.chunked && self.stream.is_plain()).then_some((self.stream, self.patience))
    }

    fn moved(&mut self, bytes: u64) {
        self.begun.set(true);
        (self.count)(bytes);
    }

    async fn flush(&mut self, timer: &mut Patience) -> Result<(), Broken> {
        let out = std::mem::take(self.out);
        let written = self.write(&out, timer).await;
        *self.out = out;
        if written.is_ok() || self.begun.get() {
            self.out.clear();
        }
        written
    }
}

impl Writer<'_> {
    async fn write(&self, mut bytes: &[u8], timer: &mut Patience) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match timer.within(self.patience, self.stream.write(bytes)).await {
                Ok(Ok(written)) => bytes = &bytes[written..],
                Ok(Err(error)) => return Err(Broken::Target(error.to_string())),
                Err(Late) => return Err(Broken::Target("nothing was taken for too long".to_owned())),
            }
            self.begun.set(true);
        }
        match timer.within(self.patience, self.stream.flush()).await {
            Ok(flushed) => flushed.map_err(|error| Broken::Target(error.to_string())),
            Err(Late) => Err(Broken::Target("nothing was taken for too long".to_owned())),
        }
    }
}

/// Carries the rest of a body across, and its trailers.
pub(super) async fn carry(mut source: Source<'_>, mut sink: impl Sink, timer: &mut Patience) -> Result<(), Broken> {
    let mut trailers = Fields::default();
    loop {
        let ended = drain(&mut source, &mut sink, &mut trailers, timer).await?;
        sink.flush(timer).await?;
        if ended {
            return Ok(());
        }
        if source.is_long() && sink.raw().is_some() {
            splice(&mut source, &mut sink, timer).await?;
            if matches!(source.body, Body::Length(0)) {
                continue;
            }
        }
        if fill(&mut source, timer).await? == 0 {
            if !matches!(source.body, Body::UntilClose) {
                return Err(Broken::Source("the connection ended in the middle of a body".to_owned()));
            }
            sink.end(&trailers);
            return sink.flush(timer).await;
        }
    }
}

impl Source<'_> {
    /// Whether much of it is still to come, as it is, on a plain connection.
    fn is_long(&self) -> bool {
        let long = match &*self.body {
            Body::Length(left) => *left >= SPLICED,
            Body::UntilClose => true,
            Body::Chunked(_) => false,
        };
        long && self.buffer.is_empty() && self.stream.is_plain()
    }

    fn left(&self) -> usize {
        match &*self.body {
            Body::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        }
    }
}

/// Carries the rest of a body from socket to socket within the kernel. It returns at the body's end, or where it stands when
/// there is no pipe to be had.
async fn splice(source: &mut Source<'_>, sink: &mut impl Sink, timer: &mut Patience) -> Result<(), Broken> {
    let Ok(mut pipe) = source.pipes.get() else { return Ok(()) };
    while source.left() > 0 {
        let poured = pour(source, &mut pipe, timer).await?;
        if poured == 0 {
            break;
        }
        if let Body::Length(left) = source.body {
            *left -= poured as u64;
        }
        while pipe.held() > 0 {
            let Some((stream, patience)) = sink.raw() else { break };
            let taken = match timer.within(patience, stream.take_from(&mut pipe)).await {
                Ok(taken) => taken.map_err(|error| Broken::Target(error.to_string()))?,
                Err(Late) => return Err(Broken::Target("nothing was taken for too long".to_owned())),
            };
            sink.moved(taken as u64);
            source.pipes.count(taken);
        }
    }
    source.pipes.put(pipe);
    Ok(())
}

/// Passes on what was read already; whether that is all.
async fn drain(
    source: &mut Source<'_>,
    sink: &mut impl Sink,
    trailers: &mut Fields,
    timer: &mut Patience,
) -> Result<bool, Broken> {
    loop {
        let piece = source.body.next(source.buffer.bytes(), source.limits, trailers);
        match piece.map_err(|violation| Broken::Source(violation.to_string()))? {
            Piece::Framing(bytes) => source.buffer.take(bytes),
            Piece::Data(range) => {
                let end = range.end;
                sink.data(&source.buffer.bytes()[range], timer).await?;
                source.buffer.take(end);
            }
            Piece::End(bytes) => {
                source.buffer.take(bytes);
                sink.end(trailers);
                return Ok(true);
            }
            Piece::More => return Ok(false),
        }
    }
}

async fn fill(source: &mut Source<'_>, timer: &mut Patience) -> Result<usize, Broken> {
    (source.waits)(true);
    let reading = source.stream.read(source.buffer);
    let read = match source.patience {
        Some(limit) => timer.within(limit, reading).await,
        None => Ok(reading.await),
    };
    (source.waits)(false);
    came(read)
}

/// Waits for bytes that do not come into the buffer.
async fn pour(source: &mut Source<'_>, pipe: &mut Pipe, timer: &mut Patience) -> Result<usize, Broken> {
    (source.waits)(true);
    let pouring = source.stream.pour(pipe, source.left());
    let poured = match source.patience {
        Some(limit) => timer.within(limit, pouring).await,
        None => Ok(pouring.await),
    };
    (source.waits)(false);
    came(poured)
}

fn came(read: Result<std::io::Result<usize>, Late>) -> Result<usize, Broken> {
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(Broken::Source(error.to_string())),
        Err(Late) => Err(Broken::Source("nothing came for too long".to_owned())),
    }
}
