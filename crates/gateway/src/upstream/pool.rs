//! Idle connections to one backend, newest first.

use super::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Idle connections kept per backend.
const MAX_IDLE: usize = 128;
/// How long one is kept. Shorter than the keep-alive of usual servers (nginx 75 s), so that it is
/// seldom the backend that closes first.
const IDLE: Duration = Duration::from_secs(55);
/// A response with more header fields is refused.
pub(super) const MAX_RESPONSE_HEADERS: usize = 256;
/// A response with a longer head is refused; in bytes.
pub(super) const MAX_RESPONSE_HEAD_BYTES: usize = 128 * 1024;

struct Idle {
    sender: Sender,
    since: Instant,
}

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

impl Pool {
    /// The connection that was used last, if one is still open.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(candidate) = idle.pop() {
            if candidate.since.elapsed() < IDLE && candidate.sender.is_ready() {
                return Some(candidate.sender);
            }
        }
        None
    }

    /// Puts the connection back once its response was read to the end; forgets it when it closes.
    pub(super) fn return_when_idle(self: &Arc<Self>, mut sender: Sender) {
        if sender.is_ready() {
            self.put(sender);
            return;
        }
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            if sender.ready().await.is_ok()
                && let Some(pool) = pool.upgrade()
            {
                pool.put(sender);
            }
        });
    }

    fn put(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let expired = idle.iter().take_while(|old| old.since.elapsed() >= IDLE).count();
        idle.drain(..expired);
        if idle.len() < MAX_IDLE {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}
