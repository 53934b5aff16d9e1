//! The endpoint that gateways call (product.md section 4). Every answer to a request that carries
//! a nonce is signed; none of the refusals here is a verdict.

mod create;
mod input;

pub(super) use input::bearer;

use super::AppState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create::heartbeat_create))
}
