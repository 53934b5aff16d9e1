//! Telling the operator what matters, by webhook and e-mail. Nothing here is on a heartbeat's way: events are written by the
//! sweeps, and sent by `jobs::notifications`.

mod deliveries;
mod endpoints;
mod kinds;
mod secret;
mod send;
mod settings;
mod sweep;
mod tell;

pub use deliveries::{detail, list as deliveries, redeliver, test};
pub use endpoints::{EndpointForm, create, delete, get, list, update};
pub use kinds::{EventKind, Subscribable};
pub use secret::{Shown, reveal, rotate};
pub use send::{Batch, batches, deliver};
pub use settings::{SaveNotificationSettings, SaveSmtp, TestMail, get as settings, save as save_settings, test_mail};
pub use sweep::{database_behind_anchor, listen, look};
pub use tell::message_id;
pub(crate) use tell::tell;

use crate::app::AppError;
use crate::delivery::Tls;
use proxima_db::audit::Target;
use std::sync::OnceLock;
use tokio::sync::Notify;
use uuid::Uuid;

/// What the sender of this process needs. One per process.
#[derive(Default)]
pub struct Notifier {
    /// Wakes this dashboard's sender; others look every second.
    pub queued: Notify,
    tls: OnceLock<Tls>,
}

impl Notifier {
    /// With other authorities than the machine's: for tests.
    #[must_use]
    pub fn with_tls(tls: Tls) -> Self {
        Self { queued: Notify::default(), tls: OnceLock::from(tls) }
    }

    /// The machine's certificate authorities, read once.
    fn tls(&self) -> Result<Tls, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let tls = Tls::of_this_machine()?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}

fn target(id: Uuid, description: &str) -> Option<Target<'_>> {
    Some(Target { id: Some(id), kind: "notification", name: description })
}

fn endpoint_disabled() -> AppError {
    AppError::not_now(
        "endpoint_disabled",
        "The endpoint is disabled",
        "Enable the endpoint first: nothing is sent to it",
    )
}

fn smtp_not_configured() -> AppError {
    AppError::not_now("smtp_not_configured", "No e-mail server", "Enter the e-mail server first, and send a test mail")
}
