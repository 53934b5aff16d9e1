//! Faults of what the dashboard stands on, with real processes: a PostgreSQL of the test's own that is stopped, killed,
//! frozen, slow, full, read-only and failed over, and the dashboard killed anywhere. Whatever happens, a heartbeat gets
//! the truth or a signed 503, nothing that was committed is lost, and all recovers without a restart.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

mod clock;
mod commands;
mod database;
mod disk;
mod failover;
mod killed;
mod license_machine;
mod postgres;
mod stand;

/// The program that these tests start as a process of its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_proxima-dashboard");

/// Whether the long tests were asked for.
fn full() -> bool {
    std::env::var_os("PROXIMA_TEST_FULL").is_some_and(|value| value == "1")
}
