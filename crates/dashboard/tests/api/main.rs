//! The API over real sockets and a real PostgreSQL: one module for each resource or behaviour.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod access;
mod acme;
mod anchor;
mod audit;
mod audit_chain;
mod audit_verify;
mod auth;
mod authenticator;
mod cli;
mod concurrency;
mod config;
mod connections;
mod csrf;
mod doctor;
mod fleet;
mod heartbeat;
mod install_tokens;
mod jobs;
mod jobs_fence;
mod jobs_takeover;
mod keys;
mod license;
mod license_actions;
mod license_expiry;
mod listen;
mod management;
mod notifications;
mod provisioning_kill;
mod requests;
mod roles;
mod rotation;
mod routes;
mod secrets;
mod serve;
mod servers;
mod service;
mod sessions;
mod settings;
mod soak;
mod temporary_passwords;
mod texts;
mod throttles;
mod tombstones;
mod ui;
mod users;
mod users_list;
mod vps_lab;
mod world;

/// The program that these tests start as a process of its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_proxima-dashboard");

/// Whether the long tests were asked for.
fn full() -> bool {
    std::env::var_os("PROXIMA_TEST_FULL").is_some_and(|value| value == "1")
}
