//! Asking gateways on their port 6060. Everything works without it, a heartbeat later: nothing here delays or fails what
//! people do.

mod check;
mod nudges;

pub use check::{Checked, check};
pub use nudges::{Nudges, Turn, WAITING_MAX};

use super::{App, AppError, AppResult};
use crate::keyring::Place;
use crate::management::{Gateway, Trouble};
use proxima_db::management::{self, Endpoint};
use proxima_db::servers::{self, Scope};
use proxima_types::manage::{CertificateFingerprint, NudgeOutcome};
use proxima_types::{ApiSecret, ServerId, ServerStatus};
use serde_json::json;

/// How an endpoint is asked: with its secret opened.
fn gateway(app: &App, endpoint: &Endpoint) -> AppResult<Gateway> {
    let place = Place { table: "servers", row: endpoint.server_id, column: "api_secret" };
    let secret = app
        .keyring
        .open_sealed(place, &endpoint.api_secret_ciphertext)
        .map_err(|error| AppError::Internal(error.into()))?;
    let unreadable = |what: &str| AppError::Internal(anyhow::anyhow!("a stored {what} cannot be read"));
    Ok(Gateway {
        host: endpoint.host.parse().map_err(|_| unreadable("host"))?,
        port: app.config.management_port,
        certificate: CertificateFingerprint::parse(&endpoint.fingerprint).map_err(|_| unreadable("fingerprint"))?,
        secret: ApiSecret::parse(&secret).map_err(|error| AppError::Internal(error.into()))?,
    })
}

async fn record<T>(app: &App, endpoint: &Endpoint, asked: &Result<T, Trouble>) -> AppResult<()> {
    let problem = asked.as_ref().err().map(|trouble| json!(trouble.report(app.config.management_port)));
    Ok(management::record(&app.db, endpoint, problem.as_ref()).await?)
}

/// Asks a gateway for a heartbeat now. What it came to is logged, counted, and shown with the server.
pub async fn nudge(app: &App, turn: &Turn) {
    let server = turn.server();
    let outcome = match attempt(app, turn).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(%server, error = ?anyhow::Error::from(error), "a nudge could not be sent");
            "failed"
        }
    };
    tracing::debug!(%server, outcome, "a nudge");
    count(outcome);
}

fn count(outcome: &'static str) {
    metrics::counter!("proxima_nudges_total", "outcome" => outcome).increment(1);
}

/// Not when the server is deleted: then there is no row to show anything with.
async fn is_online(app: &App, server: ServerId) -> AppResult<bool> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let found = servers::find(&mut connection, Scope::All, server, app.heartbeat_interval()).await?;
    Ok(found.is_some_and(|row| row.status() == ServerStatus::Online))
}

async fn attempt(app: &App, turn: &Turn) -> AppResult<&'static str> {
    let stored = match turn.deleted() {
        Some(_) => None,
        None => management::endpoint(&app.db, turn.server()).await?,
    };
    let Some(endpoint) = turn.deleted().or(stored.as_ref()) else { return Ok("not_connected") };
    let outbound = super::connections::outbound(app).await?;
    let asked = gateway(app, endpoint)?.nudge(&outbound).await;
    // A gateway that is not known to run refuses on every port: that tells nothing of this one.
    if asked.is_ok() || is_online(app, turn.server()).await? {
        record(app, endpoint, &asked).await?;
    }
    Ok(match asked {
        Ok(answer) => match answer.outcome {
            NudgeOutcome::Answered => "answered",
            NudgeOutcome::Silent => "silent",
            NudgeOutcome::Stopping => "stopping",
            NudgeOutcome::Pending => "pending",
        },
        Err(trouble) => {
            tracing::debug!(server = %turn.server(), %trouble, "a gateway could not be nudged");
            "unreachable"
        }
    })
}
