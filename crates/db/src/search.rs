//! A part of a name among many accounts (migrations 0023 and 0029).

use crate::page::contains_pattern;
use crate::{DbResult, PgPool};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// With at most so many matches a list is made of them. With more it is read in its own order, and soon has its page.
const MATCHES_MAX: usize = 5_000;

/// The accounts whose username, display name or server's name holds this text, whatever its case; `None` when they are
/// many.
///
/// # Errors
/// See [`crate::DbError`].
pub(crate) async fn owners(pool: &PgPool, text: &str) -> DbResult<Option<Vec<Uuid>>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT owner FROM (SELECT id AS owner FROM users WHERE ");
    push_match(&mut query, text);
    query.push(" UNION ALL SELECT owner_id FROM servers WHERE ");
    push_match(&mut query, text);
    query.push(") found LIMIT ").push(MATCHES_MAX + 1);
    // Planned for this very text.
    let owners: Vec<Uuid> = query.build_query_scalar().persistent(false).fetch_all(pool).await?;
    Ok((owners.len() <= MATCHES_MAX).then_some(owners))
}

fn push_match(query: &mut QueryBuilder<Postgres>, text: &str) {
    query.push("search LIKE lower(").push_bind(contains_pattern(text));
    query.push(") AND search_grams(search) @> search_needles(lower(").push_bind(text.to_owned()).push("))");
}
