//! Accounts.

use crate::management::CHECK_COLUMN;
use crate::page::{Page, contains_pattern, fetch_count};
use crate::servers::{SERVER_COLUMNS, ServerRow};
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::{DisplayName, LicenseStatus, LoginSlug, Role, ServerStatus, UserId, Username};
use sqlx::postgres::types::PgInterval;
use sqlx::{FromRow as _, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

/// An account without its password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UserRow {
    pub id: Uuid,
    pub username: String,
    pub display_name: Option<String>,
    pub login_slug: Option<String>,
    pub role: String,
    pub created_at: DateTime<Utc>,
    /// Until when a password that somebody else chose is good; `None` when it is its owner's.
    pub password_temporary_until: Option<DateTime<Utc>>,
}

impl UserRow {
    #[must_use]
    pub fn user_id(&self) -> UserId {
        UserId(self.id)
    }

    /// The CHECK on the column lets no third role in.
    #[must_use]
    pub fn role(&self) -> Role {
        if self.role == Role::Admin.as_str() { Role::Admin } else { Role::Customer }
    }
}

/// What a login is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: UserRow,
    pub password_hash: String,
    /// The password is a temporary one whose time is over.
    pub password_expired: bool,
}

/// An account to insert.
pub struct NewUser<'a> {
    pub id: UserId,
    pub username: &'a Username,
    pub password_hash: &'a str,
    /// Somebody else's choice, to be replaced by its owner's.
    pub password_temporary: bool,
    pub display_name: Option<&'a DisplayName>,
    pub login_slug: Option<&'a LoginSlug>,
    pub role: Role,
}

/// # Errors
/// [`crate::DbError::Conflict`] names `users_username_key` or `users_login_slug_key`.
pub async fn insert(connection: &mut PgConnection, user: NewUser<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO users (id, username, password_hash, display_name, login_slug, role, password_temporary_until)
           VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN now() + interval '7 days' END)"#,
        user.id.0,
        user.username.as_str(),
        user.password_hash,
        user.display_name.map(DisplayName::as_str),
        user.login_slug.map(LoginSlug::as_str),
        user.role.as_str(),
        user.password_temporary,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn find(connection: impl sqlx::PgExecutor<'_>, id: UserId) -> DbResult<Option<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        "SELECT id, username, display_name, login_slug, role, created_at, password_temporary_until FROM users WHERE id = $1",
        id.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Reads an account and locks it until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock(connection: &mut PgConnection, id: UserId) -> DbResult<Option<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, display_name, login_slug, role, created_at, password_temporary_until FROM users
           WHERE id = $1 FOR UPDATE"#,
        id.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Locks every admin's row, in one order, and counts them: what protects the last admin when two
/// admins demote each other at once.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock_admins(connection: &mut PgConnection) -> DbResult<usize> {
    let admins = sqlx::query_scalar!("SELECT id FROM users WHERE role = 'ADMIN' ORDER BY id FOR UPDATE")
        .fetch_all(connection)
        .await?;
    Ok(admins.len())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn count_admins(connection: impl sqlx::PgExecutor<'_>) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM users WHERE role = 'ADMIN'"#)
        .fetch_one(connection)
        .await?)
}

/// The names of those of a role who have neither an authenticator app nor a passkey; the first `limit` of them, in order.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn without_factor(connection: impl sqlx::PgExecutor<'_>, role: Role, limit: i64) -> DbResult<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT username FROM users u
           WHERE role = $1 AND NOT EXISTS (SELECT FROM totp_factors t WHERE t.user_id = u.id)
             AND NOT EXISTS (SELECT FROM passkeys p WHERE p.user_id = u.id)
           ORDER BY username LIMIT $2"#,
        role.as_str(),
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn find_by_username(pool: &PgPool, username: &str) -> DbResult<Option<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, display_name, login_slug, role, created_at, password_temporary_until FROM users
           WHERE username = $1"#,
        username
    )
    .fetch_optional(pool)
    .await?)
}

/// The account to sign in: by username, by slug, or by both (then both must be of one account).
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find_credentials(
    pool: &PgPool,
    username: Option<&str>,
    login_slug: Option<&str>,
) -> DbResult<Option<Credentials>> {
    let row = sqlx::query!(
        r#"SELECT id, username, display_name, login_slug, role, created_at, password_hash, password_temporary_until,
                  COALESCE(password_temporary_until <= now(), false) AS "password_expired!" FROM users
           WHERE ($1::text IS NOT NULL OR $2::text IS NOT NULL)
             AND ($1::text IS NULL OR username = $1) AND ($2::text IS NULL OR login_slug = $2)"#,
        username,
        login_slug
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Credentials {
        password_hash: row.password_hash,
        password_expired: row.password_expired,
        user: UserRow {
            id: row.id,
            username: row.username,
            display_name: row.display_name,
            login_slug: row.login_slug,
            role: row.role,
            created_at: row.created_at,
            password_temporary_until: row.password_temporary_until,
        },
    }))
}

/// # Errors
/// See [`crate::DbError`].
pub async fn password_hash(pool: &PgPool, id: UserId) -> DbResult<Option<String>> {
    Ok(sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1", id.0).fetch_optional(pool).await?)
}

/// The present hash, which nobody changes until the transaction ends; `None` when the account is gone.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn hold_password_hash(connection: &mut PgConnection, id: UserId) -> DbResult<Option<String>> {
    Ok(sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1 FOR SHARE", id.0)
        .fetch_optional(connection)
        .await?)
}

/// The name that a personal login page greets with.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn display_name_of_slug(pool: &PgPool, slug: &str) -> DbResult<Option<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT COALESCE(display_name, username) AS "name!" FROM users WHERE login_slug = $1"#,
        slug
    )
    .fetch_optional(pool)
    .await?)
}

/// Writes every editable column of an account.
///
/// # Errors
/// [`crate::DbError::Conflict`] names `users_username_key` or `users_login_slug_key`.
pub async fn update(connection: &mut PgConnection, user: &UserRow) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE users SET username = $2, display_name = $3, login_slug = $4, role = $5, updated_at = now()
           WHERE id = $1"#,
        user.id,
        user.username,
        user.display_name,
        user.login_slug,
        user.role,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A new password. One that is `temporary`, somebody else's choice, is good for 7 days, as long as people are away at most
/// before they first look (and as Amazon Cognito's).
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_password_hash(connection: &mut PgConnection, id: UserId, hash: &str, temporary: bool) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE users SET password_hash = $2, updated_at = now(),
               password_temporary_until = CASE WHEN $3 THEN now() + interval '7 days' END
           WHERE id = $1"#,
        id.0,
        hash,
        temporary
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The same password hashed anew; `false` when it was changed meanwhile.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn replace_password_hash(pool: &PgPool, id: UserId, old: &str, new: &str) -> DbResult<bool> {
    let replace =
        sqlx::query!("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", id.0, old, new);
    Ok(replace.execute(pool).await?.rows_affected() == 1)
}

/// Deletes an account; its server and sessions go with it, its key is remembered as retired.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete(connection: &mut PgConnection, id: UserId) -> DbResult<()> {
    sqlx::query!("DELETE FROM users WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// The order of the users list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Username,
    UsernameDescending,
    CreatedAt,
    CreatedAtDescending,
}

impl Sort {
    fn is_descending(self) -> bool {
        matches!(self, Self::UsernameDescending | Self::CreatedAtDescending)
    }
}

/// Which accounts to list; `None` is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A part of the username, display name or server name.
    pub search: Option<String>,
    pub role: Option<Role>,
    pub license_status: Option<LicenseStatus>,
    pub server_status: Option<ServerStatus>,
}

/// Where a page begins: after this key, in the list's order.
#[derive(Debug, Clone)]
pub enum Cursor {
    Username(String),
    CreatedAt(DateTime<Utc>, Uuid),
}

/// An account with its server, as the users list shows it.
#[derive(Debug, Clone)]
pub struct UserWithServer {
    pub user: UserRow,
    pub server: Option<ServerRow>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    sort: Sort,
    after: Option<&Cursor>,
    limit: u32,
    heartbeat_interval: PgInterval,
) -> DbResult<Page<UserWithServer, Cursor>> {
    let by_accounts_alone = filter.license_status.is_none() && filter.server_status.is_none();
    let candidates = match filter.search {
        None => crate::candidates::few(pool, filter.server_status, heartbeat_interval).await?,
        Some(_) => None,
    };
    let page = async |searched: Option<(&str, Matches)>| {
        let mut query = page_query(filter, searched, candidates.clone(), sort, after, limit, heartbeat_interval);
        // Planned for these very values: how many rows a filter leaves depends on them.
        let rows = query.build().persistent(false).fetch_all(pool).await?;
        let rows = rows.iter().map(user_with_server).collect::<Result<Vec<_>, _>>()?;
        DbResult::Ok(Page::from_rows(rows, limit, |row| match sort {
            Sort::Username | Sort::UsernameDescending => Cursor::Username(row.user.username.clone()),
            Sort::CreatedAt | Sort::CreatedAtDescending => Cursor::CreatedAt(row.user.created_at, row.user.id),
        }))
    };
    let Some(search) = filter.search.as_deref() else { return page(None).await };
    if by_accounts_alone {
        let near = page(Some((search, Matches::Near))).await?;
        if near.next.is_some() {
            return Ok(near);
        }
    }
    let matches = crate::search::owners(pool, search).await?.map_or(Matches::Anywhere, Matches::Among);
    page(Some((search, matches))).await
}

/// Where a search text is looked for.
enum Matches {
    /// In the next accounts of the list: what very many match has its page there.
    Near,
    /// In these accounts: no others match.
    Among(Vec<Uuid>),
    /// In one account after the other.
    Anywhere,
}

/// How many accounts [`Matches::Near`] looks at.
const NEAR: u32 = 1_000;

fn page_query(
    filter: &Filter,
    searched: Option<(&str, Matches)>,
    candidates: Option<Vec<Uuid>>,
    sort: Sort,
    after: Option<&Cursor>,
    limit: u32,
    heartbeat_interval: PgInterval,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT u.id AS u_id, u.username AS u_username, u.display_name AS u_display_name, u.login_slug AS u_login_slug, \
         u.role AS u_role, u.created_at AS u_created_at, u.password_temporary_until, {SERVER_COLUMNS}, {CHECK_COLUMN}, "
    ));
    crate::servers::push_status(&mut query, heartbeat_interval);
    // The page is known before all that it shows is looked up.
    query.push(" FROM (SELECT u.* FROM ");
    if matches!(searched, Some((_, Matches::Near))) {
        query.push("(SELECT u.* FROM users u WHERE true");
        push_after(&mut query, sort, after);
        push_order(&mut query, sort);
        query.push(" LIMIT ").push_bind(i64::from(NEAR)).push(") u");
    } else {
        query.push("users u");
    }
    if filter.server_status.is_some_and(|status| status != ServerStatus::NotInstalled) {
        query.push(" JOIN server_states o ON o.owner_id = u.id");
    } else if filter.license_status.is_some() || filter.server_status.is_some() {
        query.push(" JOIN servers o ON o.owner_id = u.id");
    }
    query.push(" WHERE true");
    if let Some((text, matches)) = searched {
        push_search(&mut query, text, matches);
    }
    if let Some(role) = filter.role {
        query.push(" AND u.role = ").push_bind(role.as_str());
    }
    crate::servers::push_filter(
        &mut query,
        filter.license_status,
        filter.server_status,
        heartbeat_interval,
        candidates,
    );
    push_after(&mut query, sort, after);
    push_order(&mut query, sort);
    query.push(" LIMIT ").push_bind(fetch_count(limit));
    query.push(") u LEFT JOIN server_overview o ON o.owner_id = u.id");
    push_order(&mut query, sort);
    query
}

fn push_search(query: &mut QueryBuilder<Postgres>, search: &str, matches: Matches) {
    if let Matches::Among(owners) = matches {
        query.push(" AND u.id = ANY (").push_bind(owners).push(")");
        return;
    }
    let pattern = contains_pattern(search);
    query.push(" AND (u.search LIKE lower(").push_bind(pattern.clone());
    query.push(") OR EXISTS (SELECT FROM servers f WHERE f.owner_id = u.id AND f.search LIKE lower(");
    // OFFSET 0: looked up for each account, instead of all matches being collected first.
    query.push_bind(pattern).push(") OFFSET 0))");
}

fn push_after(query: &mut QueryBuilder<Postgres>, sort: Sort, after: Option<&Cursor>) {
    let comparison = if sort.is_descending() { "<" } else { ">" };
    match after {
        Some(Cursor::Username(name)) => {
            query.push(format!(" AND u.username {comparison} ")).push_bind(name.clone());
        }
        Some(Cursor::CreatedAt(time, id)) => {
            query.push(format!(" AND (u.created_at, u.id) {comparison} (")).push_bind(*time);
            query.push(", ").push_bind(*id).push(")");
        }
        None => {}
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, sort: Sort) {
    query.push(match sort {
        Sort::Username => " ORDER BY u.username",
        Sort::UsernameDescending => " ORDER BY u.username DESC",
        Sort::CreatedAt => " ORDER BY u.created_at, u.id",
        Sort::CreatedAtDescending => " ORDER BY u.created_at DESC, u.id DESC",
    });
}

fn user_with_server(row: &sqlx::postgres::PgRow) -> Result<UserWithServer, sqlx::Error> {
    let user = UserRow {
        id: row.try_get("u_id")?,
        username: row.try_get("u_username")?,
        display_name: row.try_get("u_display_name")?,
        login_slug: row.try_get("u_login_slug")?,
        role: row.try_get("u_role")?,
        created_at: row.try_get("u_created_at")?,
        password_temporary_until: row.try_get("password_temporary_until")?,
    };
    let has_server: Option<Uuid> = row.try_get("id")?;
    let server = has_server.map(|_| ServerRow::from_row(row)).transpose()?;
    Ok(UserWithServer { user, server })
}
