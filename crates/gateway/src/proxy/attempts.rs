//! The backends that one request is tried at: another one, when it is sure that none of it was done (RFC 9110 section 9.2.2).

use super::access::Record;
use super::refusal::Refusal;
use super::visit::Visitor;
use crate::upstream::{Backend, ConnectError, Connections, Group, UnderWay};
use crate::wire::{Buffer, Stream};
use std::rc::Rc;
use std::sync::Arc;

/// So many backends of a pool are tried for one request.
const MOST: usize = 3;

/// A connection to a backend, for one exchange.
pub(super) struct Link {
    pub stream: Stream,
    pub buffer: Buffer,
    /// It was used before: its backend may have closed it meanwhile.
    pub used: bool,
    pub connections: Rc<Connections>,
    _under_way: UnderWay,
}

impl Link {
    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.connections.backend
    }

    /// It serves on: both messages came to their ends, and nothing lies behind the answer.
    pub(super) fn keep(self, visitor: &Visitor) {
        visitor.worker.buffers.put(self.buffer);
        self.connections.put(self.stream);
    }

    /// Its backend gave no answer, or none that is one.
    pub(super) fn failed(&self) {
        note_failure(self.backend());
    }
}

fn note_failure(backend: &Backend) {
    if backend.health.failed() {
        tracing::warn!(backend = backend.name, "the backend fails: it gets no requests for a while");
    }
}

pub(super) struct Attempts {
    group: Arc<Group>,
    tried: Vec<Arc<Backend>>,
}

impl Attempts {
    pub(super) fn at(group: Arc<Group>) -> Self {
        Self { group, tried: Vec::new() }
    }

    /// A connection to the backend whose turn it is, or to another one when it cannot be reached.
    pub(super) async fn link(&mut self, visitor: &Visitor, record: &Record) -> Result<Link, Refusal> {
        let mut last = Refusal::Backend("no backend is left to try".to_owned());
        while self.tried.len() < MOST {
            let Some(backend) = self.group.pick(&self.tried).cloned() else { break };
            record.goes_to(&backend);
            let connections = visitor.worker.connections(&backend);
            if let Some(stream) = connections.take() {
                return Ok(link(visitor, connections, stream, true));
            }
            match open(visitor, connections).await {
                Ok(link) => return Ok(link),
                Err(refusal) => last = refusal,
            }
            note_failure(&backend);
            self.tried.push(backend);
        }
        Err(last)
    }

    /// After a link came to nothing: a new connection to the same backend when the old one may have gone stale, or another
    /// backend. `None`: there is none left.
    pub(super) async fn again(
        &mut self,
        visitor: &Visitor,
        record: &Record,
        failed: &Link,
    ) -> Result<Option<Link>, Refusal> {
        visitor.worker.metrics().backend_retries.increment();
        if failed.used {
            match open(visitor, Rc::clone(&failed.connections)).await {
                Ok(link) => return Ok(Some(link)),
                Err(refusal) if self.is_last(failed.backend()) => return Err(refusal),
                Err(_) => note_failure(failed.backend()),
            }
        }
        if self.is_last(failed.backend()) {
            return Ok(None);
        }
        self.tried.push(Arc::clone(failed.backend()));
        self.link(visitor, record).await.map(Some)
    }

    /// Whether nobody is left to try after this one.
    fn is_last(&self, backend: &Arc<Backend>) -> bool {
        let others = self.group.backends().filter(|other| !Arc::ptr_eq(other, backend));
        self.tried.len() + 1 >= MOST
            || others.filter(|other| !self.tried.iter().any(|tried| Arc::ptr_eq(tried, other))).count() == 0
    }
}

async fn open(visitor: &Visitor, connections: Rc<Connections>) -> Result<Link, Refusal> {
    match connections.connect(visitor.worker.settings().backend.connect).await {
        Ok(stream) => Ok(link(visitor, connections, stream, false)),
        Err(ConnectError::Late) => Err(Refusal::BackendTimeout),
        Err(error @ ConnectError::Failed(_)) => Err(Refusal::Backend(error.to_string())),
    }
}

fn link(visitor: &Visitor, connections: Rc<Connections>, stream: Stream, used: bool) -> Link {
    let under_way = UnderWay::to(&connections.backend);
    Link { stream, buffer: visitor.worker.buffers.get(), used, connections, _under_way: under_way }
}
