//! All SQL of the dashboard: migrations and checked queries. Functions take a connection, so that
//! a use case decides what is one transaction.
//!
//! The database's clock judges everything that has a date (invariant 3): where a function needs
//! "now", it asks PostgreSQL.

pub mod acme;
pub mod anchor;
pub mod audit;
pub mod audit_log;
pub mod audit_retention;
pub mod backup;
mod candidates;
pub mod census;
pub mod connections;
pub mod error;
pub mod factors;
pub mod fleet;
pub mod heartbeats;
pub mod install_tokens;
pub mod jobs;
pub mod keys;
pub mod licenses;
pub mod management;
pub mod notifications;
pub mod page;
pub mod passkeys;
pub mod pending_logins;
pub mod pool;
pub mod pulse;
pub mod rotations;
pub mod sealed;
mod search;
pub mod servers;
pub mod sessions;
pub mod settings;
pub mod throttles;
pub mod users;

pub use error::{DbError, DbResult};
pub use pool::{connect, migrate, now};
pub use sqlx::postgres::{PgConnection, PgPool};

/// A transaction: rolled back unless committed.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;
