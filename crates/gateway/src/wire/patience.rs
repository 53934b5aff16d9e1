//! Limits of time for what is waited for.

use super::Stream;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late;

/// One timer for all that one direction of a connection waits for, one thing after the other. It is set anew only when it
/// would ring too late; when it rings too early it is set for the rest: most waits cost a look at the clock.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Waits so long at most.
    pub async fn within<T>(&mut self, limit: Duration, what: impl Future<Output = T>) -> Result<T, Late> {
        let mut what = pin!(what);
        let mut end = None;
        poll_fn(|cx| match what.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_late(*end.get_or_insert_with(|| Instant::now() + limit), cx),
        })
        .await
    }

    /// Waits until then at most.
    pub async fn until<T>(&mut self, end: Instant, what: impl Future<Output = T>) -> Result<T, Late> {
        let mut what = pin!(what);
        poll_fn(|cx| match what.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_late(end, cx),
        })
        .await
    }

    /// Writes all, as long as some of it is taken within each `limit`.
    pub async fn progress(
        &mut self,
        limit: Duration,
        stream: &Stream,
        mut bytes: &[u8],
    ) -> Result<io::Result<()>, Late> {
        while !bytes.is_empty() {
            match self.within(limit, stream.write(bytes)).await? {
                Ok(written) => bytes = &bytes[written..],
                Err(error) => return Ok(Err(error)),
            }
        }
        self.within(limit, stream.flush()).await
    }

    fn poll_late<T>(&mut self, end: Instant, cx: &mut Context<'_>) -> Poll<Result<T, Late>> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.is_elapsed() || timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return Poll::Ready(Err(Late));
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_limit() {
        let mut patience = Patience::default();
        assert_eq!(patience.within(SHORT, ready(7)).await, Ok(7));
        for limit in [LONG, SHORT, SHORT, LONG] {
            let begun = Instant::now();
            assert_eq!(patience.within(limit, pending::<()>()).await, Err(Late));
            assert_eq!(begun.elapsed(), limit);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_ended_shortens_no_later_one() {
        let mut patience = Patience::default();
        assert_eq!(patience.within(LONG, tokio::time::sleep(SHORT)).await, Ok(()));
        assert_eq!(patience.within(SHORT * 2, tokio::time::sleep(SHORT)).await, Ok(()));
        let begun = Instant::now();
        assert_eq!(patience.within(LONG, pending::<()>()).await, Err(Late));
        assert_eq!(begun.elapsed(), LONG);
        assert_eq!(patience.until(Instant::now() + SHORT, tokio::time::sleep(LONG)).await, Err(Late));
    }
}
