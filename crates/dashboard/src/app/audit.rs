//! Writing to the audit log, in the transaction of what it speaks of (invariant 8).

use super::{Actor, AppResult};
use proxima_db::audit::{NewEntry, Target, append};
use proxima_db::{PgConnection, users::UserRow};
use proxima_types::ServerId;
use serde_json::Value;

/// Every action that the log can hold, for the filter in the UI.
pub const ACTIONS: &[&str] = &[
    "api.refused",
    "audit.export",
    "audit.prune",
    "audit.retention.update",
    "certificate.issue",
    "database.backup",
    "database.restore",
    "database.restore.accept",
    "database.restore.follow",
    "keys.master.activate",
    "keys.master.create",
    "keys.master.lost",
    "keys.master.retire",
    "keys.signing.create",
    "keys.signing.lost",
    "keys.signing.retire",
    "notification.delivery.redeliver",
    "notification.endpoint.create",
    "notification.endpoint.delete",
    "notification.endpoint.disable",
    "notification.endpoint.secret.reveal",
    "notification.endpoint.secret.rotate",
    "notification.endpoint.test",
    "notification.endpoint.update",
    "notification.settings.test",
    "notification.settings.update",
    "server.config.export",
    "server.config.update",
    "server.connection.forget",
    "server.connection.host_key.changed",
    "server.connection.host_key.confirm",
    "server.connection.test",
    "server.connection.trade",
    "server.connection.update",
    "server.install",
    "server.install_token.create",
    "server.install_token.use",
    "server.install_token.withdraw",
    "server.job.cancel",
    "server.job.end",
    "server.license.expire",
    "server.license.regenerate",
    "server.license.reinstate",
    "server.license.reveal",
    "server.license.revoke",
    "server.license.rotate",
    "server.license.rotate.cancel",
    "server.license.rotate.end",
    "server.license.shared",
    "server.rename",
    "server.restart",
    "server.uninstall",
    "server.update",
    "session.replace",
    "session.revoke",
    "session.revoke_all",
    "session.revoke_others",
    "settings.update",
    "user.create",
    "user.delete",
    "user.login",
    "user.login.failed",
    "user.logout",
    "user.passkey.add",
    "user.passkey.remove",
    "user.passkey.rename",
    "user.password.change",
    "user.password.reset",
    "user.recovery_codes.make",
    "user.second_factor.reset",
    "user.sign_out",
    "user.step_up",
    "user.step_up.failed",
    "user.totp.add",
    "user.totp.remove",
    "user.update",
];

#[must_use]
pub fn server_target(id: ServerId, name: &str) -> Target<'_> {
    Target { id: Some(id.0), kind: "server", name }
}

/// A key by its name: never the key.
#[must_use]
pub fn key_target(name: &str) -> Target<'_> {
    Target { id: None, kind: "key", name }
}

#[must_use]
pub fn user_target(user: &UserRow) -> Target<'_> {
    Target { id: Some(user.id), kind: "user", name: &user.username }
}

/// Appends a row for something that was done. Call it last in the transaction.
///
/// # Errors
/// When the database refuses; then nothing was done.
pub async fn succeeded(
    connection: &mut PgConnection,
    actor: &Actor,
    action: &str,
    target: Option<Target<'_>>,
    metadata: Value,
) -> AppResult<()> {
    write(connection, actor, action, target, metadata, true).await
}

/// Appends a row for something that was tried and refused.
///
/// # Errors
/// When the database refuses.
pub async fn failed(
    connection: &mut PgConnection,
    actor: &Actor,
    action: &str,
    target: Option<Target<'_>>,
    metadata: Value,
) -> AppResult<()> {
    write(connection, actor, action, target, metadata, false).await
}

async fn write(
    connection: &mut PgConnection,
    actor: &Actor,
    action: &str,
    target: Option<Target<'_>>,
    metadata: Value,
    succeeded: bool,
) -> AppResult<()> {
    debug_assert!(ACTIONS.contains(&action), "{action} is missing in ACTIONS");
    let entry = NewEntry {
        action,
        succeeded,
        target,
        user_id: actor.user_id.map(|id| id.0),
        username: &actor.username,
        metadata,
        ip: actor.ip,
    };
    append(connection, entry).await?;
    Ok(())
}
