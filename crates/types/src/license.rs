//! The license rules of product.md section 3, as pure functions of what the database holds and of
//! the database's clock. Everybody who needs a status derives it here or in the SQL function
//! `license_status_at`, which a test keeps equal to [`License::status_at`].

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// The grace given by Revoke when the admin chooses none: 5 days.
pub const DEFAULT_GRACE: Duration = Duration::days(5);
/// The longest grace that can be chosen: 366 days.
pub const MAX_GRACE: Duration = Duration::days(366);

/// Whether a gateway may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LicenseStatus {
    Active,
    /// Serves until `graceExpiresAt`.
    Grace,
    Expired,
}

impl LicenseStatus {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Grace => "GRACE",
            Self::Expired => "EXPIRED",
        }
    }
}

impl std::fmt::Display for LicenseStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for LicenseStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "GRACE" => Ok(Self::Grace),
            "EXPIRED" => Ok(Self::Expired),
            _ => Err(()),
        }
    }
}

/// A server's license as the row holds it: EXPIRED is derived, never written by us (a hand-set
/// one is honoured).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct License {
    pub stored: LicenseStatus,
    pub grace_expires_at: Option<DateTime<Utc>>,
}

/// A license action that the present state does not allow. Carries that state, for the 409.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the license is {present}")]
pub struct WrongState {
    pub present: LicenseStatus,
}

impl License {
    pub const ACTIVE: Self = Self { stored: LicenseStatus::Active, grace_expires_at: None };

    /// A GRACE row past its date IS expired, at that instant, whoever wrote the date. A GRACE row
    /// without a date (the database's CHECK forbids it) is taken as expired: fail closed, visibly.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> LicenseStatus {
        match (self.stored, self.grace_expires_at) {
            (LicenseStatus::Grace, Some(end)) if now < end => LicenseStatus::Grace,
            (LicenseStatus::Grace, _) => LicenseStatus::Expired,
            (stored, _) => stored,
        }
    }

    /// `graceExpiresAt` as readers see it: only while the status is GRACE.
    #[must_use]
    pub fn visible_grace_end(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.grace_expires_at.filter(|_| self.status_at(now) == LicenseStatus::Grace)
    }

    /// ACTIVE → GRACE until `now + grace`.
    ///
    /// # Errors
    /// [`WrongState`] from GRACE or EXPIRED.
    pub fn revoke(&self, now: DateTime<Utc>, grace: Duration) -> Result<Self, WrongState> {
        match self.status_at(now) {
            LicenseStatus::Active => Ok(Self { stored: LicenseStatus::Grace, grace_expires_at: Some(now + grace) }),
            present => Err(WrongState { present }),
        }
    }

    /// GRACE or EXPIRED → ACTIVE.
    ///
    /// # Errors
    /// [`WrongState`] from ACTIVE.
    pub fn reinstate(&self, now: DateTime<Utc>) -> Result<Self, WrongState> {
        match self.status_at(now) {
            LicenseStatus::Active => Err(WrongState { present: LicenseStatus::Active }),
            LicenseStatus::Grace | LicenseStatus::Expired => Ok(Self::ACTIVE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
    }

    fn grace(end: i64) -> License {
        License { stored: LicenseStatus::Grace, grace_expires_at: Some(at(end)) }
    }

    const EXPIRED: License = License { stored: LicenseStatus::Expired, grace_expires_at: None };

    #[test]
    fn grace_ends_at_its_very_instant() {
        assert_eq!(grace(10).status_at(at(9)), LicenseStatus::Grace);
        assert_eq!(grace(10).status_at(at(10)), LicenseStatus::Expired);
        assert_eq!(grace(10).visible_grace_end(at(9)), Some(at(10)));
        assert_eq!(grace(10).visible_grace_end(at(10)), None);
    }

    #[test]
    fn a_hand_set_expired_is_honoured_and_grace_without_a_date_is_expired() {
        assert_eq!(EXPIRED.status_at(at(0)), LicenseStatus::Expired);
        let odd = License { stored: LicenseStatus::Grace, grace_expires_at: None };
        assert_eq!(odd.status_at(at(0)), LicenseStatus::Expired);
    }

    #[test]
    fn revoke_goes_from_active_only() {
        assert_eq!(License::ACTIVE.revoke(at(0), Duration::seconds(10)), Ok(grace(10)));
        assert_eq!(grace(10).revoke(at(0), DEFAULT_GRACE), Err(WrongState { present: LicenseStatus::Grace }));
        assert_eq!(grace(10).revoke(at(11), DEFAULT_GRACE), Err(WrongState { present: LicenseStatus::Expired }));
    }

    #[test]
    fn reinstate_goes_from_grace_and_expired_only() {
        assert_eq!(grace(10).reinstate(at(0)), Ok(License::ACTIVE));
        assert_eq!(grace(10).reinstate(at(11)), Ok(License::ACTIVE));
        assert_eq!(EXPIRED.reinstate(at(0)), Ok(License::ACTIVE));
        assert_eq!(License::ACTIVE.reinstate(at(0)), Err(WrongState { present: LicenseStatus::Active }));
    }
}
