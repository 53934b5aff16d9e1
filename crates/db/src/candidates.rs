//! The few servers among very many that can have a status: a list of them is made from these, however long the list of
//! all is.

use crate::{DbResult, PgPool};
use proxima_types::ServerStatus;
use sqlx::postgres::types::PgInterval;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// With at most so many candidates a list is made of them. With more it is read in its own order, and soon has its page.
const FEW: usize = 5_000;
/// When so many of a thousand are candidates, the list is read in its own order without looking for all.
const MANY_OF_1000: i64 = 12;
/// What part of the gateways is looked at to know how many that are, in percent.
const SAMPLE: u8 = 2;

/// The servers that can have this status now; `None` when they are many, or when the status has an index of its own.
///
/// # Errors
/// See [`crate::DbError`].
pub(crate) async fn few(
    pool: &PgPool,
    status: Option<ServerStatus>,
    heartbeat_interval: PgInterval,
) -> DbResult<Option<Vec<Uuid>>> {
    let condition = match status {
        Some(ServerStatus::NotInstalled) => return without_install(pool).await,
        Some(ServerStatus::Offline) => ["(phase <> 'serving' OR last_heartbeat_at <", ")"],
        Some(ServerStatus::Online) => ["(phase = 'serving' AND last_heartbeat_at >=", ")"],
        // These have an index of their own.
        Some(ServerStatus::Installing | ServerStatus::StoppedByLicense | ServerStatus::KeyRetired) | None => {
            return Ok(None);
        }
    };
    let push_condition = |query: &mut QueryBuilder<Postgres>| {
        query.push(condition[0]).push(" statement_timestamp() - 3 * ").push_bind(heartbeat_interval);
        query.push(condition[1]);
    };
    let mut sample = QueryBuilder::<Postgres>::new("SELECT count(*), count(*) FILTER (WHERE ");
    push_condition(&mut sample);
    sample.push(") FROM gateway_installs TABLESAMPLE SYSTEM (").push(SAMPLE).push(")");
    let (seen, candidates): (i64, i64) = sample.build_query_as().fetch_one(pool).await?;
    if candidates > 0 && candidates * 1000 >= seen * MANY_OF_1000 && seen * 100 / i64::from(SAMPLE) > FEW as i64 {
        return Ok(None);
    }
    let mut query = QueryBuilder::<Postgres>::new("SELECT server_id FROM gateway_installs WHERE ");
    push_condition(&mut query);
    query.push(" LIMIT ").push(FEW + 1);
    let servers: Vec<Uuid> = query.build_query_scalar().persistent(false).fetch_all(pool).await?;
    Ok((servers.len() <= FEW).then_some(servers))
}

/// They have a table of their own, but may all stand at the end of a list.
async fn without_install(pool: &PgPool) -> DbResult<Option<Vec<Uuid>>> {
    let limit = i64::try_from(FEW + 1).unwrap_or(i64::MAX);
    let servers =
        sqlx::query_scalar!("SELECT server_id FROM servers_without_install LIMIT $1", limit).fetch_all(pool).await?;
    Ok((servers.len() <= FEW).then_some(servers))
}
