//! The few servers among very many that can have a status: a list of them is made from these, however long the list of
//! all is.

use crate::{DbResult, PgPool};
use proxima_types::ServerStatus;
use sqlx::postgres::types::PgInterval;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// With at most so many candidates a list is made of them. With more it is read in its own order, and soon has its page.
const FEW: usize = 1_000;

/// The servers that can have this status now; `None` when they are many, or when the status has an index of its own.
///
/// # Errors
/// See [`crate::DbError`].
pub(crate) async fn few(
    pool: &PgPool,
    status: Option<ServerStatus>,
    heartbeat_interval: PgInterval,
) -> DbResult<Option<Vec<Uuid>>> {
    let (beginning, end) = match status {
        Some(ServerStatus::Offline) => ("FROM gateway_installs WHERE phase <> 'serving' OR last_heartbeat_at <", ""),
        Some(ServerStatus::Online) => ("FROM gateway_installs WHERE last_heartbeat_at >=", " AND phase = 'serving'"),
        // These have an index, or a table, of their own.
        Some(
            ServerStatus::NotInstalled
            | ServerStatus::Installing
            | ServerStatus::StoppedByLicense
            | ServerStatus::KeyRetired,
        )
        | None => return Ok(None),
    };
    let mut query = QueryBuilder::<Postgres>::new("SELECT server_id ");
    query.push(beginning).push(" statement_timestamp() - 3 * ").push_bind(heartbeat_interval);
    query.push(end).push(" LIMIT ").push(FEW + 1);
    let servers: Vec<Uuid> = query.build_query_scalar().fetch_all(pool).await?;
    Ok((servers.len() <= FEW).then_some(servers))
}
