//! Everything that is done ON a customer's box (product.md section 5), as root, by the gateway's
//! own binary: `proxima-gateway setup` reads one JSON request on stdin and writes one JSON reply
//! line on stdout; what it does meanwhile goes to stderr, a line each. For people on the box there are `setup enroll`, which an
//! install command runs ([`enroll()`]), and `setup uninstall`.
//!
//! - Before a step changes anything, what it will change is kept in the job's folder ([`journal`]),
//!   so that the step can be asked again or reverted after a kill at any point.
//! - Command lines are constants ([`commands`]); data never becomes part of one.
//! - Nothing here logs a request, `config.json` or a receipt.

mod by_hand;
pub mod commands;
mod enroll;
mod facts;
mod files;
pub mod host;
mod journal;
mod lock;
mod problem;
mod reach;
mod receipt;
mod serve;
mod status;
mod steps;
mod systemd;
#[cfg(test)]
mod tests;
mod uninstall;
mod update;

pub use by_hand::uninstall;
pub use enroll::{Ended, Enrollment, enroll};
pub use host::Host;
pub use serve::serve;
pub use steps::unit::TEXT as UNIT;
pub use update::finish as finish_update;
