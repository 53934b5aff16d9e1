use crate::app::{AppError, keys};
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// They seal secrets in the database.
    pub master_keys: Vec<MasterKey>,
    /// They sign answers to gateways.
    pub signing_keys: Vec<SigningKey>,
    /// Servers with an installation.
    pub gateways: i64,
    /// Those of them that trust the newest signing key.
    pub following: i64,
    /// Those that run on this database.
    pub dashboards: Vec<RunningDashboard>,
    /// What the answering dashboard misses, each with what to do; empty when all is well.
    pub problems: Vec<String>,
}

/// A key's place in its life.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyState {
    /// Made, and not used before every dashboard (master) or gateway (signing) can follow.
    Announced,
    Active,
    /// A master key that still opens what is not sealed anew.
    Replaced,
    Retired,
    Lost,
}

impl KeyState {
    /// The CHECK on the column lets no sixth word in.
    fn of_master(stored: &str) -> Self {
        match stored {
            "ANNOUNCED" => Self::Announced,
            "ACTIVE" => Self::Active,
            "REPLACED" => Self::Replaced,
            "LOST" => Self::Lost,
            _ => Self::Retired,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MasterKey {
    pub id: i32,
    pub state: KeyState,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub activated_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub retired_at: Option<DateTime<Utc>>,
    /// The answering dashboard's key file has it.
    pub held: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    pub id: i32,
    /// As signatures name it.
    pub key_id: String,
    pub public_key: String,
    pub state: KeyState,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub activated_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub retired_at: Option<DateTime<Utc>>,
    pub held: bool,
    /// Servers whose newest installation trusts it.
    pub gateways: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunningDashboard {
    pub hostname: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub master_key_ids: Vec<i32>,
    pub signing_key_ids: Vec<i32>,
    pub problems: Vec<String>,
}

/// Keys of this installation
///
/// Which master and signing keys there are, who holds and follows them: never a key. They are replaced by commands on the
/// dashboard's host.
#[utoipa::path(get, path = "/api/v1/keys", tag = "settings", security(("session" = [])),
    responses((status = 200, body = Keys), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn keys_get(State(app): State<AppState>, Admin(admin): Admin) -> Result<Json<Keys>, AppError> {
    let view = keys::get(&app, &admin).await?;
    let newest = view.signing.iter().filter(|key| key.row.state == "LIVE").map(|key| key.row.id).max();
    let live = view.signing.iter().filter(|key| key.row.state == "LIVE").count();
    let following = view.signing.iter().find(|key| Some(key.row.id) == newest).map_or(0, |key| key.gateways);
    let signing_keys = view.signing.into_iter().map(|keys::SigningKeyView { row, held, gateways }| SigningKey {
        state: match row.state.as_str() {
            "LIVE" if live > 1 && Some(row.id) == newest => KeyState::Announced,
            "LIVE" => KeyState::Active,
            "LOST" => KeyState::Lost,
            _ => KeyState::Retired,
        },
        public_key: STANDARD.encode(&row.public_key),
        id: row.id,
        key_id: row.key_id,
        created_at: row.created_at,
        activated_at: Some(row.created_at),
        retired_at: row.retired_at,
        held,
        gateways,
    });
    Ok(Json(Keys {
        signing_keys: signing_keys.collect(),
        master_keys: view
            .masters
            .into_iter()
            .map(|(row, held)| MasterKey {
                id: row.id,
                state: KeyState::of_master(&row.state),
                created_at: row.created_at,
                activated_at: row.activated_at,
                retired_at: row.retired_at,
                held,
            })
            .collect(),
        gateways: view.gateways,
        following,
        dashboards: view
            .dashboards
            .into_iter()
            .map(|row| RunningDashboard {
                hostname: row.hostname,
                version: row.version,
                started_at: row.started_at,
                seen_at: row.seen_at,
                master_key_ids: row.master_key_ids,
                signing_key_ids: row.signing_key_ids,
                problems: row.problems,
            })
            .collect(),
        problems: view.problems,
    }))
}
