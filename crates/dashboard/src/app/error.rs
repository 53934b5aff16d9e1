//! What a use case can answer instead of a result. Turned into HTTP at one place (`http::problem`).

use crate::keyring::KeyTrouble;
use proxima_db::DbError;
use proxima_types::license::{LicenseStatus, WrongState};
use proxima_types::{FieldError, FieldErrors, ProofMethod};

pub type AppResult<T> = Result<T, AppError>;

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Input that was refused: every bad field.
    #[error("the input is not valid")]
    Invalid(FieldErrors),
    /// A body over the limit.
    #[error("the request is too large")]
    TooLarge,
    /// A value that somebody else has.
    #[error("{}", .0.message)]
    Conflict(FieldError),
    /// A license action that the present state does not allow.
    #[error("the license is {present}")]
    LicenseState { present: LicenseStatus },
    /// The present state of things does not allow it.
    #[error("{sentence}")]
    NotNow { code: &'static str, title: &'static str, sentence: String },
    /// Something irreversible was asked for without its confirmation.
    #[error("{0}")]
    ConfirmationRequired(String),
    /// What was edited has changed meanwhile.
    #[error("this was changed by somebody else meanwhile")]
    Stale,
    #[error("this is the last admin: make another admin first")]
    LastAdmin,
    #[error("nobody can delete their own account")]
    SelfDelete,
    /// No such thing, or not yours: the two look the same (invariant 7).
    #[error("there is nothing here with this id")]
    NotFound,
    #[error("this needs an admin")]
    Forbidden,
    #[error("sign in first")]
    Unauthenticated,
    #[error("send the license key: Authorization: Bearer pk_…")]
    LicenseKeyMissing,
    /// Unknown, used, withdrawn or expired: the four look the same.
    #[error("this install token is not good any more: make another install command in the dashboard")]
    BadInstallToken,
    /// A privileged act, and the last proof is more than five minutes old.
    #[error("show that it is you first, then repeat this")]
    StepUpRequired { methods: Vec<ProofMethod> },
    /// Signed in with a password that somebody else chose.
    #[error("your password was chosen by somebody else: choose one of your own first")]
    PasswordChangeRequired,
    /// Somebody without the second factor that their role needs.
    #[error("your account needs a second factor: add one first")]
    EnrollmentRequired,
    /// The time for the second factor is over.
    #[error("this sign-in has taken too long or too many tries: start again with your password")]
    LoginExpired,
    /// Unknown, removed, too late, or another person's than the page's: all look the same.
    #[error("this passkey was not accepted: try again, or sign in with your password")]
    PasskeyRefused,
    #[error("the username or password is wrong")]
    InvalidCredentials,
    /// The password was right, and is a temporary one that was not used in time.
    #[error("this temporary password has expired: ask whoever gave it to you for another one")]
    TemporaryPasswordExpired,
    /// Too much at once; try again in so many seconds.
    #[error("too many requests at once")]
    Busy { retry_after_seconds: u32 },
    /// Too often within a short time; try again in so many seconds.
    #[error("too many attempts in a short time")]
    TooMany { retry_after_seconds: u32 },
    /// A key of the key file is missing or wrong, or a stored secret does not open.
    #[error(transparent)]
    Keys(#[from] KeyTrouble),
    /// The database is down, slow or read-only.
    #[error("the dashboard cannot reach its database right now")]
    Unavailable(#[source] anyhow::Error),
    /// A defect or a broken installation; the log has the reason, the caller has not.
    #[error("something went wrong on our side")]
    Internal(#[source] anyhow::Error),
}

impl AppError {
    /// The trouble with keys that this is, however it came here.
    pub(crate) fn key_trouble(&self) -> Option<KeyTrouble> {
        match self {
            Self::Keys(trouble) => Some(*trouble),
            Self::Internal(error) => error.downcast_ref().copied(),
            _ => None,
        }
    }

    pub(crate) fn not_now(code: &'static str, title: &'static str, sentence: impl Into<String>) -> Self {
        Self::NotNow { code, title, sentence: sentence.into() }
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Conflict { constraint } => conflict(&constraint),
            DbError::Gone { .. } => Self::NotFound,
            DbError::Unstorable(_) => {
                FieldError::new("request", "invalid", "It holds a NUL character or a date out of range.").into()
            }
            DbError::Unavailable(error) => Self::Unavailable(error.into()),
            DbError::Internal(error) => Self::Internal(error.into()),
        }
    }
}

/// A clash is a 409 that names the field (product.md section 2).
fn conflict(constraint: &str) -> AppError {
    let taken = |field: &str, message: &str| AppError::Conflict(FieldError::new(field, "taken", message));
    match constraint {
        "users_username_key" => taken("username", "This username is taken. Choose another one."),
        "users_login_slug_key" => taken("loginSlug", "This login URL slug is taken. Choose another one."),
        "jobs_one_unfinished" => AppError::not_now(
            "job_unfinished",
            "A job runs",
            "Another job of this server is not finished: wait for its end, or cancel it",
        ),
        other => AppError::Internal(anyhow::anyhow!("the unique rule {other} was broken")),
    }
}

impl From<FieldErrors> for AppError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<FieldError> for AppError {
    fn from(error: FieldError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<WrongState> for AppError {
    fn from(error: WrongState) -> Self {
        Self::LicenseState { present: error.present }
    }
}

impl From<anyhow::Error> for AppError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
