//! Check: whether a gateway's management API answers, and what it says.

use super::{gateway, record};
use crate::app::connections::connected;
use crate::app::{Actor, App, AppError, AppResult, servers};
use proxima_db::servers::ServerRow;
use proxima_db::{connections, management};
use proxima_types::ServerId;
use proxima_types::manage::GatewayStatus;

/// What a check found.
pub struct Checked {
    /// Afterwards: how the check went shows there.
    pub server: ServerRow,
    /// The gateway's own word; `None` when it does not answer.
    pub status: Option<GatewayStatus>,
}

/// Asks a gateway for its status. Not audited: it reads, and changes nothing but when it was last tried.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] when nothing is connected or installed; too many or too much at once as
/// [`crate::app::connections::Attempts::begin`]. That the gateway does not answer is none.
pub async fn check(app: &App, actor: &Actor, id: ServerId) -> AppResult<Checked> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let found = connections::find(&mut connection, actor.scope(), id, false).await?.ok_or(AppError::NotFound)?;
    connected(&found)?;
    let endpoint = management::endpoint(&mut *connection, id).await?;
    drop(connection);
    let endpoint = endpoint.ok_or_else(|| {
        AppError::not_now(
            "not_installed",
            "Not installed",
            "The gateway's certificate for port 6060 is not known yet: a restart or an install reads it",
        )
    })?;
    let _attempt = app.attempts.begin(id)?;
    let outbound = crate::app::connections::outbound(app).await?;
    let asked = gateway(app, &endpoint)?.status(&outbound).await;
    record(app, &endpoint, &asked).await?;
    let server = servers::get(app, actor, id).await?;
    Ok(Checked { server, status: asked.ok().and_then(|document| document.status) })
}
