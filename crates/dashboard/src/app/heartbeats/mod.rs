//! Heartbeats: read, judged and signed (product.md section 4, invariants 1 and 3).

mod answer;
mod queue;

pub use answer::{Asked, SignedAnswer, answer, refuse, retry_after_seconds};
pub use queue::{HeartbeatQueue, Judged, NoVerdict};
