//! Nudges that wait for their turn: at most one of a server, and so many in all.

use super::count;
use proxima_db::management::Endpoint;
use proxima_types::ServerId;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Nudges that wait, at most. One more is dropped: the change arrives with the next heartbeat.
pub const WAITING_MAX: u32 = 1024;

/// The nudges of this dashboard. Cheap to clone.
#[derive(Clone, Default)]
pub struct Nudges(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// There may be a turn to take.
    changed: Notify,
    /// There may be nothing left to do.
    quiet: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Wanted>,
    running: HashSet<ServerId>,
}

struct Wanted {
    server: ServerId,
    deleted: Option<Endpoint>,
}

/// One nudge to be sent now; it ends when this is dropped.
pub struct Turn {
    wanted: Wanted,
    nudges: Nudges,
}

impl Turn {
    #[must_use]
    pub fn server(&self) -> ServerId {
        self.wanted.server
    }

    /// How to reach the gateway of a server whose row is gone.
    pub(super) fn deleted(&self) -> Option<&Endpoint> {
        self.wanted.deleted.as_ref()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.nudges.state().running.remove(&self.wanted.server);
        self.nudges.0.changed.notify_one();
        self.nudges.0.quiet.notify_waiters();
    }
}

impl Nudges {
    /// Asks for a heartbeat of this server's gateway soon, after the change was committed. Returns at once, and cannot fail.
    pub fn request(&self, server: ServerId) {
        self.push(Wanted { server, deleted: None });
    }

    /// As [`Self::request`], of a server that was deleted: `endpoint` was read before.
    pub fn request_of_deleted(&self, endpoint: Endpoint) {
        self.push(Wanted { server: ServerId(endpoint.server_id), deleted: Some(endpoint) });
    }

    fn push(&self, wanted: Wanted) {
        let mut state = self.state();
        if let Some(waiting) = state.waiting.iter_mut().find(|waiting| waiting.server == wanted.server) {
            // It has not been sent yet, so it is about this change too.
            waiting.deleted = wanted.deleted.or(waiting.deleted.take());
            return;
        }
        if state.waiting.len() >= WAITING_MAX as usize {
            drop(state);
            count("dropped");
            return;
        }
        state.waiting.push_back(wanted);
        drop(state);
        self.0.changed.notify_one();
    }

    /// The oldest that waits and whose server is not being nudged now.
    #[must_use]
    pub fn take(&self) -> Option<Turn> {
        let mut state = self.state();
        let place = state.waiting.iter().position(|wanted| !state.running.contains(&wanted.server))?;
        let wanted = state.waiting.remove(place)?;
        state.running.insert(wanted.server);
        drop(state);
        Some(Turn { wanted, nudges: self.clone() })
    }

    /// Returns when [`Self::take`] may have something that it had not before.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Returns when none waits and none is being sent.
    pub async fn quiet(&self) {
        loop {
            let notified = self.0.quiet.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if self.is_quiet() {
                return;
            }
            notified.await;
        }
    }

    fn is_quiet(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && state.running.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn server(number: usize) -> ServerId {
        ServerId(Uuid::from_u128(number as u128))
    }

    fn endpoint(number: usize) -> Endpoint {
        let (host, fingerprint) = ("203.0.113.7".to_owned(), String::new());
        Endpoint { server_id: server(number).0, host, fingerprint, api_secret_ciphertext: Vec::new() }
    }

    #[test]
    fn many_of_one_server_are_one_and_one_that_is_under_way_is_followed_by_one() {
        let nudges = Nudges::default();
        (0..10).for_each(|_| nudges.request(server(1)));
        nudges.request(server(2));
        let first = nudges.take().expect("one");
        assert_eq!(first.server(), server(1));
        (0..10).for_each(|_| nudges.request(server(1)));
        let second = nudges.take().expect("another server's does not wait for it");
        assert_eq!(second.server(), server(2));
        assert!(nudges.take().is_none(), "two of one server are never under way at once");
        drop(first);
        assert_eq!(nudges.take().expect("it came after the first had begun").server(), server(1));
        assert!(nudges.take().is_none());
    }

    #[test]
    fn a_deleted_servers_nudge_keeps_its_address_whatever_waits() {
        let nudges = Nudges::default();
        nudges.request(server(1));
        nudges.request_of_deleted(endpoint(1));
        nudges.request(server(1));
        assert_eq!(nudges.take().expect("one").deleted(), Some(&endpoint(1)));
        assert!(nudges.take().is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let nudges = Nudges::default();
        (0..WAITING_MAX as usize + 10).for_each(|number| nudges.request(server(number)));
        let taken: Vec<_> = std::iter::from_fn(|| nudges.take()).collect();
        assert_eq!(taken.len(), WAITING_MAX as usize);
        assert!(taken.iter().enumerate().all(|(number, turn)| turn.server() == server(number)), "the first came first");
    }

    #[tokio::test]
    async fn quiet_is_when_the_last_has_ended() {
        let nudges = Nudges::default();
        nudges.quiet().await;
        nudges.request(server(1));
        let turn = nudges.take();
        let waiting = nudges.clone();
        let waiting = tokio::spawn(async move { waiting.quiet().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(turn);
        waiting.await.expect("no panic");
    }
}
