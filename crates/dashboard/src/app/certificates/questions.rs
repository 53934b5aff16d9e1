//! Anybody can ask as the authority does: in a TLS hello, without an account.

use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Between two looks into the database.
const EVERY: Duration = Duration::from_secs(1);

type Digest = Option<[u8; 32]>;
type Look = Box<dyn Fn() -> BoxFuture<'static, Digest> + Send + Sync>;

/// Answers what authorities ask, and looks into the database once a second at most, however many ask. Nobody is answered by a
/// look from before their question: what was not there then may be there now, written by another dashboard, and an authority
/// does not ask again.
pub struct Questions {
    look: Look,
    last: Mutex<Option<(Instant, Digest)>>,
}

impl Questions {
    pub fn new(look: impl Fn() -> BoxFuture<'static, Digest> + Send + Sync + 'static) -> Self {
        Self { look: Box::new(look), last: Mutex::new(None) }
    }

    /// The digest that an authority looks for now, at most a second after it was asked for.
    pub async fn answer(&self) -> Digest {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((looked, digest)) = *last {
            if looked > asked {
                return digest;
            }
            sleep_until(looked + EVERY).await;
        }
        let looked = Instant::now();
        let digest = (self.look)().await;
        *last = Some((looked, digest));
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_flood_costs_a_look_a_second_and_nobody_is_answered_by_an_older_one() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        // The number of the look in place of a digest.
        let questions = Arc::new(Questions::new(move || {
            let number = u8::try_from(counted.fetch_add(1, Ordering::SeqCst)).expect("few");
            Box::pin(async move { Some([number; 32]) })
        }));
        assert_eq!(questions.answer().await, Some([0; 32]), "the first one waits for nothing");
        let asking: Vec<_> = (0..1000)
            .map(|_| {
                let questions = Arc::clone(&questions);
                tokio::spawn(async move { questions.answer().await })
            })
            .collect();
        let began = Instant::now();
        for asked in asking {
            assert_eq!(asked.await.expect("answered"), Some([1; 32]), "by one look after the first");
        }
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        assert!(began.elapsed() <= EVERY);
    }
}
