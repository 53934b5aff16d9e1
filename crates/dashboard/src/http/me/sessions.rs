use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use proxima_types::{ProofMethod, SessionId};
use serde::Serialize;

/// One signed-in browser.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    #[schema(required)]
    pub ip: Option<String>,
    #[schema(required)]
    pub user_agent: Option<String>,
    pub signed_in_with: ProofMethod,
    /// The one that asks.
    pub current: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionList {
    pub items: Vec<Session>,
}

/// One's own sessions
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "me", security(("session" = [])),
    responses((status = 200, body = SessionList), (status = 401, body = Problem)))]
pub(super) async fn me_sessions_list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<SessionList>, AppError> {
    let items = sessions::list(&app, &actor).await?.into_iter().map(|row| Session {
        id: SessionId(row.id),
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
        ip: row.ip.map(|ip| ip.ip().to_string()),
        user_agent: row.user_agent,
        signed_in_with: ProofMethod::from_stored(&row.signed_in_with),
        current: actor.session_id == Some(SessionId(row.id)),
    });
    Ok(Json(SessionList { items: items.collect() }))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionsEnded {
    pub ended: u64,
}

/// End all of one's own sessions but this one
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "me", security(("session" = [])),
    responses((status = 200, body = SessionsEnded), (status = 401, body = Problem)))]
pub(super) async fn me_sessions_revoke_others(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<SessionsEnded>, AppError> {
    Ok(Json(SessionsEnded { ended: sessions::revoke_others(&app, &actor).await? }))
}

/// End one of one's own sessions
#[utoipa::path(delete, path = "/api/v1/me/sessions/{sessionId}", tag = "me", security(("session" = [])),
    params(("sessionId" = SessionId, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn me_sessions_revoke(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<SessionId>,
) -> Result<StatusCode, AppError> {
    sessions::revoke(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
