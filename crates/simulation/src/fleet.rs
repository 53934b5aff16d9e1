//! The database as a few rows: what it finds for a presented key, and, apart from that, what the contract says.

use chrono::{DateTime, Utc};
use proxima_db::heartbeats::{Finding, Licensed, NextKey};
use proxima_types::{KeyDigest, License, LicenseKey, LicenseStatus, ServerId};

/// What a GRACE outlives its end by when the dashboard is silent (product.md section 4), in milliseconds.
const MARGIN: i64 = 24 * 3600 * 1000;
const DAY: u64 = 24 * 3600 * 1000;

/// What an authentic answer says, by the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// ACTIVE or GRACE; carries a silent gateway for so many milliseconds, `None` for ever.
    Serve {
        limit: Option<u64>,
    },
    Expired,
    Retired,
    Unknown,
    NoVerdict,
}

#[derive(Debug, Clone)]
pub struct Next {
    pub key: LicenseKey,
    pub sealed: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub limit_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub id: ServerId,
    pub stored: LicenseStatus,
    pub grace_end: Option<DateTime<Utc>>,
    pub present: LicenseKey,
    pub next: Option<Next>,
}

#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub servers: Vec<Option<Row>>,
    pub retired: Vec<(KeyDigest, ServerId, &'static str)>,
    pub offline_limit_days: Option<u32>,
}

impl Rows {
    fn holder(&self, digest: KeyDigest) -> Option<(&Row, bool)> {
        self.servers.iter().flatten().find_map(|row| {
            let is_next = row.next.as_ref().is_some_and(|next| next.key.digest() == digest);
            (is_next || row.present.digest() == digest).then_some((row, is_next))
        })
    }

    fn tombstone(&self, digest: KeyDigest) -> Option<(ServerId, &'static str)> {
        self.retired.iter().find(|(retired, ..)| *retired == digest).map(|(_, server, reason)| (*server, *reason))
    }

    /// As the dashboard's query does.
    #[must_use]
    pub fn find(&self, digest: KeyDigest, now: DateTime<Utc>) -> Finding {
        let retired =
            |server_id, reason: &str, overdue| Finding::Retired { server_id, reason: reason.to_owned(), overdue };
        if let Some((server, reason)) = self.tombstone(digest) {
            return retired(server, reason, false);
        }
        let Some((row, is_next)) = self.holder(digest) else { return Finding::Unknown };
        let next = row.next.as_ref().filter(|_| !is_next);
        if next.is_some_and(|next| next.limit_at <= now) {
            return retired(row.id, "ROTATED", true);
        }
        Finding::Licensed(Box::new(Licensed {
            server_id: row.id,
            license: License { stored: row.stored, grace_expires_at: row.grace_end },
            expiry_observed: true,
            config: None,
            next_key: next
                .map(|next| NextKey { ciphertext: next.sealed.clone(), rotation_started_at: next.started_at }),
            first_use: is_next,
        }))
    }

    /// What must be answered to this key at `now`.
    #[must_use]
    pub fn contract(&self, digest: KeyDigest, now: DateTime<Utc>) -> Said {
        if self.tombstone(digest).is_some() {
            return Said::Retired;
        }
        let Some((row, is_next)) = self.holder(digest) else { return Said::Unknown };
        let overdue = row.next.as_ref().is_some_and(|next| next.limit_at <= now);
        if overdue && !is_next {
            return Said::Retired;
        }
        let offline = self.offline_limit_days.map(|days| u64::from(days) * DAY);
        match (row.stored, row.grace_end) {
            (LicenseStatus::Active, _) => Said::Serve { limit: offline },
            (LicenseStatus::Grace, Some(end)) if end > now => {
                let left = u64::try_from((end - now).num_milliseconds() + MARGIN).unwrap_or_default();
                Said::Serve { limit: Some(offline.map_or(left, |offline| offline.min(left))) }
            }
            _ => Said::Expired,
        }
    }

    pub fn retire(&mut self, digest: KeyDigest, server: ServerId, reason: &'static str) {
        self.retired.push((digest, server, reason));
    }

    /// Ends a rotation whose next key is in use, or whose limit has passed.
    pub fn finish_rotation(&mut self, digest: KeyDigest, now: DateTime<Utc>) {
        let Some(row) = self.servers.iter_mut().flatten().find(|row| {
            row.next.as_ref().is_some_and(|next| next.key.digest() == digest || next.limit_at <= now)
                && (row.present.digest() == digest || row.next.as_ref().is_some_and(|next| next.key.digest() == digest))
        }) else {
            return;
        };
        if let Some(next) = row.next.take() {
            let old = std::mem::replace(&mut row.present, next.key);
            let id = row.id;
            self.retire(old.digest(), id, "ROTATED");
        }
    }
}
