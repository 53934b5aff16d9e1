//! What the database says of the keys: which there are, and what each is for.

use proxima_types::identity::DashboardPublicKey;

/// As `master_keys.state` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MasterState {
    /// Dashboards are to read it from their key files.
    Announced,
    /// It seals.
    Active,
    /// It opens, and seals no more.
    Replaced,
    /// Nothing is sealed with it.
    Retired,
    /// What is sealed with it cannot be opened.
    Lost,
}

impl MasterState {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "ANNOUNCED" => Self::Announced,
            "ACTIVE" => Self::Active,
            "REPLACED" => Self::Replaced,
            "LOST" => Self::Lost,
            _ => Self::Retired,
        }
    }
}

#[derive(Debug, Clone)]
pub struct MasterEntry {
    pub id: i32,
    pub state: MasterState,
    pub canary: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct SigningEntry {
    pub id: i32,
    pub public_key: DashboardPublicKey,
    /// Gateways are to trust it.
    pub live: bool,
}

/// Oldest first.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub masters: Vec<MasterEntry>,
    pub signing: Vec<SigningEntry>,
}
