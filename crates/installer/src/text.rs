//! What the other side says, made fit to keep: clean, bounded, without our secrets.

mod clean;
mod lines;
mod redact;

pub use clean::clean;
pub use lines::{LineLimits, Lines};
pub use redact::Redactor;
