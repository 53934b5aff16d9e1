//! What a person sees as a server's status (product.md section 4). Liveness and license are
//! separate facts; this is where they meet.

use crate::license::LicenseStatus;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerStatus {
    /// No gateway heartbeats with this server's license: none ever did, or it was uninstalled.
    NotInstalled,
    /// A job of kind INSTALL is queued or runs.
    Installing,
    /// Serving, and heard within three heartbeats.
    Online,
    /// Three heartbeats missed, or up with its ports still closed.
    Offline,
    /// *Stopped by license*: the license is EXPIRED.
    StoppedByLicense,
    /// *Stopped: key retired*: its gateway has only a key that no longer counts, and stops itself until it is installed again.
    KeyRetired,
}

/// How many missed heartbeats make a server offline.
pub const MISSED_HEARTBEATS: i32 = 3;

impl ServerStatus {
    /// `last_heartbeat_at` and `serving` speak of the newest heartbeat; `interval` is the time
    /// between two; `installing` says that an install is queued or runs, which comes before all else; `key_retired`
    /// that the gateway has not been heard of since it was left without a key that counts.
    #[must_use]
    pub fn derive(
        license: LicenseStatus,
        last_heartbeat_at: Option<DateTime<Utc>>,
        serving: bool,
        installing: bool,
        key_retired: bool,
        interval: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        if installing {
            return Self::Installing;
        }
        let Some(last) = last_heartbeat_at else { return Self::NotInstalled };
        if license == LicenseStatus::Expired {
            Self::StoppedByLicense
        } else if key_retired {
            Self::KeyRetired
        } else if serving && now - last <= interval * MISSED_HEARTBEATS {
            Self::Online
        } else {
            Self::Offline
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInstalled => "NOT_INSTALLED",
            Self::Installing => "INSTALLING",
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
            Self::StoppedByLicense => "STOPPED_BY_LICENSE",
            Self::KeyRetired => "KEY_RETIRED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_a_server() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let minute = Duration::seconds(60);
        let state = |license, age: Option<i64>, serving, installing, retired| {
            let last = age.map(|age| now - Duration::seconds(age));
            ServerStatus::derive(license, last, serving, installing, retired, minute, now)
        };
        let derive = |license, age, serving| state(license, age, serving, false, false);
        for age in [None, Some(1), Some(181)] {
            assert_eq!(state(LicenseStatus::Expired, age, true, true, true), ServerStatus::Installing);
        }
        assert_eq!(derive(LicenseStatus::Active, None, false), ServerStatus::NotInstalled);
        assert_eq!(derive(LicenseStatus::Expired, None, false), ServerStatus::NotInstalled);
        assert_eq!(derive(LicenseStatus::Active, Some(180), true), ServerStatus::Online);
        assert_eq!(derive(LicenseStatus::Grace, Some(1), true), ServerStatus::Online);
        assert_eq!(derive(LicenseStatus::Active, Some(181), true), ServerStatus::Offline);
        assert_eq!(derive(LicenseStatus::Active, Some(1), false), ServerStatus::Offline);
        assert_eq!(derive(LicenseStatus::Expired, Some(1), true), ServerStatus::StoppedByLicense);
        for age in [1, 181] {
            assert_eq!(state(LicenseStatus::Active, Some(age), true, false, true), ServerStatus::KeyRetired);
            assert_eq!(state(LicenseStatus::Expired, Some(age), true, false, true), ServerStatus::StoppedByLicense);
        }
        assert_eq!(state(LicenseStatus::Active, None, false, false, true), ServerStatus::NotInstalled);
    }
}
