//! The control plane: web UI, JSON API, heartbeat endpoint, audit log.
//!
//! `app` holds the use cases with their authorization and knows nothing of HTTP; `http` has one
//! file per resource and verb and turns requests into use cases; `jobs` runs what nobody asks for;
//! `management` asks gateways on their port 6060; `listen` accepts connections;
//! `acme` has their certificate issued; `cli` is the command line.

pub mod acme;
pub mod app;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod entropy;
pub mod http;
pub mod jobs;
pub mod keyring;
pub mod listen;
pub mod management;
mod sentence;
