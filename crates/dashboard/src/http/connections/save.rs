use super::Connection;
use crate::app::connections::SaveConnection;
use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SteppedUp, present};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SaveConnectionRequest {
    /// A DNS name or an IP address.
    pub host: String,
    /// 1 to 65535.
    pub port: u32,
    /// At most 64 characters.
    pub user: String,
    /// To log in with. Without it and without a private key, what is stored stays (unless host or port change).
    #[schema(value_type = Option<String>)]
    pub password: Option<Zeroizing<String>>,
    /// OpenSSH, PKCS#8 or PEM, instead of a password.
    #[schema(value_type = Option<String>)]
    pub private_key: Option<Zeroizing<String>>,
    /// Of the private key.
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<Zeroizing<String>>,
    /// For sudo, when it is another than the password to log in with. `null` forgets it; missing leaves it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub sudo_password: Option<Option<Zeroizing<String>>>,
}

/// Save how a server is reached
///
/// Another host or port than before forgets the confirmed host key and the stored login.
#[utoipa::path(put, path = "/api/v1/servers/{serverId}/connection", tag = "connection", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = SaveConnectionRequest,
    responses((status = 200, body = Connection), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn connection_save(
    State(app): State<AppState>,
    SteppedUp(actor): SteppedUp,
    Id(id): Id<ServerId>,
    Body(input): Body<SaveConnectionRequest>,
) -> Result<Json<Connection>, AppError> {
    let input = SaveConnection {
        host: input.host,
        port: input.port,
        user: input.user,
        password: input.password,
        private_key: input.private_key,
        passphrase: input.passphrase,
        sudo_password: input.sudo_password,
    };
    Ok(Json(Some(connections::save(&app, &actor, id, input).await?).into()))
}
