//! The Connect card: how a customer's box is reached. Nothing here gives back what is stored to log in with.

mod forget;
mod get;
mod host_key;
mod save;
mod test;

use super::AppState;
use chrono::{DateTime, Utc};
use proxima_db::connections::ConnectionRow;
use proxima_installer::ProblemReport;
use proxima_types::CredentialKind;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get::connection_get, save::connection_save, forget::connection_forget))
        .routes(routes!(host_key::connection_host_key_probe))
        .routes(routes!(host_key::connection_host_key_confirm))
        .routes(routes!(test::connection_test))
}

/// How a server is reached.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// `null` until it is saved; then the other fields are too, or empty.
    #[schema(required)]
    pub host: Option<String>,
    #[schema(required)]
    pub port: Option<i32>,
    #[schema(required)]
    pub user: Option<String>,
    /// What is stored to log in with; `null` when nothing is.
    #[schema(required)]
    pub credential: Option<StoredCredential>,
    /// Whether a password for sudo is stored.
    pub sudo_password_stored: bool,
    /// The host key that was confirmed; `null` until then.
    #[schema(required)]
    pub host_key: Option<ConfirmedHostKey>,
    /// The key that the host showed last, whether it is confirmed or not.
    #[schema(required)]
    pub shown_host_key: Option<ShownHostKey>,
    /// NONE before the first look, UNCONFIRMED, CONFIRMED, or CHANGED: then nothing goes on until it is confirmed again.
    pub host_key_state: HostKeyState,
    #[schema(required)]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredCredential {
    pub kind: CredentialKind,
    pub stored_at: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmedHostKey {
    /// `ssh-ed25519`, …
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    pub confirmed_at: DateTime<Utc>,
    /// The username of who did.
    pub confirmed_by: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownHostKey {
    pub algorithm: String,
    pub fingerprint: String,
    pub shown_at: DateTime<Utc>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HostKeyState {
    None,
    Unconfirmed,
    Confirmed,
    Changed,
}

/// Something that went wrong on the way to a box or on it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxProblem {
    /// A stable word for programs.
    pub code: String,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<ProblemReport> for BoxProblem {
    fn from(report: ProblemReport) -> Self {
        Self { code: report.code, sentence: report.sentence, remedy: report.remedy }
    }
}

impl From<Option<ConnectionRow>> for Connection {
    fn from(row: Option<ConnectionRow>) -> Self {
        let Some(row) = row else {
            return Self {
                host: None,
                port: None,
                user: None,
                credential: None,
                sudo_password_stored: false,
                host_key: None,
                shown_host_key: None,
                host_key_state: HostKeyState::None,
                updated_at: None,
            };
        };
        let host_key_state = match (&row.pinned_fingerprint, row.changed_at, &row.offered_fingerprint) {
            (Some(_), Some(_), _) => HostKeyState::Changed,
            (Some(_), None, _) => HostKeyState::Confirmed,
            (None, _, Some(_)) => HostKeyState::Unconfirmed,
            (None, _, None) => HostKeyState::None,
        };
        let credential = row.credential_kind().zip(row.credential_stored_at);
        let host_key = row.pinned_algorithm.zip(row.pinned_fingerprint).zip(row.pinned_at.zip(row.pinned_by));
        let shown = row.offered_algorithm.zip(row.offered_fingerprint).zip(row.offered_at);
        Self {
            host: Some(row.host),
            port: Some(row.port),
            user: Some(row.username),
            credential: credential.map(|(kind, stored_at)| StoredCredential { kind, stored_at }),
            sudo_password_stored: row.sudo_ciphertext.is_some(),
            host_key: host_key.map(|((algorithm, fingerprint), (confirmed_at, confirmed_by))| ConfirmedHostKey {
                algorithm,
                fingerprint,
                confirmed_at,
                confirmed_by,
            }),
            shown_host_key: shown.map(|((algorithm, fingerprint), shown_at)| ShownHostKey {
                algorithm,
                fingerprint,
                shown_at,
            }),
            host_key_state,
            updated_at: Some(row.updated_at),
        }
    }
}
