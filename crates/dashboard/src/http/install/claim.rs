use super::bearer;
use crate::app::{AppError, install_tokens};
use crate::http::AppState;
use crate::http::extract::{Body, client_ip};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use proxima_types::enroll::{ClaimAnswer, ClaimRequest};

/// Begin an install from the server
///
/// Uses the install token up. The answer holds the whole `config.json` with its secrets.
#[utoipa::path(post, path = "/api/v1/install/claim", tag = "install", security(("installToken" = [])),
    request_body = ClaimRequest,
    responses((status = 200, body = ClaimAnswer), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn install_claim(
    State(app): State<AppState>,
    request: Request,
) -> Result<Json<ClaimAnswer>, AppError> {
    let (parts, body) = request.into_parts();
    // Before a stranger's body is read: whether anything can come of it.
    install_tokens::known(&app, bearer(&parts.headers)).await?;
    let (token, ip) = (bearer(&parts.headers).to_owned(), client_ip(&parts));
    let Body(claim) = Body::from_request(Request::from_parts(parts, body), &app).await?;
    Ok(Json(install_tokens::claim(&app, &token, ip, claim).await?))
}
