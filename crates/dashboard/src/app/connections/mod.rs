//! How a customer's box is reached (product.md section 5): by its owner, and by an admin on their behalf. What is stored
//! to log in with is sealed, and no use case gives it back.

mod attempts;
pub mod credential;
mod forget;
mod host_key;
pub(crate) mod host_key_changed;
mod save;
mod test;

pub use attempts::Attempts;
pub use forget::{Forgotten, forget};
pub(crate) use host_key::stored_target;
pub use host_key::{Probed, confirm_host_key, probe_host_key, remember_host_key};
pub use save::{SaveConnection, save};
pub use test::{Tested, test};
pub(crate) use test::{login, tools};

use super::audit::server_target;
use super::{Actor, App, AppError, AppResult};
use ipnet::IpNet;
use proxima_db::audit::Target;
use proxima_db::connections::{self, ConnectionRow, Found, HostKey};
use proxima_db::{PgConnection, jobs};
use proxima_installer::outbound::{RangeRefused, own_addresses};
use proxima_installer::{AddressPolicy, Outbound, SystemResolver};
use proxima_types::ServerId;
use std::sync::Arc;
use std::time::Duration;

/// For a name to be resolved and a connection to be had.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// A server's connection, if it has one.
///
/// # Errors
/// [`AppError::NotFound`], for another tenant's server too.
pub async fn get(app: &App, actor: &Actor, id: ServerId) -> AppResult<Option<ConnectionRow>> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    Ok(find(&mut connection, actor, id).await?.connection)
}

async fn find(connection: &mut PgConnection, actor: &Actor, id: ServerId) -> AppResult<Found> {
    connections::find(connection, actor.scope(), id, false).await?.ok_or(AppError::NotFound)
}

/// As [`find`], and nobody else changes the connection or queues a job until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, actor: &Actor, id: ServerId) -> AppResult<Found> {
    connections::find(connection, actor.scope(), id, true).await?.ok_or(AppError::NotFound)
}

fn target(id: ServerId, found: &Found) -> Option<Target<'_>> {
    Some(server_target(id, &found.server_name))
}

/// What a job runs with is not changed under it.
pub(crate) async fn refuse_while_a_job_runs(connection: &mut PgConnection, id: ServerId) -> AppResult<()> {
    match jobs::unfinished(connection, id).await? {
        None => Ok(()),
        Some(_) => Err(AppError::not_now(
            "job_unfinished",
            "A job runs",
            "A job of this server is not finished: wait for its end, or cancel it",
        )),
    }
}

/// The host key that a person confirmed.
///
/// # Errors
/// [`AppError::NotNow`] when none is confirmed, or the host has shown another one since.
pub(crate) fn pinned(row: &ConnectionRow) -> AppResult<HostKey> {
    let (Some(algorithm), Some(fingerprint), Some(line)) =
        (&row.pinned_algorithm, &row.pinned_fingerprint, &row.pinned_line)
    else {
        return Err(AppError::not_now(
            "host_key_unconfirmed",
            "Host key not confirmed",
            "Look at the server's host key and confirm it first: until then no password or key is sent there",
        ));
    };
    if row.changed_at.is_some() {
        return Err(AppError::not_now(
            "host_key_changed",
            "The host key changed",
            "The server has shown another host key than the one that was confirmed. Somebody may be between us and it. \
             Compare the fingerprints, and confirm the new one only if you know why it changed",
        ));
    }
    Ok(HostKey { algorithm: algorithm.clone(), fingerprint: fingerprint.clone(), line: line.clone() })
}

/// # Errors
/// [`AppError::NotNow`] when no address is saved.
pub(crate) fn connected(found: &Found) -> AppResult<&ConnectionRow> {
    found.connection.as_ref().ok_or_else(|| {
        AppError::not_now("not_connected", "Not connected", "Enter the server's address and login first")
    })
}

/// What the dashboard may connect to now: the public Internet, and what the operator allows beside it.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn outbound(app: &App) -> AppResult<Outbound> {
    outbound_within(app, CONNECT_LIMIT).await
}

/// As [`outbound`], with another limit for resolving and connecting together.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn outbound_within(app: &App, limit: Duration) -> AppResult<Outbound> {
    let settings = proxima_db::settings::get(&app.db).await?;
    // Every entry was checked when it was saved, perhaps by a dashboard that is started with other flags. One that is no network,
    // or that only the flag of this one could open, allows nothing.
    let own = policy(app, [])?;
    let allowed = |range: &IpNet| !matches!(own.check_range(*range), Err(RangeRefused::Never { .. }));
    let saved = settings.outbound_allowlist.iter().filter_map(|text| crate::config::parse_network(text).ok());
    let saved = saved.filter(allowed);
    Ok(Outbound::new(policy(app, saved)?, Arc::new(SystemResolver), limit))
}

/// What may be connected to: what the command line allows, and these.
///
/// # Errors
/// When the operating system does not tell this machine's addresses.
pub(crate) fn policy(app: &App, saved: impl IntoIterator<Item = IpNet>) -> AppResult<AddressPolicy> {
    let allowed = app.config.outbound_allowed.iter().copied().chain(saved).collect();
    Ok(AddressPolicy::new(allowed, own_addresses().map_err(|error| AppError::Internal(error.into()))?))
}
