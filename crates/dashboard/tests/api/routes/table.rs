//! Who may do what. A route without a row, or a row without a route, fails the test.

use super::World;
use proxima_test_support::PASSWORD;
use serde_json::{Value, json};

/// No such case: the route names nothing that is somebody's.
pub const NONE: u16 = 0;

/// A route, and the status that each caller gets.
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub body: fn(&World) -> Option<Value>,
    pub anonymous: u16,
    /// An admin's session that has ended.
    pub ended: u16,
    /// A customer's license key as bearer token.
    pub key: u16,
    /// A customer, on what is their own.
    pub own: u16,
    /// A customer, on what is another customer's …
    pub others: u16,
    /// … and on what does not exist.
    pub missing: u16,
    /// An admin, on what is the first customer's …
    pub admin: u16,
    /// … and on what does not exist.
    pub admin_missing: u16,
}

const fn row(method: &'static str, path: &'static str, body: fn(&World) -> Option<Value>, statuses: [u16; 8]) -> Row {
    let [anonymous, ended, key, own, others, missing, admin, admin_missing] = statuses;
    Row { method, path, body, anonymous, ended, key, own, others, missing, admin, admin_missing }
}

fn no_body(_: &World) -> Option<Value> {
    None
}

fn login(world: &World) -> Option<Value> {
    Some(json!({ "username": world.own.username, "password": PASSWORD }))
}

fn code(_: &World) -> Option<Value> {
    Some(json!({ "method": "TOTP", "code": "123456" }))
}

fn first_code(_: &World) -> Option<Value> {
    Some(json!({ "code": "123456" }))
}

fn no_passkey(_: &World) -> Option<Value> {
    Some(json!({ "ceremonyId": "00000000-0000-4000-8000-000000000000", "credential": {} }))
}

fn new_passkey(_: &World) -> Option<Value> {
    Some(json!({ "ceremonyId": "00000000-0000-4000-8000-000000000000", "credential": {}, "name": "Key" }))
}

fn own_password(_: &World) -> Option<Value> {
    Some(json!({ "method": "PASSWORD", "password": PASSWORD }))
}

fn display_name(_: &World) -> Option<Value> {
    Some(json!({ "displayName": "Somebody" }))
}

fn password(_: &World) -> Option<Value> {
    Some(json!({ "currentPassword": PASSWORD, "newPassword": "another-heron-sings-8" }))
}

fn new_user(_: &World) -> Option<Value> {
    Some(json!({ "username": format!("new-{}", World::suffix()), "password": PASSWORD, "role": "CUSTOMER" }))
}

fn server_name(_: &World) -> Option<Value> {
    Some(json!({ "name": "Renamed" }))
}

fn config(_: &World) -> Option<Value> {
    Some(json!({ "generation": 0, "listeners": [{ "port": 80, "backendUrl": "http://127.0.0.1:3000" }] }))
}

fn empty(_: &World) -> Option<Value> {
    Some(json!({}))
}

fn settings(_: &World) -> Option<Value> {
    Some(json!({ "dashboardIpAllowlist": ["203.0.113.7"], "offlineLimitDays": null }))
}

fn heartbeat(world: &World) -> Option<Value> {
    Some(serde_json::to_value(world.gateway.clone().report()).expect("json"))
}

fn connection(_: &World) -> Option<Value> {
    Some(json!({ "host": "203.0.113.7", "port": 22, "user": "root", "password": PASSWORD }))
}

fn fingerprint(_: &World) -> Option<Value> {
    Some(json!({ "fingerprint": "SHA256:ldyiXa1JQakitNU5tErauu8DvWQ1dZ7aXu+rm7KQuog" }))
}

fn install(_: &World) -> Option<Value> {
    Some(json!({ "kind": "INSTALL" }))
}

fn retention(_: &World) -> Option<Value> {
    Some(json!({ "days": 365 }))
}

fn webhook(_: &World) -> Option<Value> {
    let (url, events) = ("https://hooks.example/x", ["gateway.offline"]);
    Some(json!({ "kind": "WEBHOOK", "description": "Hook", "url": url, "events": events, "enabled": true }))
}

fn webhook_change(_: &World) -> Option<Value> {
    let (url, events) = ("https://hooks.example/y", ["gateway.offline"]);
    Some(json!({ "description": "Hook", "url": url, "events": events, "enabled": false }))
}

fn notification_settings(_: &World) -> Option<Value> {
    Some(json!({ "licenseEndingHours": 48, "offlineSettleMinutes": 5, "silentHours": 24, "smtp": null }))
}

fn recipient(_: &World) -> Option<Value> {
    Some(json!({ "recipient": "ops@example.com" }))
}

const ENDPOINT: &str = "/api/v1/notifications/endpoints/{endpointId}";
const DELIVERY: &str = "/api/v1/notifications/deliveries/{deliveryId}";

pub const ROWS: &[Row] = &[
    // method, path, body, [anonymous, ended session, license key, own, other's, missing, admin, admin on missing]
    row("POST", "/api/v1/auth/login", login, [200, 200, 200, 200, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/auth/options", no_body, [200, 200, 200, 200, NONE, NONE, 200, NONE]),
    // These know the cookie of a half-made sign-in and nothing else.
    row("POST", "/api/v1/auth/second-factor", code, [401, 401, 401, 401, NONE, NONE, 401, NONE]),
    row("POST", "/api/v1/auth/second-factor/passkey", no_body, [401, 401, 401, 401, NONE, NONE, 401, NONE]),
    row("POST", "/api/v1/auth/passkey/options", no_body, [200, 200, 200, 200, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/auth/passkey", no_passkey, [422, 422, 422, 422, NONE, NONE, 422, NONE]),
    row("POST", "/api/v1/auth/step-up", own_password, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    // Nobody here has a second factor: whoever may gets as far as the refusal that says so.
    row("POST", "/api/v1/auth/step-up/passkey", no_body, [401, 401, 401, 409, NONE, NONE, 409, NONE]),
    row("GET", "/api/v1/me/security", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/me/totp", no_body, [401, 401, 401, 201, NONE, NONE, 201, NONE]),
    row("POST", "/api/v1/me/totp/confirm", first_code, [401, 401, 401, 409, NONE, NONE, 409, NONE]),
    row("DELETE", "/api/v1/me/totp", no_body, [401, 401, 401, 404, NONE, NONE, 404, NONE]),
    row("POST", "/api/v1/me/passkeys/options", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/me/passkeys", new_passkey, [401, 401, 401, 422, NONE, NONE, 422, NONE]),
    // Nobody, not even an admin, has anything to do with another person's passkeys.
    row("PATCH", "/api/v1/me/passkeys/{passkeyId}", server_name, [401, 401, 401, 200, 404, 404, 404, 404]),
    row("DELETE", "/api/v1/me/passkeys/{passkeyId}", no_body, [401, 401, 401, 204, 404, 404, 404, 404]),
    row("POST", "/api/v1/me/recovery-codes", no_body, [401, 401, 401, 409, NONE, NONE, 409, NONE]),
    row("POST", "/api/v1/auth/logout", no_body, [401, 401, 401, 204, NONE, NONE, 204, NONE]),
    row("GET", "/api/v1/login-pages/{slug}", no_body, [200, 200, 200, 200, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/me", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("PATCH", "/api/v1/me", display_name, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/me/password", password, [401, 401, 401, 204, NONE, NONE, 204, NONE]),
    row("GET", "/api/v1/me/sessions", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("DELETE", "/api/v1/me/sessions", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    // Nobody, not even an admin, ends another person's session here.
    row("DELETE", "/api/v1/me/sessions/{sessionId}", no_body, [401, 401, 401, 204, 404, 404, 404, 404]),
    row("GET", "/api/v1/users", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/users", new_user, [401, 401, 401, 403, NONE, NONE, 201, NONE]),
    row("GET", "/api/v1/users/{userId}", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("PATCH", "/api/v1/users/{userId}", display_name, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("DELETE", "/api/v1/users/{userId}", no_body, [401, 401, 401, 403, 403, 403, 204, 404]),
    row("GET", "/api/v1/users/{userId}/second-factor", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("DELETE", "/api/v1/users/{userId}/second-factor", no_body, [401, 401, 401, 403, 403, 403, 409, 404]),
    row("DELETE", "/api/v1/users/{userId}/sessions", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("GET", "/api/v1/servers", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/servers/{serverId}", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("PATCH", "/api/v1/servers/{serverId}", server_name, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("GET", "/api/v1/servers/{serverId}/config", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("PUT", "/api/v1/servers/{serverId}/config", config, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("GET", "/api/v1/servers/{serverId}/connection", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("PUT", "/api/v1/servers/{serverId}/connection", connection, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("DELETE", "/api/v1/servers/{serverId}/connection", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    // Nothing is connected, and the jobs are finished: who may gets as far as the 409 that says so.
    row("POST", "/api/v1/servers/{serverId}/connection/host-key", no_body, [401, 401, 401, 409, 404, 404, 409, 404]),
    row(
        "POST",
        "/api/v1/servers/{serverId}/connection/host-key/confirm",
        fingerprint,
        [401, 401, 401, 409, 404, 404, 409, 404],
    ),
    row("POST", "/api/v1/servers/{serverId}/connection/test", no_body, [401, 401, 401, 409, 404, 404, 409, 404]),
    row("POST", "/api/v1/servers/{serverId}/management/check", no_body, [401, 401, 401, 409, 404, 404, 409, 404]),
    row("POST", "/api/v1/servers/{serverId}/jobs", install, [401, 401, 401, 409, 404, 404, 409, 404]),
    row("GET", "/api/v1/servers/{serverId}/jobs", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("GET", "/api/v1/servers/{serverId}/jobs/{jobId}", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("POST", "/api/v1/servers/{serverId}/jobs/{jobId}/cancel", no_body, [401, 401, 401, 409, 404, 404, 409, 404]),
    // This dashboard knows no address for gateways: who may gets as far as the 409 that says so.
    row("POST", "/api/v1/servers/{serverId}/install-token", no_body, [401, 401, 401, 409, 404, 404, 409, 404]),
    row("GET", "/api/v1/servers/{serverId}/install-token", no_body, [401, 401, 401, 200, 404, 404, 200, 404]),
    row("DELETE", "/api/v1/servers/{serverId}/install-token", no_body, [401, 401, 401, 204, 404, 404, 204, 404]),
    // These know install tokens and report tokens, and nothing else.
    row("POST", "/api/v1/install/claim", empty, [401, 401, 401, 401, NONE, NONE, 401, NONE]),
    row("GET", "/api/v1/install/program/{architecture}", no_body, [401, 401, 401, 401, NONE, NONE, 401, NONE]),
    row("POST", "/api/v1/install/jobs/{jobId}/report", empty, [401, 401, 401, 401, 401, 401, 401, 401]),
    row("GET", "/api/v1/servers/{serverId}/license", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("POST", "/api/v1/servers/{serverId}/license/reveal", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("POST", "/api/v1/servers/{serverId}/license/regenerate", no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("POST", "/api/v1/servers/{serverId}/license/revoke", empty, [401, 401, 401, 403, 403, 403, 200, 404]),
    // The license is ACTIVE: the admin gets as far as the 409 that says so.
    row("POST", "/api/v1/servers/{serverId}/license/reinstate", no_body, [401, 401, 401, 403, 403, 403, 409, 404]),
    row("POST", "/api/v1/servers/{serverId}/license/rotate", empty, [401, 401, 401, 403, 403, 403, 200, 404]),
    // No rotation is open: the admin gets as far as the 409 that says so.
    row("POST", "/api/v1/servers/{serverId}/license/rotate/cancel", no_body, [401, 401, 401, 403, 403, 403, 409, 404]),
    row("GET", "/api/v1/audit", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/audit/actions", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/audit/export", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/audit/integrity", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/audit/retention", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("PUT", "/api/v1/audit/retention", retention, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/settings", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("PUT", "/api/v1/settings", settings, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/settings/certificate", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/keys", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/notifications/events", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/notifications/settings", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("PUT", "/api/v1/notifications/settings", notification_settings, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    // No e-mail server is set up: the admin gets as far as the 409 that says so.
    row("POST", "/api/v1/notifications/settings/test", recipient, [401, 401, 401, 403, NONE, NONE, 409, NONE]),
    row("GET", "/api/v1/notifications/endpoints", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    row("POST", "/api/v1/notifications/endpoints", webhook, [401, 401, 401, 403, NONE, NONE, 201, NONE]),
    row("GET", ENDPOINT, no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("PUT", ENDPOINT, webhook_change, [401, 401, 401, 403, 403, 403, 200, 404]),
    row("DELETE", ENDPOINT, no_body, [401, 401, 401, 403, 403, 403, 204, 404]),
    row(
        "POST",
        "/api/v1/notifications/endpoints/{endpointId}/secret/reveal",
        no_body,
        [401, 401, 401, 403, 403, 403, 200, 404],
    ),
    row(
        "POST",
        "/api/v1/notifications/endpoints/{endpointId}/secret/rotate",
        no_body,
        [401, 401, 401, 403, 403, 403, 200, 404],
    ),
    row("POST", "/api/v1/notifications/endpoints/{endpointId}/test", no_body, [401, 401, 401, 403, 403, 403, 202, 404]),
    row(
        "GET",
        "/api/v1/notifications/endpoints/{endpointId}/deliveries",
        no_body,
        [401, 401, 401, 403, 403, 403, 200, 404],
    ),
    row("GET", DELIVERY, no_body, [401, 401, 401, 403, 403, 403, 200, 404]),
    row(
        "POST",
        "/api/v1/notifications/deliveries/{deliveryId}/redeliver",
        no_body,
        [401, 401, 401, 403, 403, 403, 202, 404],
    ),
    row("GET", "/api/v1/platform", no_body, [401, 401, 401, 200, NONE, NONE, 200, NONE]),
    row("GET", "/api/v1/fleet", no_body, [401, 401, 401, 403, NONE, NONE, 200, NONE]),
    // The heartbeat knows license keys and nothing else: a session is no credential here.
    row("POST", "/api/v1/heartbeat", heartbeat, [401, 401, 200, 401, NONE, NONE, 401, NONE]),
];

/// The privileged routes: they refuse whoever last showed more than five minutes ago that it is them. (`PATCH` of a user and
/// `POST` of users are when they change what somebody signs in with; `access.rs` tests that.)
pub const STEP_UP: &[(&str, &str)] = &[
    ("PUT", "/api/v1/notifications/settings"),
    ("POST", "/api/v1/notifications/settings/test"),
    ("POST", "/api/v1/notifications/endpoints"),
    ("PUT", ENDPOINT),
    ("DELETE", ENDPOINT),
    ("POST", "/api/v1/notifications/endpoints/{endpointId}/secret/reveal"),
    ("POST", "/api/v1/notifications/endpoints/{endpointId}/secret/rotate"),
    ("POST", "/api/v1/me/totp"),
    ("DELETE", "/api/v1/me/totp"),
    ("POST", "/api/v1/me/passkeys/options"),
    ("DELETE", "/api/v1/me/passkeys/{passkeyId}"),
    ("POST", "/api/v1/me/recovery-codes"),
    ("DELETE", "/api/v1/users/{userId}"),
    ("DELETE", "/api/v1/users/{userId}/second-factor"),
    ("DELETE", "/api/v1/users/{userId}/sessions"),
    ("PUT", "/api/v1/servers/{serverId}/connection"),
    ("DELETE", "/api/v1/servers/{serverId}/connection"),
    ("POST", "/api/v1/servers/{serverId}/install-token"),
    ("POST", "/api/v1/servers/{serverId}/license/reveal"),
    ("POST", "/api/v1/servers/{serverId}/license/regenerate"),
    ("POST", "/api/v1/servers/{serverId}/license/revoke"),
    ("POST", "/api/v1/servers/{serverId}/license/rotate"),
    ("PUT", "/api/v1/settings"),
    ("PUT", "/api/v1/audit/retention"),
];
