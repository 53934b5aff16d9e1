//! Failed attempts at privileged acts (invariant 8): written to the audit log at one place, whichever use case refused.

use super::audit;
use super::{Actor, App, AppError, AppResult, commit};
use proxima_db::audit::Target;
use proxima_db::{servers, users};
use proxima_types::{ServerId, UserId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Of one person and one act so many rows are written in [`WINDOW`]; what is beyond is counted in the next row.
const PER_WINDOW: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// How many persons and acts are kept count of.
const KEPT_MAX: usize = 4096;

/// What was attempted.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub action: &'static str,
    /// What the address named, if it named anything.
    pub target: Option<(Kind, &'a str)>,
}

/// Of what an id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Server,
}

#[derive(Default)]
struct Window {
    began: Option<Instant>,
    written: u32,
    suppressed: u32,
}

/// Keeps a loop of refused attempts from filling the log.
#[derive(Default)]
pub struct Refusals {
    windows: Mutex<HashMap<(Option<Uuid>, &'static str), Window>>,
}

impl Refusals {
    /// How many went unwritten since the last row; `None` when this one is not to be written either.
    fn admit(&self, who: Option<Uuid>, action: &'static str, now: Instant) -> Option<u32> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT_MAX {
            windows.retain(|_, window| window.began.is_some_and(|began| now - began < WINDOW));
            if windows.len() >= KEPT_MAX {
                return None;
            }
        }
        let window = windows.entry((who, action)).or_default();
        if window.began.is_none_or(|began| now - began >= WINDOW) {
            (window.began, window.written) = (Some(now), 0);
        }
        if window.written >= PER_WINDOW {
            window.suppressed += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

/// The word for a refusal that is worth a row: role, state, confirmation, proof. What was typed wrongly, is not there, or
/// could not be done just now is none.
fn refused(error: &AppError) -> Option<&'static str> {
    Some(match error {
        AppError::Forbidden => "forbidden",
        AppError::StepUpRequired { .. } => "step_up_required",
        AppError::PasswordChangeRequired => "password_change_required",
        AppError::EnrollmentRequired => "enrollment_required",
        AppError::LicenseState { .. } => "license_state_conflict",
        AppError::NotNow { code, .. } => code,
        AppError::ConfirmationRequired(_) => "confirmation_required",
        AppError::LastAdmin => "last_admin",
        AppError::SelfDelete => "self_delete",
        _ => return None,
    })
}

/// Writes down an attempt that was refused. What cannot be written is logged: the refusal stands.
pub async fn record(app: &App, actor: &Actor, attempt: Attempt<'_>, error: &AppError) {
    let Some(code) = refused(error) else { return };
    let Some(suppressed) = app.refusals.admit(actor.user_id.map(|id| id.0), attempt.action, Instant::now()) else {
        return;
    };
    let mut metadata = json!({ "refused": code });
    if let AppError::LicenseState { present } = error {
        metadata["licenseStatus"] = json!(present);
    }
    if suppressed > 0 {
        metadata["suppressed"] = json!(suppressed);
    }
    if let Err(error) = write(app, actor, attempt, metadata).await {
        tracing::warn!(error = ?anyhow::Error::from(error), action = attempt.action, "a refused attempt could not be written down");
    }
}

async fn write(app: &App, actor: &Actor, attempt: Attempt<'_>, mut metadata: Value) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let named = attempt.target.and_then(|(kind, id)| Some((kind, id.parse::<Uuid>().ok()?)));
    let mut name = String::new();
    match named {
        Some((Kind::User, id)) => {
            name = users::find(&mut *tx, UserId(id)).await?.map(|user| user.username).unwrap_or_default();
        }
        Some((Kind::Server, id)) => {
            // Whose it is matters to who reads the log, not to who was refused.
            let scope = proxima_db::servers::Scope::All;
            if let Some(server) = servers::find(&mut tx, scope, ServerId(id), app.heartbeat_interval()).await? {
                metadata["ownerUsername"] = json!(server.owner_username);
                name = server.name;
            }
        }
        None => {}
    }
    let target = named.map(|(kind, id)| Target {
        id: Some(id),
        kind: match kind {
            Kind::User => "user",
            Kind::Server => "server",
        },
        name: &name,
    });
    audit::failed(&mut tx, actor, attempt.action, target.filter(|target| !target.name.is_empty()), metadata).await?;
    commit(tx).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_writes_a_bounded_number_of_rows() {
        let refusals = Refusals::default();
        let admitted = |action| (0..100).filter(|_| refusals.admit(None, action, Instant::now()).is_some()).count();
        assert_eq!((admitted("a"), admitted("b")), (10, 10));
        tokio::time::advance(WINDOW).await;
        assert_eq!(refusals.admit(None, "a", Instant::now()), Some(90), "what went unwritten is told");
        assert_eq!(refusals.admit(None, "a", Instant::now()), Some(0));
    }
}
