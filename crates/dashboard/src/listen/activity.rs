//! What happens on a connection, and when it has gone on for too long.

use super::Times;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Shared by a connection's socket, its requests and its watch. Times are milliseconds since the start, plus one;
/// zero is never.
pub(super) struct Activity {
    start: Instant,
    requests: AtomicUsize,
    served: AtomicBool,
    http2: AtomicBool,
    /// The last time that a request began, sent something, or ended.
    moved: AtomicU64,
    /// The first byte since the last request ended.
    head: AtomicU64,
    /// Since when the peer takes nothing.
    blocked: AtomicU64,
    pub(super) first_request: Notify,
}

/// What the watch does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Looks again after this time at the latest.
    Wait(Duration),
    /// Ends the connection in order.
    Close,
    /// Drops it, for this reason.
    Cut(&'static str),
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            requests: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            moved: AtomicU64::new(1),
            head: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            first_request: Notify::new(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        if self.requests.load(Relaxed) == 0 {
            let _ = self.head.compare_exchange(0, self.now(), Relaxed, Relaxed);
        }
    }

    /// The socket takes no more.
    pub(super) fn blocked(&self) {
        let _ = self.blocked.compare_exchange(0, self.now(), Relaxed, Relaxed);
    }

    /// The socket took something.
    pub(super) fn written(&self) {
        self.blocked.store(0, Relaxed);
    }

    /// A request's head has arrived.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> Request {
        self.requests.fetch_add(1, Relaxed);
        self.head.store(0, Relaxed);
        self.http2.store(http2, Relaxed);
        self.moved();
        if !self.served.swap(true, Relaxed) {
            self.first_request.notify_one();
        }
        Request(Arc::clone(self))
    }

    pub(super) fn has_served(&self) -> bool {
        self.served.load(Relaxed)
    }

    fn moved(&self) {
        self.moved.store(self.now(), Relaxed);
    }

    pub(super) fn judge(&self, times: &Times, crowded: bool) -> Verdict {
        let (moved, head, blocked) = (self.moved.load(Relaxed), self.head.load(Relaxed), self.blocked.load(Relaxed));
        let busy = self.requests.load(Relaxed) > 0;
        let served = self.served.load(Relaxed);
        let idle = if crowded { times.idle_when_crowded } else { times.idle };
        // (since when, for how long at most, what then)
        let mut limits = Vec::with_capacity(2);
        if blocked != 0 {
            limits.push((blocked, times.stall, Verdict::Cut("stalled")));
        }
        limits.push(match (busy, served, head) {
            (true, ..) => (moved, times.silence, Verdict::Cut("stalled")),
            (false, false, _) => (1, times.head, Verdict::Cut("slow_head")),
            // HTTP/2 has frames of its own between requests.
            (false, true, since) if since != 0 && !self.http2.load(Relaxed) => {
                (since, times.head, Verdict::Cut("slow_head"))
            }
            (false, true, _) => (moved, idle, Verdict::Close),
        });
        let now = self.now();
        let mut wait = times.silence;
        for (since, most, verdict) in limits {
            let left = most.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
            if left.is_zero() {
                return verdict;
            }
            wait = wait.min(left);
        }
        // What begins while the watch sleeps must not wait for longer than the shortest limit besides its own.
        Verdict::Wait(wait.min(times.head.min(times.stall) / 2).max(Duration::from_millis(10)))
    }
}

/// A request under way, up to the end of its answer.
pub(super) struct Request(Arc<Activity>);

impl Request {
    /// A piece of its answer was handed on.
    pub(super) fn moved(&self) {
        self.0.moved();
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
        self.0.moved();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const TIMES: Times = Times {
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        idle_when_crowded: Duration::from_secs(1),
        stall: Duration::from_secs(30),
        silence: Duration::from_secs(120),
        last_request: Duration::from_secs(1),
    };

    async fn after(activity: &Activity, seconds: u64) -> Verdict {
        advance(Duration::from_secs(seconds)).await;
        activity.judge(&TIMES, false)
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_request_has_to_come() {
        let activity = Activity::new();
        assert!(matches!(after(&activity, 9).await, Verdict::Wait(_)));
        activity.received();
        assert_eq!(after(&activity, 1).await, Verdict::Cut("slow_head"), "bytes one by one do not help");
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_it_may_rest_and_a_head_may_not() {
        let activity = Activity::new();
        drop(activity.begin(false));
        assert!(matches!(after(&activity, 74).await, Verdict::Wait(_)));
        assert_eq!(activity.judge(&TIMES, true), Verdict::Close, "unless others need the place");
        activity.received();
        assert!(matches!(after(&activity, 9).await, Verdict::Wait(_)));
        assert_eq!(after(&activity, 1).await, Verdict::Cut("slow_head"));
        drop(activity.begin(true));
        activity.received();
        assert!(matches!(after(&activity, 70).await, Verdict::Wait(_)), "a frame of HTTP/2 is no head");
        assert_eq!(after(&activity, 5).await, Verdict::Close);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut() {
        let activity = Activity::new();
        let request = activity.begin(false);
        assert!(matches!(after(&activity, 60).await, Verdict::Wait(_)), "a slow answer is ours");
        activity.blocked();
        assert!(matches!(after(&activity, 29).await, Verdict::Wait(_)));
        activity.written();
        activity.blocked();
        assert!(matches!(after(&activity, 29).await, Verdict::Wait(_)));
        assert_eq!(after(&activity, 1).await, Verdict::Cut("stalled"));
        activity.written();
        request.moved();
        assert!(matches!(after(&activity, 119).await, Verdict::Wait(_)));
        assert_eq!(after(&activity, 1).await, Verdict::Cut("stalled"), "a window of HTTP/2 that stays shut");
    }
}
