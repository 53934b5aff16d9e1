use serde::Serialize;

/// How an attempt ended; the same word in the database, the metrics and the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationOutcome)]
pub enum OutcomeCode {
    /// The one success.
    Delivered,
    /// Another status of HTTP than 2xx and 410.
    HttpStatus,
    /// 410: the receiver wants nothing more, ever.
    Gone,
    /// The outbound ranges, or TLS that is asked for, forbids it.
    NotAllowed,
    /// The name has no address.
    Unresolved,
    /// Nobody took the connection.
    Connect,
    Tls,
    Timeout,
    /// The conversation ended in the middle, or what is configured makes none.
    Broken,
    SmtpRefused,
    SmtpNotConfigured,
}

impl OutcomeCode {
    const ALL: [Self; 11] = [
        Self::Delivered,
        Self::HttpStatus,
        Self::Gone,
        Self::NotAllowed,
        Self::Unresolved,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Broken,
        Self::SmtpRefused,
        Self::SmtpNotConfigured,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::HttpStatus => "http_status",
            Self::Gone => "gone",
            Self::NotAllowed => "not_allowed",
            Self::Unresolved => "unresolved",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::SmtpRefused => "smtp_refused",
            Self::SmtpNotConfigured => "smtp_not_configured",
        }
    }

    /// Of an attempt on record; only these words are ever written there.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self::ALL.into_iter().find(|code| code.as_str() == text).unwrap_or(Self::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::OutcomeCode;

    #[test]
    fn one_word_everywhere() {
        for code in OutcomeCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(OutcomeCode::from_stored(code.as_str()), code);
        }
    }
}
