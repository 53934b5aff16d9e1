//! How often, and how many at once, people make this dashboard connect to addresses of theirs (invariant 5).

use crate::app::{AppError, AppResult};
use proxima_types::ServerId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Attempts of all servers at once.
const AT_ONCE: usize = 16;
/// Attempts of one server within [`WINDOW`].
const PER_WINDOW: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// The attempts under way and of the last minute.
pub struct Attempts {
    places: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    busy: HashSet<ServerId>,
    windows: HashMap<ServerId, (Instant, u32)>,
}

/// One attempt; it ends when this is dropped.
pub struct Attempt {
    _place: OwnedSemaphorePermit,
    state: Arc<Mutex<State>>,
    server: ServerId,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), state: Arc::default() }
    }
}

impl Attempts {
    /// # Errors
    /// [`AppError::NotNow`] while the same server's last attempt runs, [`AppError::TooMany`] after 20 within a minute,
    /// [`AppError::Busy`] while all places are taken.
    pub fn begin(&self, server: ServerId) -> AppResult<Attempt> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.windows.retain(|_, (began, _)| now - *began < WINDOW);
        if state.busy.contains(&server) {
            return Err(AppError::not_now(
                "test_running",
                "A test runs",
                "A test of this server runs: wait for its end",
            ));
        }
        let (began, count) = state.windows.get(&server).copied().unwrap_or((now, 0));
        if count >= PER_WINDOW {
            let rest = WINDOW.saturating_sub(now - began).as_secs() + 1;
            return Err(AppError::TooMany { retry_after_seconds: u32::try_from(rest).unwrap_or(u32::MAX) });
        }
        let place =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_| AppError::Busy { retry_after_seconds: 5 })?;
        state.windows.insert(server, (began, count + 1));
        state.busy.insert(server);
        drop(state);
        Ok(Attempt { _place: place, state: Arc::clone(&self.state), server })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).busy.remove(&self.server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn server(number: u128) -> ServerId {
        ServerId(Uuid::from_u128(number))
    }

    fn code(result: AppResult<Attempt>) -> String {
        match result.err() {
            Some(AppError::NotNow { code, .. }) => code.to_owned(),
            Some(AppError::TooMany { retry_after_seconds }) => format!("too many {retry_after_seconds}"),
            Some(AppError::Busy { .. }) => "busy".to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_of_a_server_and_twenty_a_minute() {
        let attempts = Attempts::default();
        let first = attempts.begin(server(1));
        assert_eq!(code(attempts.begin(server(1))), "test_running");
        assert!(attempts.begin(server(2)).is_ok(), "another server's is its own");
        drop(first);
        for _ in 1..PER_WINDOW {
            assert!(attempts.begin(server(1)).is_ok());
        }
        assert_eq!(code(attempts.begin(server(1))), "too many 61");
        tokio::time::advance(WINDOW).await;
        assert!(attempts.begin(server(1)).is_ok());
        assert_eq!(attempts.state.lock().unwrap().windows.len(), 1, "what is over is forgotten");
    }

    #[tokio::test]
    async fn all_servers_share_the_places() {
        let attempts = Attempts::default();
        let all: Vec<_> = (0..AT_ONCE as u128).map(|number| attempts.begin(server(number)).ok().unwrap()).collect();
        assert_eq!(code(attempts.begin(server(99))), "busy");
        drop(all);
        assert!(attempts.begin(server(99)).is_ok());
    }
}
