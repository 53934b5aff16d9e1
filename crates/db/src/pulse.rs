//! Whether PostgreSQL is still there, asked beside the work that somebody does with it: a server that is frozen, or whose host
//! is gone without a word, keeps its connections open and says nothing, for as long as TCP likes. How long a statement takes
//! says nothing about that.

use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(2);
/// How soon it answers a question that needs neither a disk nor a lock.
const WITHIN: Duration = Duration::from_secs(8);
/// How soon a server that takes no connections says why.
const REFUSED_WITHIN: Duration = Duration::from_secs(3);

/// PostgreSQL said nothing for about ten seconds.
#[derive(Debug, thiserror::Error)]
#[error(
    "PostgreSQL has not answered for 10 seconds, though it keeps its connections open: is it frozen, or its host or the network \
     down? Nothing more was changed; run this again when it answers"
)]
pub struct Silent;

/// Does some work while PostgreSQL answers, however long that takes. An error is an answer: whoever works with it hears one, too.
///
/// # Errors
/// [`Silent`]; the work was given up then, and its transaction is rolled back.
pub async fn attend<T>(url: &str, work: impl Future<Output = T>) -> Result<T, Silent> {
    tokio::select! {
        done = work => Ok(done),
        () = silence(url) => Err(Silent),
    }
}

/// Does work that has to come to its end by itself, and calls `tell` each time that PostgreSQL has fallen silent.
pub async fn attend_to_the_end<T>(url: &str, work: impl Future<Output = T>, tell: impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = silence(url) => tell(),
        }
    }
}

/// Why a pool has no connection, which tries again until its time is over and does not say: `None` when nobody answers.
pub async fn refusal(url: &str) -> Option<sqlx::Error> {
    match timeout(REFUSED_WITHIN, PgConnection::connect(url)).await {
        Ok(Err(error)) => Some(error),
        Ok(Ok(_)) | Err(_) => None,
    }
}

/// Returns when a question was not answered.
async fn silence(url: &str) {
    let mut connection = None;
    loop {
        sleep(EVERY).await;
        match timeout(WITHIN, ask(&mut connection, url)).await {
            Err(_) => return,
            Ok(Err(_)) => connection = None,
            Ok(Ok(())) => {}
        }
    }
}

async fn ask(connection: &mut Option<PgConnection>, url: &str) -> sqlx::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(PgConnection::connect(url).await?),
    };
    sqlx::query("SELECT 1").execute(connection).await.map(drop)
}
