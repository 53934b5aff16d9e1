//! The API's description, as checked in under `openapi/`.

use super::api;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Proxima Gateway management",
        description = "What a dashboard asks of one gateway, on port 6060. TLS with a self-signed certificate \
                       that is known by its SHA-256 fingerprint. One request a connection."
    ),
    paths(api::liveness_get, api::status_get, api::nudge_create, api::drain_create),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("This gateway's `apiSecret`.")).build();
        openapi
            .components
            .get_or_insert_with(Default::default)
            .add_security_scheme("apiSecret", SecurityScheme::Http(scheme));
    }
}

/// The OpenAPI 3.1 document.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> anyhow::Result<String> {
    let mut json = Document::openapi().to_pretty_json()?;
    json.push('\n');
    Ok(json)
}
