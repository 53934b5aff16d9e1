//! HTTP: one file for each resource and verb. A handler reads its input, calls one use case, and
//! shapes the answer; errors become problem documents at one place (`problem`).

mod audit;
mod auth;
mod client_address;
mod connections;
mod extract;
mod fleet;
pub(crate) mod health;
mod heartbeat;
mod install;
mod jobs;
mod keys;
mod layers;
mod license;
mod login_pages;
mod management;
mod me;
mod notifications;
mod openapi;
mod problem;
mod refusals;
mod servers;
mod settings;
mod ui;
mod users;

use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;

pub use layers::count_requests;

pub(crate) type AppState = Arc<App>;

/// The longest request body of the API, in bytes.
const BODY_MAX: usize = 256 * 1024;

/// What people's browsers and programs ask for.
fn people() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(auth::routes())
        .merge(login_pages::routes())
        .merge(me::routes())
        .merge(users::routes())
        .merge(servers::routes())
        .merge(connections::routes())
        .merge(jobs::routes())
        .merge(install::routes())
        .merge(license::routes())
        .merge(management::routes())
        .merge(audit::routes())
        .merge(settings::routes())
        .merge(keys::routes())
        .merge(notifications::routes())
        .merge(fleet::routes())
}

/// The generated OpenAPI 3.1 document, as checked in under `openapi/`.
///
/// # Errors
/// Never in practice: the document is made of strings.
pub fn openapi_json() -> anyhow::Result<String> {
    let mut json = openapi::complete(people().merge(heartbeat::routes()).into_openapi()).to_pretty_json()?;
    json.push('\n');
    Ok(json)
}

/// Everything the dashboard serves on its public address.
///
/// # Errors
/// When the public URL is not an origin.
pub fn router(app: AppState) -> anyhow::Result<Router> {
    let (people, _) = people().split_for_parts();
    let (gateways, _) = heartbeat::routes().split_for_parts();
    let router = people
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), refusals::record))
        .merge(health::routes())
        .merge(install::script_route())
        .fallback(ui::serve)
        // Not for heartbeats: the place for a compressor alone would double what one costs.
        .layer(CompressionLayer::new())
        .merge(gateways)
        .with_state(Arc::clone(&app));
    layers::wrap(router, &app)
}
