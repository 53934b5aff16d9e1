//! Delete: the server row goes with the account; the gateway on the box stops at its next
//! heartbeat (it is asked for one now), which answers the signed 401 for a retired key.

use crate::app::anchor;
use crate::app::audit::{self, user_target};
use crate::app::{AdminActor, App, AppError, AppResult, Proven, commit};
use proxima_db::management::{self, Endpoint};
use proxima_db::servers::{self, ServerRow};
use proxima_db::{PgConnection, users};
use proxima_types::{Role, ServerId, UserId};
use serde_json::json;

/// `confirm_username` is the account's username, typed.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::ConfirmationRequired`], [`AppError::SelfDelete`],
/// [`AppError::LastAdmin`].
pub async fn delete(app: &App, admin: &Proven<AdminActor>, id: UserId, confirm_username: &str) -> AppResult<()> {
    let mut tx = app.begin().await?;
    anchor::guard(app, &mut tx).await?;
    let admins = users::lock_admins(&mut tx).await?;
    let user = users::lock(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    if admin.user_id == Some(id) {
        return Err(AppError::SelfDelete);
    }
    if user.role() == Role::Admin && admins <= 1 {
        return Err(AppError::LastAdmin);
    }
    if confirm_username != user.username {
        return Err(AppError::ConfirmationRequired(format!("Type the username {} to confirm.", user.username)));
    }
    let server = servers::find_by_owner(&mut tx, id, app.heartbeat_interval()).await?;
    let gateway = gateway(&mut tx, server.as_ref()).await?;
    users::delete(&mut tx, id).await?;
    let metadata = json!({
        "role": user.role,
        "serverId": server.as_ref().map(|server| server.id),
        "serverName": server.as_ref().map(|server| &server.name),
    });
    audit::succeeded(&mut tx, admin, "user.delete", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    gateway.into_iter().for_each(|gateway| app.nudges.request_of_deleted(gateway));
    Ok(())
}

/// How to nudge the gateway of a server that is about to be deleted.
pub(super) async fn gateway(tx: &mut PgConnection, server: Option<&ServerRow>) -> AppResult<Option<Endpoint>> {
    Ok(match server {
        Some(server) => management::endpoint(tx, ServerId(server.id)).await?,
        None => None,
    })
}
