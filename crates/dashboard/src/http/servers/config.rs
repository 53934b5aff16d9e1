use crate::app::{AppError, servers};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_db::servers::ServerRow;
use proxima_types::gateway_config::{check_listeners, check_port};
use proxima_types::{BackendUrl, FieldError, FieldErrors, GatewayConfig, Listener, ServerId};
use serde::{Deserialize, Serialize};

/// What a server's gateway is to do, and whether it does.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerConfig {
    /// Grows with every save; 0 before the first.
    pub generation: i64,
    pub listeners: Vec<ListenerView>,
    #[schema(required)]
    pub updated_at: Option<DateTime<Utc>>,
    pub delivery: ConfigDelivery,
}

/// One port that visitors reach, and where their requests go.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Listener)]
#[serde(rename_all = "camelCase")]
pub struct ListenerView {
    /// 1 to 65535, on every address of the host.
    pub port: u16,
    #[schema(value_type = String, example = "http://127.0.0.1:3000")]
    pub backend_url: BackendUrl,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigDelivery {
    pub state: DeliveryState,
    /// Why the gateway refused it.
    #[schema(required)]
    pub reason: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryState {
    NotConfigured,
    /// Goes out with the answer to the next heartbeat.
    Pending,
    Applied,
    Rejected,
}

impl From<ServerRow> for ServerConfig {
    fn from(row: ServerRow) -> Self {
        let is = |incarnation: Option<i32>, number: Option<i64>| {
            incarnation == Some(row.incarnation) && number == Some(row.config_generation)
        };
        let (state, reason) = if row.config_generation == 0 {
            (DeliveryState::NotConfigured, None)
        // First: after a restart with one port taken a gateway serves the others, and reports both.
        } else if is(row.rejected_incarnation, row.rejected_number) {
            (DeliveryState::Rejected, row.rejected_reason.clone())
        } else if is(row.applied_incarnation, row.applied_number) {
            (DeliveryState::Applied, None)
        } else {
            (DeliveryState::Pending, None)
        };
        let config: GatewayConfig = serde_json::from_value(row.config).unwrap_or_default();
        let view = |listener: Listener| Some(ListenerView { port: listener.port, backend_url: listener.backend_url? });
        Self {
            generation: row.config_generation,
            listeners: config.listeners.into_iter().filter_map(view).collect(),
            updated_at: row.config_updated_at,
            delivery: ConfigDelivery { state, reason },
        }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateConfigRequest {
    /// The generation that was edited; another one now is a 409 `stale`.
    pub generation: i64,
    /// At most 64.
    pub listeners: Vec<ListenerInput>,
}

/// A listener as typed: every bad field is named at once, so nothing is refused while reading.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerInput {
    /// 1 to 65535, not 6060.
    pub port: u64,
    /// `http://host[:port]`, or `https://` where the gateway trusts its certificate as the host does.
    pub backend_url: String,
}

/// A server's configuration
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/config", tag = "servers", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = ServerConfig), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn servers_config_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<ServerConfig>, AppError> {
    Ok(Json(servers::get(&app, &actor, id).await?.into()))
}

/// Save a server's configuration
///
/// It reaches the gateway in the signed answer to its next heartbeat.
#[utoipa::path(put, path = "/api/v1/servers/{serverId}/config", tag = "servers", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = UpdateConfigRequest,
    responses((status = 200, body = ServerConfig), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn servers_config_save(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
    Body(input): Body<UpdateConfigRequest>,
) -> Result<Json<ServerConfig>, AppError> {
    let config = read(&input.listeners)?;
    Ok(Json(servers::save_config(&app, &actor, id, input.generation, &config).await?.into()))
}

fn read(inputs: &[ListenerInput]) -> Result<GatewayConfig, FieldErrors> {
    let mut errors = FieldErrors::new();
    let mut readable: Vec<(usize, Listener)> = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let port = errors.check(check_port(format!("listeners[{index}].port"), input.port));
        let backend_url = errors.check(
            BackendUrl::parse(&input.backend_url)
                .map_err(|message| FieldError::new(format!("listeners[{index}].backendUrl"), "invalid", message)),
        );
        if let (Some(port), Some(backend_url)) = (port, backend_url) {
            readable.push((index, Listener { port, backend_url: Some(backend_url), ..Listener::default() }));
        }
    }
    let placed: Vec<(usize, &Listener)> = readable.iter().map(|(index, listener)| (*index, listener)).collect();
    check_listeners(&placed, (&[], &[]), &mut errors);
    errors.into_result()?;
    let listeners = readable.into_iter().map(|(_, listener)| listener).collect();
    Ok(GatewayConfig { listeners, ..GatewayConfig::default() })
}
