//! Proxima Gateway: an HTTP gateway that is managed from a dashboard and outlives it.
//!
//! Rooms: [`identity`] (who it is), [`agent`] (heartbeats and verdicts), [`listen`] (ports),
//! [`proxy`] (requests), [`upstream`] (backends), `tls` (certificates), `wire` (connections, buffers, limits of time), [`manage`] (the API on `:6060`), [`log`],
//! [`metrics`], [`status`]. The agent governs `listen`; nothing that serves visitors ever waits for
//! the agent or for `manage`.

pub mod agent;
pub mod check;
pub mod cli;
pub mod clock;
pub mod identity;
pub mod listen;
pub mod log;
pub mod manage;
pub mod metrics;
pub mod names;
pub mod proxy;
pub mod run;
pub mod setup;
pub mod status;
mod tls;
pub mod upstream;
mod wire;
