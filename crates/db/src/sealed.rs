//! Everything that is stored sealed, in ONE list: what re-sealing walks through. A test compares it with the schema.
//!
//! Table and column names come from this list alone, never from outside: hence SQL made of strings.

use crate::{DbResult, PgConnection};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// A column that holds sealed texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    pub table: &'static str,
    /// The uuid that names the row, in the table and in what is sealed: a column, or for a table of one row
    /// `'00000000-0000-0000-0000-000000000000'::uuid`.
    pub row: &'static str,
    pub column: &'static str,
    /// The column that is bound into what is sealed (the table is bound too).
    pub sealed_for: &'static str,
}

const fn column(
    table: &'static str,
    row: &'static str,
    column: &'static str,
    sealed_for: &'static str,
) -> SealedColumn {
    SealedColumn { table, row, column, sealed_for }
}

/// Every sealed column but the master keys' own canaries.
pub const COLUMNS: &[SealedColumn] = &[
    column("servers", "id", "api_key_ciphertext", "api_key"),
    column("servers", "id", "api_secret_ciphertext", "api_secret"),
    // It becomes the present key when its rotation ends.
    column("servers", "id", "next_key_ciphertext", "api_key"),
    column("connections", "server_id", "credential_ciphertext", "credential"),
    column("connections", "server_id", "sudo_ciphertext", "sudo"),
    column("jobs", "id", "api_secret_ciphertext", "api_secret"),
    column("acme_accounts", "id", "credentials_ciphertext", "credentials"),
    column("acme_certificates", "id", "key_ciphertext", "key"),
    column("totp_factors", "user_id", "secret_ciphertext", "secret"),
    column("totp_enrollments", "user_id", "secret_ciphertext", "secret"),
    column("notification_endpoints", "id", "secret_ciphertext", "secret"),
    column("notification_endpoints", "id", "previous_secret_ciphertext", "previous_secret"),
    column(
        "notification_settings",
        "'00000000-0000-0000-0000-000000000000'::uuid",
        "smtp_password_ciphertext",
        "smtp_password",
    ),
];

impl SealedColumn {
    /// At most `limit` rows behind `after`, in their order, whose content is not sealed with master key `key`.
    ///
    /// # Errors
    /// See [`crate::DbError`].
    pub async fn page_not_of(
        &self,
        connection: &mut PgConnection,
        key: i32,
        after: Option<Uuid>,
        limit: i64,
    ) -> DbResult<Vec<(Uuid, Vec<u8>)>> {
        let Self { table, row, column, .. } = self;
        let query = format!(
            "SELECT {row}, {column} FROM {table} WHERE ($1 IS NULL OR {row} > $1) AND {column} IS NOT NULL \
             AND sealing_key_of({column}) IS DISTINCT FROM $2 ORDER BY {row} LIMIT $3"
        );
        let rows = sqlx::query_as(AssertSqlSafe(query)).bind(after).bind(i64::from(key)).bind(limit);
        Ok(rows.fetch_all(connection).await?)
    }

    /// Replaces `old` by `new`, unless somebody has replaced it meanwhile.
    ///
    /// # Errors
    /// See [`crate::DbError`].
    pub async fn replace(&self, connection: &mut PgConnection, id: Uuid, old: &[u8], new: &[u8]) -> DbResult<bool> {
        let Self { table, row, column, .. } = self;
        let query = format!("UPDATE {table} SET {column} = $3 WHERE {row} = $1 AND {column} = $2");
        let done = sqlx::query(AssertSqlSafe(query)).bind(id).bind(old).bind(new).execute(connection).await?;
        Ok(done.rows_affected() > 0)
    }

    /// How many rows are sealed with each master key.
    ///
    /// # Errors
    /// See [`crate::DbError`].
    pub async fn count_by_key(&self, connection: &mut PgConnection) -> DbResult<Vec<(i64, i64)>> {
        let Self { table, column, .. } = self;
        let query = format!(
            "SELECT sealing_key_of({column}), count(*) FROM {table} WHERE sealing_key_of({column}) IS NOT NULL \
             GROUP BY 1 ORDER BY 1"
        );
        Ok(sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await?)
    }

    /// Some row's content, to try a key on.
    ///
    /// # Errors
    /// See [`crate::DbError`].
    pub async fn sample(&self, connection: &mut PgConnection) -> DbResult<Option<(Uuid, Vec<u8>)>> {
        let Self { table, row, column, .. } = self;
        let query = format!("SELECT {row}, {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 1");
        Ok(sqlx::query_as(AssertSqlSafe(query)).fetch_optional(connection).await?)
    }
}

/// How many secrets are sealed with each master key, in all columns.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn count_by_key(connection: &mut PgConnection) -> DbResult<std::collections::BTreeMap<i64, i64>> {
    let mut counts = std::collections::BTreeMap::new();
    for column in COLUMNS {
        for (key, count) in column.count_by_key(connection).await? {
            *counts.entry(key).or_default() += count;
        }
    }
    Ok(counts)
}

/// Every `bytea` column of the schema: (table, column).
///
/// # Errors
/// See [`crate::DbError`].
pub async fn binary_columns(connection: &mut PgConnection) -> DbResult<Vec<(String, String)>> {
    let query = "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c \
                 JOIN information_schema.tables t USING (table_schema, table_name) \
                 WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type = 'bytea' \
                 AND c.table_name <> '_sqlx_migrations' ORDER BY 1, 2";
    Ok(sqlx::query_as(query).fetch_all(connection).await?)
}
