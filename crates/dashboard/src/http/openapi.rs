//! What the OpenAPI document says beside the operations.

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Proxima Gateway dashboard",
        description = "The control plane's API. Errors are problem documents (RFC 9457); lists are paged by cursor.",
        license(name = "Proprietary")
    ),
    components(schemas(super::problem::Problem)),
    modifiers(&Security)
)]
struct Base;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-proxima_session"))),
        );
        // Between the password and the second factor.
        components.add_security_scheme(
            "halfLogin",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-proxima_login"))),
        );
        components.add_security_scheme(
            "installToken",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
        components.add_security_scheme(
            "licenseKey",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
    }
}

pub(super) fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// What every operation can answer, whatever it does, and the form of all refusals.
pub(super) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        for operation in [&mut *put, post, delete, patch].into_iter().flatten() {
            add(operation, &CHANGING);
        }
        for operation in [get, put, post, delete, patch].into_iter().flatten() {
            add(operation, &ANY);
            as_problems(operation);
        }
    }
    document
}

const ANY: [(&str, &str); 2] = [
    ("408", "The request took too long"),
    ("503", "The database does not answer, or too much at once: Retry-After says when"),
];
const CHANGING: [(&str, &str); 2] =
    [("403", "Not allowed, or from another site's page"), ("413", "The body is over 256 KiB")];

fn add(operation: &mut Operation, answers: &[(&str, &str)]) {
    for (status, description) in answers {
        let entry = operation.responses.responses.entry((*status).to_owned());
        entry.or_insert_with(|| RefOr::T(problem(description)));
    }
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build()
}

/// RFC 9457 section 3.
const PROBLEM_JSON: &str = "application/problem+json";

fn as_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with(['4', '5'])
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert(PROBLEM_JSON.to_owned(), content);
        }
    }
}
