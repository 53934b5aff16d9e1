//! What can be told.

use proxima_types::{FieldError, FieldErrors};
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    LicenseEnding,
    LicenseExpired,
    GatewayOffline,
    GatewayOnline,
    GatewaySilent,
    KeyShared,
    DatabaseBehindAnchor,
    EndpointDisabled,
    /// Asked for by a person, for one endpoint.
    Test,
}

impl EventKind {
    /// What endpoints subscribe to, in the order in which people are shown it.
    pub const SUBSCRIBABLE: [Self; 8] = [
        Self::LicenseEnding,
        Self::LicenseExpired,
        Self::GatewayOffline,
        Self::GatewayOnline,
        Self::GatewaySilent,
        Self::KeyShared,
        Self::DatabaseBehindAnchor,
        Self::EndpointDisabled,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LicenseEnding => "license.ending",
            Self::LicenseExpired => "license.expired",
            Self::GatewayOffline => "gateway.offline",
            Self::GatewayOnline => "gateway.online",
            Self::GatewaySilent => "gateway.silent",
            Self::KeyShared => "key.shared",
            Self::DatabaseBehindAnchor => "database.behind_anchor",
            Self::EndpointDisabled => "endpoint.disabled",
            Self::Test => "webhook.test",
        }
    }

    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::LicenseEnding => "License near its end",
            Self::LicenseExpired => "License expired",
            Self::GatewayOffline => "Gateway offline",
            Self::GatewayOnline => "Gateway online again",
            Self::GatewaySilent => "Gateway silent for long",
            Self::KeyShared => "Key in use on several hosts",
            Self::DatabaseBehindAnchor => "Database behind its anchor",
            Self::EndpointDisabled => "Endpoint switched off",
            Self::Test => "Test",
        }
    }

    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::LicenseEnding => "The grace of a revoked license ends within the time set below.",
            Self::LicenseExpired => "A license has expired: its gateway stops with its next heartbeat.",
            Self::GatewayOffline => {
                "A licensed gateway has missed three heartbeats and the settling time. Its traffic may well go on."
            }
            Self::GatewayOnline => "A gateway that was told offline is heard again.",
            Self::GatewaySilent => {
                "A licensed gateway has not been heard for very long: gone, or kept from reaching the dashboard."
            }
            Self::KeyShared => "Two installations send heartbeats with one license key.",
            Self::DatabaseBehindAnchor => {
                "The database is older than what this dashboard has seen: a restored backup waits to be accepted."
            }
            Self::EndpointDisabled => "Another endpoint was switched off because nothing got through to it.",
            Self::Test => "A test that a person asked for.",
        }
    }
}

fn words(kinds: &[EventKind]) -> RefOr<Schema> {
    let words = kinds.iter().map(|kind| kind.as_str());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// In the API's document: the word of any event.
impl PartialSchema for EventKind {
    fn schema() -> RefOr<Schema> {
        let mut all = Self::SUBSCRIBABLE.to_vec();
        all.push(Self::Test);
        words(&all)
    }
}

impl ToSchema for EventKind {
    fn name() -> Cow<'static, str> {
        "NotificationEventType".into()
    }
}

/// In the API's document: the word of an event that endpoints subscribe to.
pub enum Subscribable {}

impl PartialSchema for Subscribable {
    fn schema() -> RefOr<Schema> {
        words(&EventKind::SUBSCRIBABLE)
    }
}

impl ToSchema for Subscribable {
    fn name() -> Cow<'static, str> {
        "SubscribableEventType".into()
    }
}

/// The words of a subscription, each once; at least one.
pub(super) fn check_events(errors: &mut FieldErrors, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        errors.push(FieldError::new("events", "required", "Choose at least one event."));
    }
    let mut chosen: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate().take(64) {
        if !EventKind::SUBSCRIBABLE.iter().any(|kind| kind.as_str() == word) {
            errors.push(FieldError::new(format!("events[{index}]"), "invalid", "There is no such event."));
        } else if !chosen.contains(word) {
            chosen.push(word.clone());
        }
    }
    chosen
}
