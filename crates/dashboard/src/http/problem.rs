//! Errors as problem documents (RFC 9457). A handler's error travels in the response's extensions;
//! [`finish`] writes the body, where the request's id is known, and logs what callers must not see.

use crate::app::AppError;
use crate::keyring::KeyTrouble;
use axum::extract::Request;
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use proxima_types::{FieldError, LicenseStatus, ProofMethod};
use serde::Serialize;
use std::sync::Arc;
use tower_http::csrf::ProtectionError;
use tower_http::request_id::RequestId;

/// A problem document.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:proxima:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// A stable word for programs.
    pub code: String,
    /// Quote it to whoever reads the dashboard's log.
    pub request_id: String,
    /// Every field that was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The present state, when a license action was refused for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_status: Option<LicenseStatus>,
    /// How to show that it is oneself, when that is needed first (`step_up_required`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub methods: Vec<ProofMethod>,
    /// As the header `Retry-After`, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// The error on its way out.
#[derive(Clone)]
pub(super) struct Carried(pub Arc<AppError>);

struct Shape {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
}

fn shape(error: &AppError) -> Shape {
    if let Some(trouble) = error.key_trouble() {
        return key_shape(trouble);
    }
    let (status, code, title) = match error {
        AppError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "The input is not valid"),
        AppError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large"),
        AppError::Conflict(_) => (StatusCode::CONFLICT, "conflict", "The value is taken"),
        AppError::LicenseState { .. } => {
            (StatusCode::CONFLICT, "license_state_conflict", "The license does not allow this")
        }
        AppError::NotNow { code, title, .. } => (StatusCode::CONFLICT, *code, *title),
        AppError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts"),
        AppError::ConfirmationRequired(_) => (StatusCode::CONFLICT, "confirmation_required", "Confirmation required"),
        AppError::Stale => (StatusCode::CONFLICT, "stale", "Changed meanwhile"),
        AppError::LastAdmin => (StatusCode::CONFLICT, "last_admin", "The last admin stays"),
        AppError::SelfDelete => (StatusCode::CONFLICT, "self_delete", "Not your own account"),
        AppError::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
        AppError::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
        AppError::StepUpRequired { .. } => (StatusCode::FORBIDDEN, "step_up_required", "Show that it is you"),
        AppError::PasswordChangeRequired => {
            (StatusCode::FORBIDDEN, "password_change_required", "Choose your own password")
        }
        AppError::EnrollmentRequired => (StatusCode::FORBIDDEN, "enrollment_required", "Add a second factor"),
        AppError::LoginExpired => (StatusCode::UNAUTHORIZED, "login_expired", "Start again"),
        AppError::PasskeyRefused => (StatusCode::UNAUTHORIZED, "passkey_refused", "Passkey refused"),
        AppError::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in first"),
        AppError::LicenseKeyMissing => (StatusCode::UNAUTHORIZED, "license_key_missing", "License key missing"),
        AppError::BadInstallToken => (StatusCode::UNAUTHORIZED, "install_token_refused", "Install token refused"),
        AppError::InvalidCredentials => (StatusCode::UNAUTHORIZED, "invalid_credentials", "Sign-in failed"),
        AppError::TemporaryPasswordExpired => {
            (StatusCode::UNAUTHORIZED, "temporary_password_expired", "Temporary password expired")
        }
        AppError::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy"),
        AppError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable"),
        AppError::Keys(_) | AppError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
    };
    Shape { status, code, title }
}

/// A key that is missing is the operator's to put back; a secret that was changed in the database is gone.
fn key_shape(trouble: KeyTrouble) -> Shape {
    let (status, code, title) = match trouble {
        KeyTrouble::MasterKeyMissing(_) | KeyTrouble::MasterKeyWrong(_) | KeyTrouble::NoMasterKey => {
            (StatusCode::SERVICE_UNAVAILABLE, "master_key_missing", "A master key is missing")
        }
        KeyTrouble::SigningKeyMissing => {
            (StatusCode::SERVICE_UNAVAILABLE, "signing_key_missing", "The signing key is missing")
        }
        KeyTrouble::Altered => {
            (StatusCode::INTERNAL_SERVER_ERROR, "secret_unreadable", "A stored secret does not open")
        }
    };
    Shape { status, code, title }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut response = shape(&self).status.into_response();
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}

/// A sentence that starts like one.
fn detail(error: &AppError) -> String {
    let text = match error {
        error if error.key_trouble().is_some() => {
            error.key_trouble().map(|trouble| trouble.to_string()).unwrap_or_default()
        }
        AppError::LicenseState { present } => {
            format!("The license is {present} now, so this cannot be done. The page shows its present state.")
        }
        AppError::Invalid(_) => "Some fields need another value; each is named below.".to_owned(),
        other => other.to_string(),
    };
    let mut characters = text.chars();
    let mut sentence: String = characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

/// The id of a request.
pub(super) fn request_id(extensions: &Extensions) -> &str {
    extensions.get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default()
}

/// Writes the bodies of errors, whoever made them: a handler, the CSRF layer, or the router.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let request_id = request_id(request.extensions()).to_owned();
    let response = next.run(request).await;
    if let Some(Carried(error)) = response.extensions().get::<Carried>().cloned() {
        return document(&error, request_id);
    }
    if response.extensions().get::<ProtectionError>().is_some() {
        let sentence = "This request came from another site. Open the dashboard itself and try again";
        return plain(StatusCode::FORBIDDEN, "cross_origin", sentence, request_id);
    }
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => plain(response.status(), "too_large", "The request is too large", request_id),
        StatusCode::METHOD_NOT_ALLOWED => {
            plain(response.status(), "method_not_allowed", "This address does not take this method", request_id)
        }
        StatusCode::REQUEST_TIMEOUT => plain(response.status(), "timeout", "The request took too long", request_id),
        _ => response,
    }
}

fn document(error: &AppError, request_id: String) -> Response {
    match error {
        error if error.key_trouble().is_some() => {
            let trouble = error.key_trouble().map(|trouble| trouble.to_string());
            tracing::error!(trouble, request_id, "a key is missing, or a secret does not open");
        }
        AppError::Internal(reason) => tracing::error!(error = ?reason, request_id, "internal error"),
        AppError::Unavailable(reason) => tracing::warn!(error = ?reason, request_id, "the database is unavailable"),
        _ => {}
    }
    let Shape { status, code, title } = shape(error);
    let retry_after = retry_after(error);
    let problem = Problem {
        kind: format!("urn:proxima:problem:{code}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: detail(error),
        code: code.to_owned(),
        request_id,
        errors: match error {
            AppError::Invalid(errors) => errors.clone().into_vec(),
            AppError::Conflict(error) => vec![error.clone()],
            _ => Vec::new(),
        },
        license_status: match error {
            AppError::LicenseState { present } => Some(*present),
            _ => None,
        },
        methods: match error {
            AppError::StepUpRequired { methods } => methods.clone(),
            _ => Vec::new(),
        },
        retry_after_seconds: retry_after,
    };
    let mut response = write(status, &problem);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn retry_after(error: &AppError) -> Option<u32> {
    match error {
        AppError::Busy { retry_after_seconds } | AppError::TooMany { retry_after_seconds } => {
            Some(*retry_after_seconds)
        }
        AppError::Unavailable(_) => Some(5),
        AppError::Keys(KeyTrouble::SigningKeyMissing) => Some(15),
        _ => None,
    }
}

fn plain(status: StatusCode, code: &str, sentence: &str, request_id: String) -> Response {
    let problem = Problem {
        kind: format!("urn:proxima:problem:{code}"),
        title: sentence.to_owned(),
        status: status.as_u16(),
        detail: format!("{sentence}."),
        code: code.to_owned(),
        request_id,
        errors: Vec::new(),
        license_status: None,
        methods: Vec::new(),
        retry_after_seconds: None,
    };
    write(status, &problem)
}

fn write(status: StatusCode, problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body).into_response()
}
