//! bcrypt in a bounded blocking pool: a flood of logins waits or is turned away, it does not take
//! every core from the other pages.

use super::{AppError, AppResult};
use proxima_types::Password;
use proxima_types::account::PASSWORD_MAX_BYTES;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// How long a login waits for its turn before it is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Strangers that wait for a turn; more are turned away at once.
const STRANGERS_WAITING_MAX: usize = 64;

/// Whose turn it is to hash: a flood of strangers holds up nobody who is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Strangers,
    /// Signed in, or signing in with a browser that did so before.
    Known,
}

pub struct PasswordHasher {
    cost: u32,
    strangers: Arc<Semaphore>,
    strangers_waiting: Arc<Semaphore>,
    known: Arc<Semaphore>,
    /// Checked when there is no such user, so that the answer takes equally long.
    decoy: String,
}

impl PasswordHasher {
    /// `cost` is bcrypt's, 4 to 16. At most half the cores hash at once for strangers.
    ///
    /// # Errors
    /// When bcrypt refuses the cost.
    pub fn new(cost: u32) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let decoy = bcrypt::hash("a password that nobody has", cost)?;
        let turns = (cores / 2).max(1);
        Ok(Self {
            cost,
            strangers: Arc::new(Semaphore::new(turns)),
            strangers_waiting: Arc::new(Semaphore::new(turns + STRANGERS_WAITING_MAX)),
            known: Arc::new(Semaphore::new(turns)),
            decoy,
        })
    }

    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn hash(&self, password: &Password) -> AppResult<String> {
        let turn = turn(&self.known).await?;
        let (password, cost) = (password.clone(), self.cost);
        let hash = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // A `Password` has at most bcrypt's 72 bytes, so nothing is cut. (`non_truncating_hash` counts the
            // terminator too and refuses the 72nd.)
            bcrypt::hash(password.expose(), cost)
        });
        hash.await.map_err(internal)?.map_err(internal)
    }

    /// The hash anew, when it was made at a lower cost than today's: call it for a password that was right.
    ///
    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn renewed(&self, password: Zeroizing<String>, hash: &str) -> AppResult<Option<String>> {
        if !is_cheap(hash, self.cost) {
            return Ok(None);
        }
        let (turn, cost) = (turn(&self.known).await?, self.cost);
        let hash = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::hash(password.as_str(), cost)
        });
        hash.await.map_err(internal)?.map(Some).map_err(internal)
    }

    /// Whether `password` is the one of `hash`; without a hash the same work is done for a `false`.
    /// A password over bcrypt's 72 bytes matches nothing.
    ///
    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn verify(&self, lane: Lane, password: Zeroizing<String>, hash: Option<String>) -> AppResult<bool> {
        let (_waiting, turn) = match lane {
            Lane::Known => (None, turn(&self.known).await?),
            Lane::Strangers => {
                let place = Arc::clone(&self.strangers_waiting).try_acquire_owned();
                let place = place.map_err(|_| AppError::Busy { retry_after_seconds: 5 })?;
                (Some(place), turn(&self.strangers).await?)
            }
        };
        let possible = hash.is_some() && password.len() <= PASSWORD_MAX_BYTES;
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password.as_str(), &hash).unwrap_or(false)
        });
        Ok(matches.await.map_err(internal)? && possible)
    }
}

/// Whether a hash was made at a lower cost than new ones are. bcrypt writes it into the hash: `$2b$12$…`.
fn is_cheap(hash: &str, cost: u32) -> bool {
    hash.split('$').nth(2).and_then(|text| text.parse::<u32>().ok()).is_some_and(|of_hash| of_hash < cost)
}

async fn turn(turns: &Arc<Semaphore>) -> AppResult<OwnedSemaphorePermit> {
    match tokio::time::timeout(MAX_WAIT, Arc::clone(turns).acquire_owned()).await {
        Ok(permit) => permit.map_err(internal),
        Err(_) => Err(AppError::Busy { retry_after_seconds: 5 }),
    }
}

fn internal(error: impl Into<anyhow::Error>) -> AppError {
    AppError::Internal(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_of_72_bytes_counts_to_its_last_byte() {
        let hasher = PasswordHasher::new(4).expect("a hasher");
        let text: String = "Kr7!vq-Zul_94xw#".chars().cycle().take(72).collect();
        let password = Password::parse("password", &text, &[]).expect("allowed");
        let hash = hasher.hash(&password).await.expect("hashed");
        assert!(hasher.verify(Lane::Known, Zeroizing::new(text.clone()), Some(hash.clone())).await.expect("checked"));
        let mut other = text.clone();
        other.replace_range(71.., "~");
        assert!(!hasher.verify(Lane::Known, Zeroizing::new(other), Some(hash.clone())).await.expect("checked"));
        assert!(!hasher.verify(Lane::Known, Zeroizing::new(format!("{text}x")), Some(hash)).await.expect("checked"));
        assert!(
            !hasher
                .verify(Lane::Known, Zeroizing::new("a password that nobody has".to_owned()), None)
                .await
                .expect("checked")
        );
    }

    #[tokio::test]
    async fn a_flood_of_strangers_has_an_end_and_takes_no_turn_of_others() {
        let hasher = Arc::new(PasswordHasher::new(4).expect("a hasher"));
        let check = |lane| {
            let hasher = Arc::clone(&hasher);
            async move { hasher.verify(lane, Zeroizing::new("guess".to_owned()), None).await }
        };
        let turns = u32::try_from(hasher.strangers.available_permits()).expect("few");
        let hashing = hasher.strangers.acquire_many(turns).await.expect("open");
        let places = hasher.strangers_waiting.available_permits();
        let waiting: Vec<_> = (0..places).map(|_| tokio::spawn(check(Lane::Strangers))).collect();
        while hasher.strangers_waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(check(Lane::Strangers).await, Err(AppError::Busy { retry_after_seconds: 5 })));
        assert!(!check(Lane::Known).await.expect("has its turn"));
        drop(hashing);
        for one in waiting {
            assert!(!one.await.expect("ended").expect("answered"));
        }
    }
}
