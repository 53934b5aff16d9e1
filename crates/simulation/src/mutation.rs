//! Known defects, put in on purpose: each must be caught.

use crate::judges;
use proxima_gateway::agent::judge::{Judge, judge};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    None,
    // Of the gateway's judge.
    TrustsUnsigned,
    AcceptsReplays,
    UnknownKeyStops,
    UnavailableStops,
    SilenceStops,
    ExpiredIgnored,
    RetiredIgnored,
    GraceWithoutEnd,
    // Of what is under the gateway.
    WallClockCounts,
    StoredAnswerForgotten,
    // Of the dashboard.
    DatabaseDownIsExpired,
    VerdictsAreCached,
}

impl Mutation {
    pub const ALL: [Self; 12] = [
        Self::TrustsUnsigned,
        Self::AcceptsReplays,
        Self::UnknownKeyStops,
        Self::UnavailableStops,
        Self::SilenceStops,
        Self::ExpiredIgnored,
        Self::RetiredIgnored,
        Self::GraceWithoutEnd,
        Self::WallClockCounts,
        Self::StoredAnswerForgotten,
        Self::DatabaseDownIsExpired,
        Self::VerdictsAreCached,
    ];

    /// The judge that the gateways get.
    #[must_use]
    pub fn judge(self) -> Judge {
        match self {
            Self::TrustsUnsigned => judges::trusts_unsigned,
            Self::AcceptsReplays => judges::accepts_replays,
            Self::UnknownKeyStops => judges::unknown_key_stops,
            Self::UnavailableStops => judges::unavailable_stops,
            Self::SilenceStops => judges::silence_stops,
            Self::ExpiredIgnored => judges::expired_ignored,
            Self::RetiredIgnored => judges::retired_ignored,
            Self::GraceWithoutEnd => judges::grace_without_end,
            _ => judge,
        }
    }
}
