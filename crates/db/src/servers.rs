//! Servers, as people see and configure them. Queries are scoped to the caller's tenant by
//! their type (invariant 7).

use crate::management::{CHECK_COLUMN, CheckRow};
use crate::page::{Page, contains_pattern, fetch_count};
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Duration, Utc};
use proxima_types::{KeyDigest, LicenseStatus, ServerId, ServerName, ServerStatus, UserId};
use serde_json::Value;
use sqlx::postgres::types::PgInterval;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Whose servers a caller may see. Another tenant's server looks exactly like a missing one.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    All,
    OwnedBy(UserId),
}

impl Scope {
    pub(crate) fn owner(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::OwnedBy(owner) => Some(owner.0),
        }
    }
}

/// A server with its newest heartbeat and its derived states.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ServerRow {
    pub id: Uuid,
    pub owner_id: Uuid,
    pub owner_username: String,
    pub name: String,
    pub license_status: String,
    pub grace_expires_at: Option<DateTime<Utc>>,
    pub api_key_last4: String,
    pub config: Value,
    pub config_generation: i64,
    pub config_updated_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub installed_version: Option<String>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    pub phase: Option<String>,
    pub os: Option<String>,
    pub architecture: Option<String>,
    pub hostname: Option<String>,
    pub applied_incarnation: Option<i32>,
    pub applied_number: Option<i64>,
    pub rejected_incarnation: Option<i32>,
    pub rejected_number: Option<i64>,
    pub rejected_reason: Option<String>,
    /// Its gateway has not been heard of since it was left without a key that counts.
    pub reinstall_needed: bool,
    /// The license at `now`.
    pub effective_status: String,
    /// The server's status at `now`.
    pub server_status: String,
    pub key_in_use_on_hosts: i64,
    /// How the last attempt to reach its management API went.
    pub management_check: Option<Json<CheckRow>>,
    pub now: DateTime<Utc>,
    pub incarnation: i32,
}

impl ServerRow {
    #[must_use]
    pub fn effective_license(&self) -> LicenseStatus {
        self.effective_status.parse().unwrap_or(LicenseStatus::Expired)
    }

    #[must_use]
    pub fn status(&self) -> ServerStatus {
        match self.server_status.as_str() {
            "ONLINE" => ServerStatus::Online,
            "OFFLINE" => ServerStatus::Offline,
            "STOPPED_BY_LICENSE" => ServerStatus::StoppedByLicense,
            "KEY_RETIRED" => ServerStatus::KeyRetired,
            "INSTALLING" => ServerStatus::Installing,
            _ => ServerStatus::NotInstalled,
        }
    }
}

/// The columns of `server_overview o` that make a [`ServerRow`], without the derived ones.
pub(crate) const SERVER_COLUMNS: &str = "o.id, o.owner_id, o.owner_username, o.name, o.license_status, \
    o.grace_expires_at, o.api_key_last4, o.config, o.config_generation, o.config_updated_at, o.created_at, \
    o.installed_version, o.last_heartbeat_at, o.phase, o.os, o.architecture, o.hostname, o.applied_incarnation, \
    o.applied_number, o.rejected_incarnation, o.rejected_number, o.rejected_reason, o.reinstall_needed, \
    license_status_at(o.license_status, o.grace_expires_at, statement_timestamp()) AS effective_status, \
    statement_timestamp() AS now, (SELECT incarnation FROM settings) AS incarnation";

const STATUS_SQL: &str = "server_status_at(license_status_at(o.license_status, o.grace_expires_at, \
    statement_timestamp()), o.last_heartbeat_at, o.phase, o.installing, o.reinstall_needed, ";

/// The columns that depend on the time between two heartbeats.
pub(crate) fn push_status(query: &mut QueryBuilder<Postgres>, heartbeat_interval: PgInterval) {
    query.push(STATUS_SQL).push_bind(heartbeat_interval);
    query.push(", statement_timestamp()) AS server_status, key_in_use_on_hosts(o.id, ");
    query.push_bind(heartbeat_interval);
    query.push(", statement_timestamp()) AS key_in_use_on_hosts");
}

pub(crate) fn push_filter(
    query: &mut QueryBuilder<Postgres>,
    license: Option<LicenseStatus>,
    status: Option<ServerStatus>,
    heartbeat_interval: PgInterval,
    candidates: Option<Vec<Uuid>>,
) {
    if let Some(candidates) = candidates {
        query.push(" AND o.id = ANY (").push_bind(candidates).push(")");
    }
    // What follows from a status and has an index, so that a page of few among many is found at once.
    query.push(match license {
        Some(LicenseStatus::Active) => " AND o.license_status = 'ACTIVE'",
        Some(_) => " AND o.license_status <> 'ACTIVE'",
        None => "",
    });
    query.push(match status {
        Some(ServerStatus::StoppedByLicense) => " AND o.license_status <> 'ACTIVE'",
        Some(ServerStatus::Installing) => {
            " AND o.id IN (SELECT server_id FROM jobs WHERE kind = 'INSTALL' AND state IN ('QUEUED', 'RUNNING'))"
        }
        // That is all of it: the installs of such a server need not be looked up.
        Some(ServerStatus::NotInstalled) => {
            " AND o.id IN (SELECT server_id FROM servers_without_install) AND o.id NOT IN (SELECT server_id FROM jobs \
             WHERE kind = 'INSTALL' AND state IN ('QUEUED', 'RUNNING'))"
        }
        Some(ServerStatus::KeyRetired) => " AND o.id IN (SELECT id FROM servers WHERE key_cut_at IS NOT NULL)",
        Some(ServerStatus::Online | ServerStatus::Offline) | None => "",
    });
    if let Some(license) = license {
        query.push(" AND license_status_at(o.license_status, o.grace_expires_at, statement_timestamp()) = ");
        query.push_bind(license.as_str());
    }
    if status == Some(ServerStatus::Offline) {
        query.push(" AND (o.phase <> 'serving' OR o.last_heartbeat_at < statement_timestamp() - 3 * ");
        query.push_bind(heartbeat_interval).push(")");
    }
    if let Some(status) = status.filter(|status| *status != ServerStatus::NotInstalled) {
        query.push(" AND ").push(STATUS_SQL).push_bind(heartbeat_interval);
        query.push(", statement_timestamp()) = ").push_bind(status.as_str());
    }
}

fn select(heartbeat_interval: PgInterval) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {SERVER_COLUMNS}, {CHECK_COLUMN}, "));
    push_status(&mut query, heartbeat_interval);
    query.push(" FROM server_overview o WHERE true");
    query
}

/// One server, if the caller may see it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(
    connection: &mut PgConnection,
    scope: Scope,
    id: ServerId,
    heartbeat_interval: PgInterval,
) -> DbResult<Option<ServerRow>> {
    let mut query = select(heartbeat_interval);
    query.push(" AND o.id = ").push_bind(id.0);
    if let Some(owner) = scope.owner() {
        query.push(" AND o.owner_id = ").push_bind(owner);
    }
    Ok(query.build_query_as().fetch_optional(connection).await?)
}

/// The server of a customer.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find_by_owner(
    connection: &mut PgConnection,
    owner: UserId,
    heartbeat_interval: PgInterval,
) -> DbResult<Option<ServerRow>> {
    let mut query = select(heartbeat_interval);
    query.push(" AND o.owner_id = ").push_bind(owner.0);
    Ok(query.build_query_as().fetch_optional(connection).await?)
}

/// Which servers to list; `None` is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A part of the server's or the owner's name.
    pub search: Option<String>,
    pub license_status: Option<LicenseStatus>,
    pub server_status: Option<ServerStatus>,
}

/// By owner's username, after `after`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(
    pool: &PgPool,
    scope: Scope,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
    heartbeat_interval: PgInterval,
) -> DbResult<Page<ServerRow, String>> {
    let mut query = select(heartbeat_interval);
    if let Some(owner) = scope.owner() {
        query.push(" AND o.owner_id = ").push_bind(owner);
    }
    if let Some(search) = filter.search.as_deref() {
        let pattern = contains_pattern(search);
        query.push(" AND (o.name ILIKE ").push_bind(pattern.clone());
        query.push(" OR o.owner_username ILIKE ").push_bind(pattern).push(")");
        if let Some(owners) = crate::search::owners(pool, search).await? {
            query.push(" AND o.owner_id = ANY (").push_bind(owners).push(")");
        }
    }
    // Whoever has one server, or named some, needs no other help to find them.
    let candidates = match (scope.owner(), filter.search.as_deref()) {
        (None, None) => crate::candidates::few(pool, filter.server_status, heartbeat_interval).await?,
        _ => None,
    };
    push_filter(&mut query, filter.license_status, filter.server_status, heartbeat_interval, candidates);
    if let Some(after) = after {
        query.push(" AND o.owner_username > ").push_bind(after.to_owned());
    }
    query.push(" ORDER BY o.owner_username LIMIT ").push_bind(fetch_count(limit));
    let rows = query.build_query_as().persistent(false).fetch_all(pool).await?;
    Ok(Page::from_rows(rows, limit, |row: &ServerRow| row.owner_username.clone()))
}

/// A server to insert: with its license key and secret, sealed.
pub struct NewServer<'a> {
    pub id: ServerId,
    pub owner: UserId,
    pub name: &'a ServerName,
    pub api_key_digest: KeyDigest,
    pub api_key_ciphertext: &'a [u8],
    pub api_key_last4: &'a str,
    pub api_secret_ciphertext: &'a [u8],
}

/// # Errors
/// [`crate::DbError::Conflict`] when the owner has a server already.
pub async fn insert(connection: &mut PgConnection, server: NewServer<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO servers
               (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4, api_secret_ciphertext)
           VALUES ($1, $2, $3, $4, $5, $6, $7)"#,
        server.id.0,
        server.owner.0,
        server.name.as_str(),
        server.api_key_digest.as_bytes(),
        server.api_key_ciphertext,
        server.api_key_last4,
        server.api_secret_ciphertext,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The server of the account that has this username now; `None` without either.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn id_of_username(connection: &mut PgConnection, username: &str) -> DbResult<Option<ServerId>> {
    let id = sqlx::query_scalar!(
        "SELECT s.id FROM servers s JOIN users u ON u.id = s.owner_id WHERE u.username = $1",
        username
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(ServerId))
}

/// Deletes the server of `owner`; its key is remembered as retired.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete_of_owner(connection: &mut PgConnection, owner: UserId) -> DbResult<()> {
    sqlx::query!("DELETE FROM servers WHERE owner_id = $1", owner.0).execute(connection).await?;
    Ok(())
}

/// `true` when the caller may rename it and it was renamed.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn rename(connection: &mut PgConnection, scope: Scope, id: ServerId, name: &ServerName) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE servers SET name = $3, updated_at = now()
           WHERE id = $1 AND ($2::uuid IS NULL OR owner_id = $2)"#,
        id.0,
        scope.owner(),
        name.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the configuration that was edited from generation `edited_from`. `false` when it is
/// not that one any more (or the caller may not see the server).
///
/// # Errors
/// See [`crate::DbError`].
pub async fn save_config(
    connection: &mut PgConnection,
    scope: Scope,
    id: ServerId,
    edited_from: i64,
    config: &Value,
) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE servers SET config = $4, config_generation = config_generation + 1, config_updated_at = now(),
               updated_at = now()
           WHERE id = $1 AND ($2::uuid IS NULL OR owner_id = $2) AND config_generation = $3"#,
        id.0,
        scope.owner(),
        edited_from,
        config,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A [`Duration`] as PostgreSQL takes it.
#[must_use]
pub fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: duration.num_microseconds().unwrap_or(i64::MAX) }
}

/// Whether there is any server at all.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn any(pool: &PgPool) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM servers) AS "any!""#).fetch_one(pool).await?)
}
