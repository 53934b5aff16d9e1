//! Where the agent and the management API meet: the newest status, nudges, and heartbeats' ends.
//! Neither ever waits for the other's work; the agent decides when a heartbeat goes out.

use crate::status::Status;
use arc_swap::{ArcSwap, ArcSwapOption};
use proxima_types::manage::{ManagementStatus, NudgeAnswer, NudgeOutcome};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Heartbeats since this boot. One with two attempts is one.
#[derive(Debug, Clone, Default)]
struct Beats {
    begun: u64,
    /// The number of the last one that ended, and what it came to.
    ended: u64,
    outcome: Option<NudgeAnswer>,
}

#[derive(Debug, Default)]
pub struct Desk {
    status: ArcSwapOption<Status>,
    /// `None` while the API is off.
    management: ArcSwap<Option<ManagementStatus>>,
    beats: watch::Sender<Beats>,
    nudged: Notify,
}

impl Desk {
    /// The agent's last word.
    pub(super) fn status(&self) -> Option<Arc<Status>> {
        self.status.load_full()
    }

    pub fn publish(&self, status: Status) {
        self.status.store(Some(Arc::new(status)));
    }

    #[must_use]
    pub fn management(&self) -> Arc<Option<ManagementStatus>> {
        self.management.load_full()
    }

    pub(super) fn set_management(&self, status: ManagementStatus) {
        self.management.store(Arc::new(Some(status)));
    }

    /// A heartbeat begins: nudges up to now are about it.
    pub fn beat_begins(&self) {
        self.beats.send_modify(|beats| beats.begun += 1);
    }

    /// The heartbeat that began last has ended.
    pub fn beat_ended(&self, outcome: NudgeOutcome, silence: Option<String>) {
        self.beats.send_modify(|beats| {
            beats.ended = beats.begun;
            beats.outcome = Some(NudgeAnswer { outcome, silence });
        });
    }

    /// Returns when somebody has asked for a heartbeat since the last return; many are one.
    pub async fn nudged(&self) {
        self.nudged.notified().await;
    }

    /// Asks for a heartbeat; returns what the first one that begins from now on came to.
    pub(super) async fn nudge(&self) -> Option<NudgeAnswer> {
        let mut beats = self.beats.subscribe();
        let begun = beats.borrow().begun;
        self.nudged.notify_one();
        let ended = beats.wait_for(|beats| beats.ended > begun).await.ok()?;
        ended.outcome.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn a_nudge_is_answered_by_a_beat_that_began_after_it_and_many_are_one() {
        let desk = Arc::new(Desk::default());
        desk.beat_begins();
        let nudges: Vec<_> = (0..5)
            .map(|_| {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move { desk.nudge().await })
            })
            .collect();
        yield_now().await;
        desk.beat_ended(NudgeOutcome::Silent, Some("of before".to_owned()));
        yield_now().await;
        assert!(nudges.iter().all(|nudge| !nudge.is_finished()), "that beat had begun before");
        desk.nudged().await;
        desk.beat_begins();
        desk.beat_ended(NudgeOutcome::Answered, None);
        for nudge in nudges {
            let answer = nudge.await.expect("no panic").expect("an outcome");
            assert_eq!((answer.outcome, answer.silence), (NudgeOutcome::Answered, None));
        }
        tokio::select! {
            biased;
            () = desk.nudged() => panic!("five nudges were more than one"),
            () = yield_now() => {}
        }
    }
}
