//! Many customers and a long audit log, as rows: what the pages of people are measured with.

use sqlx::PgPool;

/// Of the admin that [`customers`] makes.
pub const CREDENTIALS: &str = r#"{"username":"admin0","password":"measure the pages 2026"}"#;
/// bcrypt of that password, cost 4.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuqu/6RNUex4.3.IlHwO3sl705qPqOCB6";

/// Eight admins, and so many customers with servers, of which 97.5 % have a gateway: 2 % are offline, 1 % in grace, 1 %
/// expired. Their names are in no order.
///
/// # Errors
/// When the database refuses it.
pub async fn customers(db: &PgPool, count: u32) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    // The ciphertexts are never opened here.
    sqlx::raw_sql("ALTER TABLE servers DISABLE TRIGGER USER").execute(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO users (id, username, password_hash, role)
         SELECT gen_random_uuid(), 'admin' || n, $1, 'ADMIN' FROM generate_series(0, 7) n",
    )
    .bind(HASH)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "CREATE TEMPORARY TABLE crowd ON COMMIT DROP AS
         SELECT gen_random_uuid() AS owner, gen_random_uuid() AS server, n,
                (ARRAY['anna','bela','carl','dora','emil','fritz','greta','hanna','ivan','jana'])
                    [1 + (hashint4(n) & 2147483647) % 10] || '.' ||
                (ARRAY['shop','media','cloud','host','data','web','soft','trade','bank','print'])
                    [1 + (hashint4(n + 7) & 2147483647) % 10] || n AS name
         FROM generate_series(1, $1) n ORDER BY hashint4(n * 3)",
    )
    .bind(i32::try_from(count)?)
    .execute(&mut *tx)
    .await?;
    sqlx::raw_sql(
        "INSERT INTO users (id, username, password_hash, display_name, role, created_at)
         SELECT owner, name, 'no password', initcap(regexp_replace(name, '[.]|(?<=[a-z])(?=[0-9])', ' ', 'g')), 'CUSTOMER',
                clock_timestamp() - n * interval '1 minute' FROM crowd;
         INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4,
                              api_secret_ciphertext, config_generation, license_status, grace_expires_at)
         SELECT server, owner, 'edge-' || name, sha256(owner::text::bytea), decode(repeat('00', 91), 'hex'), 'xxxx',
                decode(repeat('00', 91), 'hex'), 1, CASE WHEN n % 100 < 2 THEN 'GRACE' ELSE 'ACTIVE' END,
                CASE n % 100 WHEN 0 THEN now() + interval '10 days' WHEN 1 THEN now() - interval '1 day' END
         FROM crowd;
         UPDATE servers SET expiry_observed_at = now() WHERE grace_expires_at < now();
         INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os,
                                       architecture, hostname, counters, first_seen_at, last_heartbeat_at)
         SELECT server, gen_random_uuid(), gen_random_uuid(), 1, 'serving', '1.0.0', 60, 'Debian GNU/Linux 12 (bookworm)',
                'x86_64', 'vps-' || n, '{\"requests\":1,\"bytesIn\":1,\"bytesOut\":1}', now(),
                CASE WHEN n % 50 = 3 THEN now() - interval '1 hour' ELSE now() + interval '1 hour' END
         FROM crowd WHERE n % 40 <> 5;
         INSERT INTO servers_without_install SELECT server FROM crowd WHERE n % 40 = 5;
         ALTER TABLE servers ENABLE TRIGGER USER",
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    sqlx::raw_sql("VACUUM (ANALYZE) users, servers, gateway_installs, servers_without_install").execute(db).await?;
    Ok(())
}

/// All but one in a thousand customers' gateways are heard again.
///
/// # Errors
/// When the database refuses it.
pub async fn return_of_most(db: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql(
        "UPDATE gateway_installs SET last_heartbeat_at = now() + interval '1 hour'
         WHERE last_heartbeat_at < now() AND hostname NOT LIKE 'vps-%003'",
    )
    .execute(db)
    .await?;
    sqlx::raw_sql("VACUUM (ANALYZE) gateway_installs").execute(db).await?;
    Ok(())
}

/// So many rows of the audit log, one every three seconds up to now, about these customers. Their hashes are no chain:
/// pages do not look at it.
///
/// # Errors
/// When the database refuses it.
pub async fn audit_rows(db: &PgPool, count: u32) -> anyhow::Result<()> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'audit_log' AND indexname <> 'audit_log_pkey'",
    )
    .fetch_all(db)
    .await?;
    let mut tx = db.begin().await?;
    let head: i64 = sqlx::query_scalar("SELECT id FROM audit_head FOR UPDATE").fetch_one(&mut *tx).await?;
    // As a whole at the end: sooner done.
    sqlx::raw_sql("ALTER TABLE audit_log DISABLE TRIGGER USER; SET LOCAL maintenance_work_mem = '512MB'")
        .execute(&mut *tx)
        .await?;
    for (name, _) in &indexes {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP INDEX {name}"))).execute(&mut *tx).await?;
    }
    sqlx::query(
        "CREATE TEMPORARY TABLE targets ON COMMIT DROP AS
         SELECT row_number() OVER () AS number, id, name FROM servers",
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO audit_log (id, time, action, outcome, target, target_type, target_name, user_id, username, metadata,
                                ip, prev_hash, hash)
         SELECT $1 + n, clock_timestamp() - ($2 - n) * interval '3 seconds',
                (ARRAY['session.create','session.create','session.create','server.license.reveal','server.config.update',
                       'server.license.rotate','job.request','job.end','server.license.revoke','user.create'])
                    [1 + (hashint8(n) & 2147483647) % 10],
                CASE WHEN (hashint8(n + 1) & 2147483647) % 50 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END,
                t.id, 'server', t.name, NULL,
                CASE WHEN n % 3 = 0 THEN 'system' ELSE 'admin' || (hashint8(n + 2) & 2147483647) % 8 END, '{\"note\":\"measured\"}',
                '192.0.2.1', sha256(n::text::bytea), sha256((n + 1)::text::bytea)
         FROM generate_series(1, $2) n
         JOIN targets t ON t.number = 1 + (hashint8(n + 3) & 2147483647) % (SELECT count(*) FROM targets)",
    )
    .bind(head)
    .bind(i64::from(count))
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE audit_head SET (id, hash) = (SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1)")
        .execute(&mut *tx)
        .await?;
    sqlx::raw_sql(
        "INSERT INTO audit_names SELECT name, lower(name) FROM targets ON CONFLICT DO NOTHING;
         ALTER TABLE audit_log ENABLE TRIGGER USER",
    )
    .execute(&mut *tx)
    .await?;
    for (_, definition) in indexes {
        sqlx::raw_sql(sqlx::AssertSqlSafe(definition)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    sqlx::raw_sql("VACUUM (ANALYZE) audit_log, audit_names").execute(db).await?;
    Ok(())
}
