//! A body written to a stream, and one read from it.

use crate::proxy::body::{Broken, Sink};
use crate::proxy::headers::may_trail;
use crate::wire::{Late, Patience};
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use proxima_http1::Fields;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What is put into one frame at most, in bytes: RFC 9113's own limit, unless both sides agree on more.
const FRAME: usize = 16 * 1024;

/// An answer's body on its way to a visitor.
pub(super) struct Frames<'a> {
    /// Borrowed only while something is done with it.
    stream: &'a RefCell<SendStream<Bytes>>,
    /// Not sent yet.
    held: Vec<u8>,
    /// Trailers, once nothing else comes.
    ended: Option<HeaderMap>,
    /// Without any window for more.
    patience: Duration,
    count: &'a dyn Fn(u64),
}

impl<'a> Frames<'a> {
    pub fn new(stream: &'a RefCell<SendStream<Bytes>>, patience: Duration, count: &'a dyn Fn(u64)) -> Self {
        Self { stream, held: Vec::new(), ended: None, patience, count }
    }

    /// Sends all of a small page.
    pub async fn whole(mut self, page: &[u8], timer: &mut Patience) -> Result<(), Broken> {
        self.data(page, timer).await?;
        self.end(&Fields::default());
        self.flush(timer).await
    }

    async fn send(&mut self, mut bytes: Bytes, end: bool, timer: &mut Patience) -> Result<(), Broken> {
        while !bytes.is_empty() {
            self.stream.borrow_mut().reserve_capacity(bytes.len());
            let room = poll_fn(|cx| poll_room(&mut self.stream.borrow_mut(), cx));
            let room = match timer.within(self.patience, room).await {
                Ok(room) => room.map_err(Broken::Target)?,
                Err(Late) => return Err(Broken::Target("nothing was taken for too long".to_owned())),
            };
            let part = bytes.split_to(room.min(bytes.len()).min(FRAME));
            let last = end && bytes.is_empty();
            self.stream.borrow_mut().send_data(part, last).map_err(|error| Broken::Target(error.to_string()))?;
        }
        Ok(())
    }
}

impl Sink for Frames<'_> {
    async fn data(&mut self, data: &[u8], timer: &mut Patience) -> Result<(), Broken> {
        (self.count)(data.len() as u64);
        if self.held.len() + data.len() > FRAME {
            self.flush(timer).await?;
        }
        if data.len() > FRAME {
            return self.send(Bytes::copy_from_slice(data), false, timer).await;
        }
        self.held.extend_from_slice(data);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields) {
        let trailers = trailers.iter().filter(|line| may_trail(line.known)).filter_map(|line| {
            Some((HeaderName::from_bytes(line.name).ok()?, HeaderValue::from_bytes(line.value).ok()?))
        });
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            map.append(name, value);
        }
        self.ended = Some(map);
    }

    async fn flush(&mut self, timer: &mut Patience) -> Result<(), Broken> {
        let held = Bytes::from(std::mem::take(&mut self.held));
        let ended = self.ended.take();
        let last = ended.as_ref().is_some_and(HeaderMap::is_empty);
        let is_empty = held.is_empty();
        self.send(held, last, timer).await?;
        match ended {
            Some(trailers) if !trailers.is_empty() => self.stream.borrow_mut().send_trailers(trailers),
            Some(_) if is_empty => self.stream.borrow_mut().send_data(Bytes::new(), true),
            _ => Ok(()),
        }
        .map_err(|error| Broken::Target(error.to_string()))
    }
}

/// How many bytes the visitor takes now, at least one.
fn poll_room(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, String>> {
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error.to_string())),
            None => return Poll::Ready(Err("the visitor has reset the stream".to_owned())),
        }
    }
    Poll::Ready(Ok(stream.capacity()))
}

/// Carries a stream's body across, and its trailers. What was taken makes room for more only when it was passed on.
pub(super) async fn carry(
    from: &mut RecvStream,
    mut sink: impl Sink,
    patience: Duration,
    waits: &dyn Fn(bool),
    timer: &mut Patience,
) -> Result<(), Broken> {
    let broken = |error: h2::Error| Broken::Source(error.to_string());
    let late = |Late| Broken::Source("nothing came for too long".to_owned());
    loop {
        waits(true);
        let data = timer.within(patience, from.data()).await;
        waits(false);
        let Some(data) = data.map_err(late)? else { break };
        let data = data.map_err(broken)?;
        sink.data(&data, timer).await?;
        sink.flush(timer).await?;
        from.flow_control().release_capacity(data.len()).map_err(broken)?;
    }
    let trailers = timer.within(patience, from.trailers()).await.map_err(late)?.map_err(broken)?;
    sink.end(&super::request::trailers(trailers.as_ref()));
    sink.flush(timer).await
}
