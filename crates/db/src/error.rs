//! What can go wrong with the database, as callers tell it apart.

/// The result of every function here.
pub type DbResult<T> = Result<T, DbError>;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique rule was broken: `constraint` names it.
    #[error("the rule {constraint} was broken")]
    Conflict { constraint: String },
    /// A row that this one refers to is gone.
    #[error("the rule {constraint} was broken: the row it refers to is gone")]
    Gone { constraint: String },
    /// A value that PostgreSQL cannot hold, and so nobody has.
    #[error("the database cannot hold a value: {0}")]
    Unstorable(#[source] sqlx::Error),
    /// The database is down, slow, full or read-only: try again later. Never a verdict (invariant 1).
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A defect of ours or of the schema.
    #[error("the database refused a query: {0}")]
    Internal(#[source] sqlx::Error),
}

/// SQLSTATE classes that pass: connection, login, a database that is not there or not open, resources,
/// operator intervention, read-only, lock and serialization failures (PostgreSQL documentation, appendix A).
const PASSING: &[&str] = &["08", "28", "3D", "53", "57", "58", "25006", "40", "55000", "55P03", "XX001"];

/// A text with a NUL, and a date out of range: PostgreSQL takes neither, whoever sent them.
const UNSTORABLE: &[&str] = &["22021", "22008"];

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => Self::Unavailable(error),
                _ => Self::Internal(error),
            };
        };
        let constraint = || database.constraint().unwrap_or_default().to_owned();
        if database.is_unique_violation() {
            return Self::Conflict { constraint: constraint() };
        }
        if database.is_foreign_key_violation() {
            return Self::Gone { constraint: constraint() };
        }
        let code = database.code().unwrap_or_default();
        if PASSING.iter().any(|prefix| code.starts_with(prefix)) {
            Self::Unavailable(error)
        } else if UNSTORABLE.contains(&code.as_ref()) {
            Self::Unstorable(error)
        } else {
            Self::Internal(error)
        }
    }
}
