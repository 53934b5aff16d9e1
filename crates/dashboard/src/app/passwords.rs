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

pub struct PasswordHasher {
    cost: u32,
    turns: Arc<Semaphore>,
    /// Checked when there is no such user, so that the answer takes equally long.
    decoy: String,
}

impl PasswordHasher {
    /// `cost` is bcrypt's, 4 to 16. At most half the cores hash at once.
    ///
    /// # Errors
    /// When bcrypt refuses the cost.
    pub fn new(cost: u32) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let decoy = bcrypt::hash("a password that nobody has", cost)?;
        Ok(Self { cost, turns: Arc::new(Semaphore::new((cores / 2).max(1))), decoy })
    }

    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn hash(&self, password: &Password) -> AppResult<String> {
        let turn = self.turn().await?;
        let (password, cost) = (password.clone(), self.cost);
        let hash = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // A `Password` has at most bcrypt's 72 bytes, so nothing is cut. (`non_truncating_hash` counts the
            // terminator too and refuses the 72nd.)
            bcrypt::hash(password.expose(), cost)
        });
        hash.await.map_err(internal)?.map_err(internal)
    }

    /// Whether `password` is the one of `hash`; without a hash the same work is done for a `false`.
    /// A password over bcrypt's 72 bytes matches nothing.
    ///
    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn verify(&self, password: Zeroizing<String>, hash: Option<String>) -> AppResult<bool> {
        let turn = self.turn().await?;
        let possible = hash.is_some() && password.len() <= PASSWORD_MAX_BYTES;
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password.as_str(), &hash).unwrap_or(false)
        });
        Ok(matches.await.map_err(internal)? && possible)
    }

    async fn turn(&self) -> AppResult<OwnedSemaphorePermit> {
        match tokio::time::timeout(MAX_WAIT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(permit) => permit.map_err(internal),
            Err(_) => Err(AppError::Busy { retry_after_seconds: 5 }),
        }
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
        assert!(hasher.verify(Zeroizing::new(text.clone()), Some(hash.clone())).await.expect("checked"));
        let mut other = text.clone();
        other.replace_range(71.., "~");
        assert!(!hasher.verify(Zeroizing::new(other), Some(hash.clone())).await.expect("checked"));
        assert!(!hasher.verify(Zeroizing::new(format!("{text}x")), Some(hash)).await.expect("checked"));
        assert!(!hasher.verify(Zeroizing::new("a password that nobody has".to_owned()), None).await.expect("checked"));
    }
}
