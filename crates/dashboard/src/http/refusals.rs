//! Where refused attempts at privileged acts are seen: whatever a handler answers, its error passes here.

use super::AppState;
use super::problem::Carried;
use crate::app::refusals::{self, Attempt, Kind};
use crate::app::{Actor, AppError};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::sync::{Arc, OnceLock};

/// Who turned out to be asking.
#[derive(Clone, Default)]
struct Asking(Arc<OnceLock<Actor>>);

/// Privileged acts: method, route, and the action that the audit log knows them by.
const ACTS: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/users", "user.create"),
    ("PATCH", "/api/v1/users/{userId}", "user.update"),
    ("DELETE", "/api/v1/users/{userId}", "user.delete"),
    ("POST", "/api/v1/servers/{serverId}/license/reveal", "server.license.reveal"),
    ("POST", "/api/v1/servers/{serverId}/license/regenerate", "server.license.regenerate"),
    ("POST", "/api/v1/servers/{serverId}/license/revoke", "server.license.revoke"),
    ("POST", "/api/v1/servers/{serverId}/license/reinstate", "server.license.reinstate"),
    ("POST", "/api/v1/servers/{serverId}/license/rotate", "server.license.rotate"),
    ("POST", "/api/v1/servers/{serverId}/license/rotate/cancel", "server.license.rotate.cancel"),
    ("PUT", "/api/v1/servers/{serverId}/connection", "server.connection.update"),
    ("DELETE", "/api/v1/servers/{serverId}/connection", "server.connection.forget"),
    ("POST", "/api/v1/servers/{serverId}/install-token", "server.install_token.create"),
    ("DELETE", "/api/v1/users/{userId}/second-factor", "user.second_factor.reset"),
    ("DELETE", "/api/v1/users/{userId}/sessions", "user.sign_out"),
    ("POST", "/api/v1/me/password", "user.password.change"),
    ("POST", "/api/v1/me/totp", "user.totp.add"),
    ("POST", "/api/v1/me/totp/confirm", "user.totp.add"),
    ("DELETE", "/api/v1/me/totp", "user.totp.remove"),
    ("POST", "/api/v1/me/passkeys/options", "user.passkey.add"),
    ("POST", "/api/v1/me/passkeys", "user.passkey.add"),
    ("DELETE", "/api/v1/me/passkeys/{passkeyId}", "user.passkey.remove"),
    ("POST", "/api/v1/me/recovery-codes", "user.recovery_codes.make"),
    ("PUT", "/api/v1/settings", "settings.update"),
    ("POST", "/api/v1/notifications/endpoints", "notification.endpoint.create"),
    ("PUT", "/api/v1/notifications/endpoints/{endpointId}", "notification.endpoint.update"),
    ("DELETE", "/api/v1/notifications/endpoints/{endpointId}", "notification.endpoint.delete"),
    ("POST", "/api/v1/notifications/endpoints/{endpointId}/secret/reveal", "notification.endpoint.secret.reveal"),
    ("POST", "/api/v1/notifications/endpoints/{endpointId}/secret/rotate", "notification.endpoint.secret.rotate"),
    ("PUT", "/api/v1/notifications/settings", "notification.settings.update"),
    ("POST", "/api/v1/notifications/settings/test", "notification.settings.test"),
    ("PUT", "/api/v1/audit/retention", "audit.retention.update"),
    ("GET", "/api/v1/audit/export", "audit.export"),
];

/// Of every other route only that somebody without the role tried it.
const OTHER: &str = "api.refused";

/// Called by whoever finds out who asks.
pub(super) fn note_actor(parts: &Parts, actor: &Actor) {
    if let Some(Asking(asking)) = parts.extensions.get() {
        let _ = asking.set(actor.clone());
    }
}

pub(super) async fn record(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let asking = Asking::default();
    request.extensions_mut().insert(asking.clone());
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let carried = response.extensions().get::<Carried>().map(|Carried(error)| Arc::clone(error));
    if let (Some(error), Some(actor), Some(route)) = (carried, asking.0.get(), route)
        && let Some(action) = action(&method, &route, &error)
    {
        let target = target(&route, &path);
        // Boxed: every request would carry the place for it otherwise.
        Box::pin(refusals::record(&app, actor, Attempt { action, target }, &error)).await;
    }
    response
}

fn action(method: &Method, route: &str, error: &AppError) -> Option<&'static str> {
    let known = ACTS.iter().find(|(m, r, _)| *m == method.as_str() && *r == route).map(|(_, _, action)| *action);
    known.or_else(|| matches!(error, AppError::Forbidden).then_some(OTHER))
}

/// What the path names: the route says what its part is an id of.
fn target<'a>(route: &str, path: &'a str) -> Option<(Kind, &'a str)> {
    route.split('/').zip(path.split('/')).find_map(|(name, part)| match name {
        "{userId}" => Some((Kind::User, part)),
        "{serverId}" => Some((Kind::Server, part)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::audit::ACTIONS;

    #[test]
    fn every_act_is_an_action_and_a_route() {
        let document = crate::http::openapi_json().expect("the document");
        let document: serde_json::Value = serde_json::from_str(&document).expect("json");
        for (method, route, action) in ACTS {
            assert!(ACTIONS.contains(action), "{action}");
            let operation = &document["paths"][route][method.to_lowercase()];
            assert!(operation.is_object(), "{method} {route} is no route");
        }
    }

    #[test]
    fn the_path_says_whom_it_is_about() {
        let found = target("/api/v1/users/{userId}", "/api/v1/users/7");
        assert_eq!(found, Some((Kind::User, "7")));
        assert_eq!(target("/api/v1/settings", "/api/v1/settings"), None);
    }
}
