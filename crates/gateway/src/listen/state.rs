//! What the bytes' side and the requests' side of one connection tell each other.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

const HTTP: u8 = 0;
const UNDECIDED: u8 = 1;
const TUNNEL: u8 = 2;

/// One visitor's connection.
#[derive(Debug, Default)]
pub struct ConnState {
    mode: AtomicU8,
    /// Requests whose answer has not ended.
    in_flight: AtomicUsize,
    reader: Mutex<Option<Waker>>,
}

impl ConnState {
    /// A whole head was read.
    pub(super) fn request_began(&self, may_upgrade: bool) {
        self.in_flight.fetch_add(1, AcqRel);
        if may_upgrade {
            self.mode.store(UNDECIDED, Release);
        }
    }

    /// An answer ended: it is the visitor's turn.
    pub fn request_ended(&self) {
        let _ = self.in_flight.fetch_update(AcqRel, Acquire, |count| count.checked_sub(1));
        self.wake();
    }

    /// Whether a request waits for its answer; the reader is woken when it has it.
    pub(super) fn is_answering(&self, waker: &Waker) -> bool {
        self.wake_if_changed(waker, || self.in_flight.load(Acquire) > 0)
    }

    fn wake_if_changed(&self, waker: &Waker, waits: impl Fn() -> bool) -> bool {
        if !waits() {
            return false;
        }
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *reader = Some(waker.clone());
        waits()
    }

    fn wake(&self) {
        if let Some(waker) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// What follows the request that offered an upgrade is HTTP.
    pub fn no_upgrade(&self) {
        if self.mode.load(Acquire) == UNDECIDED {
            self.decide(HTTP);
        }
    }

    /// What follows is the tunnel's.
    pub fn tunnel(&self) {
        self.decide(TUNNEL);
    }

    fn decide(&self, mode: u8) {
        self.mode.store(mode, Release);
        self.wake();
    }

    #[must_use]
    pub(super) fn is_tunnel(&self) -> bool {
        self.mode.load(Acquire) == TUNNEL
    }

    /// Whether it is open what the next bytes are; the reader is woken when it is decided.
    pub(super) fn is_undecided(&self, waker: &Waker) -> bool {
        self.wake_if_changed(waker, || self.mode.load(Acquire) == UNDECIDED)
    }
}
