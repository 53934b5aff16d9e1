//! Jobs: what the dashboard does on a customer's box (product.md section 5), and how far it is.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word, as the database and the API have it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or(UnknownWord)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// A word that none of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;

words!(
    /// What a job does.
    JobKind {
        Install = "INSTALL",
        Update = "UPDATE",
        Restart = "RESTART",
        Uninstall = "UNINSTALL",
    }
);

words!(
    /// How far a job is. The last three are final.
    JobState {
        Queued = "QUEUED",
        Running = "RUNNING",
        Succeeded = "SUCCEEDED",
        Failed = "FAILED",
        Cancelled = "CANCELLED",
    }
);

words!(
    /// How far a step of a job is.
    StepState {
        Pending = "PENDING",
        Running = "RUNNING",
        /// Done, or looked and found good.
        Done = "DONE",
        /// All was already as wanted.
        Unchanged = "UNCHANGED",
        Failed = "FAILED",
        /// Was not needed, or could not be done and need not be: its warning says why.
        Skipped = "SKIPPED",
        /// Was done, and is undone because a later step failed or the job was cancelled.
        Undone = "UNDONE",
        /// Was done, and could not be undone: the problem says what remains.
        Remains = "REMAINS",
    }
);

words!(
    /// What is stored to log in to a box with.
    CredentialKind {
        Password = "PASSWORD",
        PrivateKey = "PRIVATE_KEY",
        /// The Ed25519 key that we made for this server and traded the password for.
        AccessKey = "ACCESS_KEY",
    }
);

impl JobState {
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_database_and_json() {
        for kind in JobKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        for state in StepState::ALL {
            assert_eq!(serde_json::to_value(state).expect("json"), state.as_str());
        }
        for kind in CredentialKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.as_str());
        }
        let last: Vec<_> = JobState::ALL.iter().filter(|state| state.is_final()).map(|state| state.as_str()).collect();
        assert_eq!(last, ["SUCCEEDED", "FAILED", "CANCELLED"]);
        assert_eq!("queued".parse::<JobState>(), Err(UnknownWord));
    }
}
