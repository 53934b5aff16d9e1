//! Words and rules that both programs share: typed ids, license rules, the heartbeat's wire
//! messages, the gateway's configuration and its validation.
//!
//! No I/O, no clock, no randomness: time and random bytes are passed in.

pub mod account;
pub mod enroll;
pub mod field_error;
pub mod gateway_config;
pub mod heartbeat;
pub mod identity;
pub mod ids;
pub mod job;
pub mod license;
pub mod manage;
pub mod secrets;
pub mod server_status;
pub mod setup;

pub use account::{DisplayName, LoginSlug, Password, ProofMethod, Role, ServerName, Username};
pub use field_error::{FieldError, FieldErrors};
pub use gateway_config::{BackendUrl, ConfigGeneration, GatewayConfig, Listener};
pub use ids::{InstallId, JobId, ServerId, SessionId, UserId};
pub use job::{CredentialKind, JobKind, JobState, StepState};
pub use license::{License, LicenseStatus};
pub use secrets::{ApiSecret, InstallToken, KeyDigest, LicenseKey, ReportToken};
pub use server_status::ServerStatus;
