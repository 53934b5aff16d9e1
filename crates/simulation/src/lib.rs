//! A seeded simulation: the real agent of the gateway and the real answers of the dashboard, on a simulated network,
//! disk, database and clock. Everything follows from one seed, so a failure is repeated by its number.
//!
//! Real: [`proxima_gateway::agent`] whole (heartbeats, verdicts, stored answers, hand-overs, deadlines) and
//! [`proxima_dashboard::app::heartbeats`]'s answers with their signatures. Simulated: what is under them. The database is
//! a few rows ([`fleet`]); that the SQL finds what these rows say is tested on PostgreSQL elsewhere.
//!
//! [`oracle`] is written from the contract (product.md section 4) and shares no code with what it judges: no gateway
//! stops without a delivered, authentic, explained verdict or a signed deadline; every gateway that must stop does within
//! its bound; traffic is served whenever the contract says so. That the oracle can fail is shown by [`mutation`].

pub mod clock;
pub mod dashboard;
pub mod disk;
pub mod faults;
pub mod fleet;
pub mod host;
pub mod judges;
pub mod mutation;
pub mod network;
pub mod oracle;
pub mod schedule;
pub mod world;

pub use mutation::Mutation;
pub use schedule::{Outcome, run};
