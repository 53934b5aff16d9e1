//! The customers: rows in the dashboard's database, and a gateway for each.

use crate::wire::Answer;
use proxima_signing::{Expected, verify};
use proxima_types::heartbeat::{Counters, HEARTBEAT_PATH, HeartbeatRequest, HostFacts, NONCE_HEADER, Phase};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{ConfigGeneration, InstallId, KeyDigest, LicenseKey, ServerId};
use sqlx::PgPool;
use std::io::Write as _;
use uuid::Uuid;

/// One gateway, reduced to its heartbeats.
pub struct Gateway {
    server_id: ServerId,
    digest: KeyDigest,
    /// Everything up to the nonce.
    head: String,
    report: HeartbeatRequest,
    nonce: String,
    /// What a correct dashboard answers to it.
    pub expected_status: u16,
}

/// Makes `count` servers with a delivered configuration (generation 1) in the database, and their gateways.
///
/// # Errors
/// When the database refuses them.
pub async fn provision(db: &PgPool, host: &str, count: usize) -> anyhow::Result<Vec<Gateway>> {
    let ids: Vec<Uuid> = (0..count).map(|_| random_uuid()).collect::<Result<_, _>>()?;
    let keys: Vec<LicenseKey> =
        (0..count).map(|_| random().map(LicenseKey::from_random_bytes)).collect::<Result<_, _>>()?;
    let names: Vec<String> = (0..count).map(|number| format!("customer{number}")).collect();
    let mut tx = db.begin().await?;
    sqlx::raw_sql("ALTER TABLE servers DISABLE TRIGGER USER").execute(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO users (id, username, password_hash, role)
         SELECT id, name, 'no password', 'CUSTOMER' FROM UNNEST($1::uuid[], $2::text[]) AS b(id, name)",
    )
    .bind(&ids)
    .bind(&names)
    .execute(&mut *tx)
    .await?;
    // The ciphertexts are never opened here: a heartbeat needs the digest only.
    sqlx::query(
        "INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4,
                              api_secret_ciphertext, config_generation)
         SELECT id, id, name, digest, decode(repeat('00', 91), 'hex'), 'xxxx', decode(repeat('00', 91), 'hex'), 1
         FROM UNNEST($1::uuid[], $2::text[], $3::bytea[]) AS b(id, name, digest)",
    )
    .bind(&ids)
    .bind(&names)
    .bind(keys.iter().map(|key| key.digest().as_bytes().to_vec()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    sqlx::raw_sql(
        "INSERT INTO servers_without_install SELECT id FROM servers; ALTER TABLE servers ENABLE TRIGGER USER",
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    sqlx::raw_sql("VACUUM (ANALYZE) users, servers").execute(db).await?;
    ids.into_iter().zip(keys).map(|(id, key)| Gateway::new(ServerId(id), &key, host)).collect()
}

/// Puts the licenses into four equal parts: ACTIVE, GRACE, EXPIRED (the passing already audited), and key retired.
///
/// # Errors
/// When the database refuses it.
pub async fn mix_states(db: &PgPool, gateways: &mut [Gateway]) -> anyhow::Result<()> {
    let part = |remainder: usize| -> Vec<Uuid> {
        gateways.iter().enumerate().filter(|(at, _)| at % 4 == remainder).map(|(_, one)| one.server_id.0).collect()
    };
    for (remainder, change) in [
        (1, "license_status = 'GRACE', grace_expires_at = now() + interval '10 days'"),
        (2, "license_status = 'GRACE', grace_expires_at = now() - interval '1 day', expiry_observed_at = now()"),
        (3, "api_key_digest = sha256(api_key_digest)"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE servers SET {change} WHERE id = ANY ($1)")))
            .bind(part(remainder))
            .execute(db)
            .await?;
    }
    sqlx::raw_sql("VACUUM (ANALYZE) servers, retired_keys").execute(db).await?;
    for gateway in gateways.iter_mut().skip(3).step_by(4) {
        gateway.expected_status = 401;
    }
    Ok(())
}

impl Gateway {
    fn new(server_id: ServerId, key: &LicenseKey, host: &str) -> anyhow::Result<Self> {
        let head = format!(
            "POST {HEARTBEAT_PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{NONCE_HEADER}: ",
            key.expose()
        );
        let report = HeartbeatRequest {
            trusted_keys: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            install_id: InstallId(random_uuid()?),
            boot_id: random_uuid()?,
            sequence: 0,
            phase: Phase::Serving,
            uptime_seconds: 0,
            applied_config: Some(ConfigGeneration { incarnation: 1, number: 1 }),
            rejected_config: None,
            host: HostFacts {
                os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
                architecture: "x86_64".to_owned(),
                hostname: format!("vps-{}", &server_id.to_string()[..8]),
            },
            counters: Counters::default(),
        };
        let nonce = String::new();
        Ok(Self { server_id, digest: key.digest(), head, report, nonce, expected_status: 200 })
    }

    /// Writes its next heartbeat, as a whole request, into `request`. `unique` must never repeat.
    ///
    /// # Errors
    /// Never in practice: it writes into memory.
    pub fn next_request(&mut self, unique: u64, request: &mut Vec<u8>, body: &mut Vec<u8>) -> anyhow::Result<()> {
        let report = &mut self.report;
        report.sequence += 1;
        report.uptime_seconds += 60;
        report.counters.requests += 1234;
        report.counters.bytes_out += 5_678_901;
        report.counters.bytes_in += 234_567;
        self.nonce = format!("bench{:08x}{unique:019}", std::process::id());
        body.clear();
        serde_json::to_writer(&mut *body, report)?;
        request.clear();
        write!(request, "{}{}\r\ncontent-length: {}\r\n\r\n", self.head, self.nonce, body.len())?;
        request.extend_from_slice(body);
        Ok(())
    }

    /// Whether the answer to the last request is signed for exactly that request.
    #[must_use]
    pub fn is_authentic(&self, answer: &Answer<'_>, key: DashboardPublicKey) -> bool {
        let expected = Expected { nonce: &self.nonce, key_digest: self.digest, server_id: self.server_id };
        answer.headers().is_ok_and(|headers| verify(&[key], expected, answer.status, &headers, answer.body).is_ok())
    }
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

pub(crate) fn random_uuid() -> anyhow::Result<Uuid> {
    Ok(uuid::Builder::from_random_bytes(random()?).into_uuid())
}
