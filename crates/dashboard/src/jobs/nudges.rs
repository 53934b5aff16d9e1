//! Sends the nudges that wait, so many at once.

use crate::app::App;
use crate::app::management::nudge;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A gateway that does not answer holds a place for 20 s at most.
const AT_ONCE: usize = 32;

/// Sends nudges until the task ends; those under way end with it.
pub async fn run(app: Arc<App>) {
    let mut sending = JoinSet::new();
    loop {
        while sending.len() < AT_ONCE
            && let Some(turn) = app.nudges.take()
        {
            let app = Arc::clone(&app);
            sending.spawn(async move { nudge(&app, &turn).await });
        }
        tokio::select! {
            () = app.nudges.changed() => {}
            Some(ended) = sending.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a nudge ended by a defect");
                }
            }
        }
    }
}
