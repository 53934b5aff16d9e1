//! The installer against real and hostile SSH servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod hostile;
mod support;
mod vps_lab;
