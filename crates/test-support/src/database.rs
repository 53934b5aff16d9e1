//! Looking at, and holding up, the database behind a dashboard.

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// How long something may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The URL of a test's own database, for programs.
#[must_use]
pub fn database_url(db: &PgPool) -> String {
    db.connect_options().to_url_lossy().to_string()
}

/// Every row of every table, as text: where a secret in clear would show.
pub async fn dump(db: &PgPool) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .fetch_all(db)
            .await
            .expect("the tables");
    let mut text = String::new();
    for table in tables {
        for row in rows_matching(db, &table, "true").await {
            text.push_str(&table);
            text.push(' ');
            text.push_str(&row.to_string());
            text.push('\n');
        }
    }
    text
}

/// The rows of a table that a condition selects, as JSON, in an order that does not change.
pub async fn rows_matching(db: &PgPool, table: &str, condition: &str) -> Vec<Value> {
    let query = format!("SELECT to_jsonb(t) FROM {table} t WHERE {condition} ORDER BY to_jsonb(t)::text");
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(db).await.expect("rows")
}

/// Waits until a query answers `true`.
pub async fn wait_until(db: &PgPool, condition: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let holds: bool =
            sqlx::query_scalar(AssertSqlSafe(condition.to_owned())).fetch_one(db).await.expect("an answer");
        if holds {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "never came true: {condition}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A row of the audit log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Audited {
    pub id: i64,
    pub action: String,
    pub outcome: String,
    pub target: Option<Uuid>,
    pub target_type: Option<String>,
    pub target_name: Option<String>,
    pub user_id: Option<Uuid>,
    pub username: String,
    pub metadata: Value,
    pub ip: Option<String>,
}

/// What the audit log says of an action, oldest first.
pub async fn audited(db: &PgPool, action: &str) -> Vec<Audited> {
    sqlx::query_as(
        "SELECT id, action, outcome, target, target_type, target_name, user_id, username, metadata, host(ip) AS ip \
         FROM audit_log WHERE action = $1 ORDER BY id",
    )
    .bind(action)
    .fetch_all(db)
    .await
    .expect("audit rows")
}

/// The first row of the audit log that does not follow from its predecessor, or `None` when the chain holds up to its
/// head: in SQL, apart from the dashboard's own verification.
///
/// # Errors
/// What the database says.
pub async fn first_broken(db: &PgPool) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT min(id) FROM ( \
             SELECT a.id FROM audit_log a LEFT JOIN audit_log p ON p.id = a.id - 1 \
             WHERE a.hash <> audit_row_hash(a.prev_hash, a) OR a.prev_hash <> COALESCE(p.hash, decode(repeat('00', 32), 'hex')) \
                OR (p.id IS NULL AND a.id <> 1) OR a.id > (SELECT id FROM audit_head) \
             UNION ALL \
             SELECT h.id FROM audit_head h LEFT JOIN audit_log a ON a.id = h.id \
             WHERE h.id > 0 AND a.hash IS DISTINCT FROM h.hash) broken",
    )
    .fetch_one(db)
    .await
}

/// Holds locks in a transaction of its own, until it is let go.
pub struct Blocker {
    connection: PgConnection,
}

impl Blocker {
    /// Runs a statement that takes locks, such as `LOCK TABLE users IN SHARE MODE`.
    pub async fn hold(db: &PgPool, statement: &str) -> Self {
        let mut connection = db.connect_options().connect().await.expect("a connection");
        let script = format!("BEGIN; {statement}");
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.expect("the locks");
        Self { connection }
    }

    /// Waits until a backend whose query begins like this waits for a lock.
    pub async fn wait_for(&mut self, query: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock' AND query ILIKE $1 || '%')",
            )
            .bind(query)
            .fetch_one(&mut self.connection)
            .await
            .expect("an answer");
            if waits {
                return;
            }
            // Inside a transaction the activity is a snapshot.
            sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut self.connection).await.expect("cleared");
            assert!(tokio::time::Instant::now() < deadline, "nobody waits in {query}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Its connection, within its transaction.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub async fn release(mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.connection).await.expect("rolled back");
        self.connection.close().await.expect("closed");
    }
}
