//! The real binary, over real sockets: a fake dashboard that signs, backends, visitors.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod clients;
mod commands;
mod configs;
mod desync;
mod faults;
mod hostile;
mod http2;
mod lifecycle;
mod long_bodies;
mod management;
mod pools;
mod proxying;
mod rotation;
mod silence;
mod strictness;
mod support;
mod timeouts;
mod tls;
mod upgrades;
