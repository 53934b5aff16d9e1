//! Reading the audit log: pages for people, newest first by (time, id), and rows as they were hashed, in their order.

use crate::audit::{Entry, Filter, TargetFilter};
use crate::page::contains_pattern;
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use sqlx::{FromRow as _, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

/// How many rows one page looks at, at most: what bounds its time, whatever is asked for and however long the log is.
const LOOKED_AT: usize = 5_000;
/// With at most so many names that a part matches, each is looked up by itself.
const NAMES_MAX: usize = 100;

/// Where a row stands in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    pub time: DateTime<Utc>,
    pub id: i64,
}

/// A page. It can be short, even empty, and yet have a next one: then rows down to `next` were looked at.
#[derive(Debug, Clone)]
pub struct Found {
    pub items: Vec<Entry>,
    pub next: Option<Position>,
    /// The page ended because it looked at enough rows.
    pub stopped_short: bool,
}

/// Rows after `before`, newest first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(pool: &PgPool, filter: &Filter, before: Option<Position>, limit: u32) -> DbResult<Found> {
    let limit = limit as usize;
    let names = match &filter.target {
        Some(TargetFilter::Name(part)) => Some(names_with(pool, part).await?),
        _ => None,
    };
    if names.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Found { items: Vec::new(), next: None, stopped_short: false });
    }
    let mut query = page_query(filter, names.as_deref(), before, limit);
    // Planned for these very values: a filter's index depends on them.
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    let mut found = Found { items: Vec::new(), next: None, stopped_short: false };
    for row in rows {
        let entry = Entry::from_row(&row)?;
        let position = Position { time: entry.time, id: entry.id };
        if row.try_get("matched")? {
            if found.items.len() == limit {
                found.next = found.items.last().map(|last| Position { time: last.time, id: last.id });
                break;
            }
            found.items.push(entry);
        }
        if row.try_get("last")? {
            (found.next, found.stopped_short) = (Some(position), true);
            break;
        }
    }
    Ok(found)
}

/// The names that hold this text, whatever their case; one more than [`NAMES_MAX`] stands for many.
async fn names_with(pool: &PgPool, part: &str) -> DbResult<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT name FROM audit_names WHERE folded LIKE $1 LIMIT $2",
        contains_pattern(&part.to_lowercase()),
        i64::try_from(NAMES_MAX + 1).unwrap_or(i64::MAX),
    )
    .fetch_all(pool)
    .await?)
}

/// One filter is looked up by its index, in the list's order; the others are compared row by row, in a window of bounded
/// length. The window's last row is returned, too, matched or not: the list goes on there.
fn page_query(
    filter: &Filter,
    names: Option<&[String]>,
    before: Option<Position>,
    limit: usize,
) -> QueryBuilder<Postgres> {
    let few_names = names.filter(|names| names.len() <= NAMES_MAX);
    let by_target = matches!(filter.target, Some(TargetFilter::Id(_)));
    let by_actor = !by_target && few_names.is_none() && filter.actor.is_some();
    let by_action = !by_target && few_names.is_none() && !by_actor && filter.action.is_some();
    let compared = (filter.action.is_some() && !by_action)
        || (filter.actor.is_some() && !by_actor)
        || filter.succeeded.is_some()
        || (names.is_some() && few_names.is_none());
    let window = if compared { LOOKED_AT / few_names.map_or(1, <[String]>::len) } else { limit + 1 };

    let mut query = QueryBuilder::new("SELECT x.*, x.metadata::text AS metadata_text, x.n = ");
    query.push(window).push(" AS last FROM ");
    if let Some(names) = few_names {
        query.push("UNNEST(").push_bind(names.to_vec()).push("::text[]) AS names(name) CROSS JOIN LATERAL ");
    }
    query.push("(SELECT w.*, row_number() OVER () AS n, true");
    if let (Some(action), false) = (&filter.action, by_action) {
        query.push(" AND w.action = ").push_bind(action.clone());
    }
    if let (Some(actor), false) = (&filter.actor, by_actor) {
        query.push(" AND w.username = ").push_bind(actor.clone());
    }
    if let Some(succeeded) = filter.succeeded {
        query.push(if succeeded { " AND w.outcome = 'SUCCESS'" } else { " AND w.outcome = 'FAILURE'" });
    }
    if let (Some(TargetFilter::Name(part)), None) = (&filter.target, few_names) {
        let pattern = contains_pattern(&part.to_lowercase());
        query.push(" AND COALESCE(lower(w.target_name) LIKE ").push_bind(pattern).push(", false)");
    }
    query.push(" AS matched FROM (SELECT * FROM audit_log a WHERE true");
    if few_names.is_some() {
        query.push(" AND a.target_name = names.name");
    }
    if let Some(TargetFilter::Id(id)) = filter.target {
        query.push(" AND a.target = ").push_bind(id);
    }
    if let (Some(actor), true) = (&filter.actor, by_actor) {
        query.push(" AND a.username = ").push_bind(actor.clone());
    }
    if let (Some(action), true) = (&filter.action, by_action) {
        query.push(" AND a.action = ").push_bind(action.clone());
    }
    if let Some(Position { time, id }) = before {
        query.push(" AND (a.time, a.id) < (").push_bind(time).push(", ").push_bind(id).push(")");
    }
    if let Some(from) = filter.from {
        query.push(" AND a.time >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        query.push(" AND a.time < ").push_bind(to);
    }
    query.push(" ORDER BY a.time DESC, a.id DESC LIMIT ").push(window).push(") w) x WHERE x.matched OR x.n = ");
    query.push(window).push(" ORDER BY x.time DESC, x.id DESC LIMIT ").push(limit + 1);
    query
}

/// A row as it was hashed: texts as PostgreSQL writes them in JSON.
#[derive(Debug, Clone)]
pub struct HashedRow {
    pub id: i64,
    pub time: DateTime<Utc>,
    pub action: String,
    pub outcome: String,
    pub target: Option<Uuid>,
    pub target_type: Option<String>,
    pub target_name: Option<String>,
    pub user_id: Option<Uuid>,
    pub username: String,
    /// The text of a `jsonb`.
    pub metadata: String,
    /// Without a mask.
    pub ip: Option<String>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Rows in the order of the chain, after the row `after`, at most `limit`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn in_order(connection: &mut PgConnection, after: i64, limit: u32) -> DbResult<Vec<HashedRow>> {
    Ok(sqlx::query_as!(
        HashedRow,
        r#"SELECT id, time, action, outcome, target, target_type, target_name, user_id, username,
                  metadata::text AS "metadata!", host(ip) AS ip, prev_hash, hash
           FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2"#,
        after,
        i64::from(limit),
    )
    .fetch_all(connection)
    .await?)
}

/// The smallest id in the log.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn first_id(connection: &mut PgConnection) -> DbResult<Option<i64>> {
    Ok(sqlx::query_scalar!("SELECT min(id) FROM audit_log").fetch_one(connection).await?)
}
