//! Every text field of the API's requests: how it is sent, and where it is read back.

use proxima_test_support::PASSWORD;
use serde_json::Value;

pub struct Field {
    /// The schema and property in the OpenAPI document.
    pub schema: &'static str,
    pub property: &'static str,
    pub method: &'static str,
    /// With `{user}` and `{server}` for an existing customer's, and `{endpoint}` for an existing webhook.
    pub path: &'static str,
    /// JSON, with `$` where the text stands and `GOOD` for a good password.
    body: &'static str,
    /// The names under which a refusal may name it; none for what only confirms.
    pub named: &'static [&'static str],
    /// Where an accepted text stands in the answer, if it does.
    pub read_back: Option<&'static str>,
}

type Target = (&'static str, &'static str, &'static str);

const CREATE: Target = ("CreateUserRequest", "POST", "/api/v1/users");
const EDIT: Target = ("UpdateUserRequest", "PATCH", "/api/v1/users/{user}");
const RENAME: Target = ("UpdateServerRequest", "PATCH", "/api/v1/servers/{server}");
const ME: Target = ("UpdateMeRequest", "PATCH", "/api/v1/me");
const CONFIG: Target = ("ListenerInput", "PUT", "/api/v1/servers/{server}/config");
const SETTINGS: Target = ("UpdateSettingsRequest", "PUT", "/api/v1/settings");
const CONNECTION: Target = ("SaveConnectionRequest", "PUT", "/api/v1/servers/{server}/connection");
const CONFIRM: Target = ("ConfirmHostKeyRequest", "POST", "/api/v1/servers/{server}/connection/host-key/confirm");
const CHANGE: Target = ("ChangePasswordRequest", "POST", "/api/v1/me/password");
const LOGIN: Target = ("LoginRequest", "POST", "/api/v1/auth/login");
const HOOK: Target = ("CreateNotificationEndpointRequest", "POST", "/api/v1/notifications/endpoints");
const HOOKED: Target = ("UpdateNotificationEndpointRequest", "PUT", "/api/v1/notifications/endpoints/{endpoint}");
const TEST_MAIL: Target = ("TestMailRequest", "POST", "/api/v1/notifications/settings/test");
const SECOND_FACTOR: Target = ("SecondFactorRequest", "POST", "/api/v1/auth/second-factor");
const STEP_UP: Target = ("StepUpRequest", "POST", "/api/v1/auth/step-up");
const PASSKEY_LOGIN: Target = ("PasskeyLoginRequest", "POST", "/api/v1/auth/passkey");
const CONFIRM_TOTP: Target = ("ConfirmTotpRequest", "POST", "/api/v1/me/totp/confirm");
const ADD_PASSKEY: Target = ("AddPasskeyRequest", "POST", "/api/v1/me/passkeys");
/// The passkey has the user's id in this test.
const RENAME_PASSKEY: Target = ("RenamePasskeyRequest", "PATCH", "/api/v1/me/passkeys/{user}");

const fn field(
    target: Target,
    property: &'static str,
    body: &'static str,
    named: &'static [&'static str],
    read_back: Option<&'static str>,
) -> Field {
    let (schema, method, path) = target;
    Field { schema, property, method, path, body, named, read_back }
}

pub const FIELDS: &[Field] = &[
    field(
        CREATE,
        "username",
        r#"{ "username": "$", "password": "GOOD", "role": "CUSTOMER" }"#,
        &["username"],
        Some("/username"),
    ),
    // The usernames that these make are taken from the second text on.
    field(
        CREATE,
        "password",
        r#"{ "username": "texts1", "password": "$", "role": "CUSTOMER" }"#,
        &["password", "username"],
        None,
    ),
    field(
        CREATE,
        "displayName",
        r#"{ "username": "texts2", "password": "GOOD", "role": "ADMIN", "displayName": "$" }"#,
        &["displayName", "username"],
        Some("/displayName"),
    ),
    field(
        CREATE,
        "loginSlug",
        r#"{ "username": "texts3", "password": "GOOD", "role": "ADMIN", "loginSlug": "$" }"#,
        &["loginSlug", "username"],
        Some("/loginSlug"),
    ),
    field(
        CREATE,
        "serverName",
        r#"{ "username": "texts4", "password": "GOOD", "role": "CUSTOMER", "serverName": "$" }"#,
        &["serverName", "username"],
        Some("/server/name"),
    ),
    field(EDIT, "username", r#"{ "username": "$" }"#, &["username"], Some("/username")),
    field(EDIT, "password", r#"{ "password": "$" }"#, &["password"], None),
    field(EDIT, "displayName", r#"{ "displayName": "$" }"#, &["displayName"], Some("/displayName")),
    field(EDIT, "loginSlug", r#"{ "loginSlug": "$" }"#, &["loginSlug"], Some("/loginSlug")),
    field(EDIT, "serverName", r#"{ "serverName": "$" }"#, &["serverName"], None),
    field(EDIT, "confirmServerDeletion", r#"{ "role": "ADMIN", "confirmServerDeletion": "$" }"#, &[], None),
    field(RENAME, "name", r#"{ "name": "$" }"#, &["name"], Some("/name")),
    field(ME, "displayName", r#"{ "displayName": "$" }"#, &["displayName"], Some("/displayName")),
    field(
        CONFIG,
        "backendUrl",
        r#"{ "generation": 0, "listeners": [{ "port": 80, "backendUrl": "$" }] }"#,
        &["listeners[0].backendUrl"],
        None,
    ),
    field(
        SETTINGS,
        "dashboardIpAllowlist",
        r#"{ "dashboardIpAllowlist": ["203.0.113.7", "$"], "offlineLimitDays": null }"#,
        &["dashboardIpAllowlist[1]"],
        None,
    ),
    field(
        SETTINGS,
        "outboundAllowlist",
        r#"{ "dashboardIpAllowlist": [], "outboundAllowlist": ["$"], "offlineLimitDays": null }"#,
        &["outboundAllowlist[0]"],
        None,
    ),
    field(CONNECTION, "host", r#"{ "host": "$", "port": 22, "user": "root" }"#, &["host"], Some("/host")),
    field(CONNECTION, "user", r#"{ "host": "203.0.113.7", "port": 22, "user": "$" }"#, &["user"], Some("/user")),
    field(
        CONNECTION,
        "password",
        r#"{ "host": "203.0.113.7", "port": 22, "user": "root", "password": "$" }"#,
        &["password"],
        None,
    ),
    field(
        CONNECTION,
        "privateKey",
        r#"{ "host": "203.0.113.7", "port": 22, "user": "root", "privateKey": "$" }"#,
        &["privateKey"],
        None,
    ),
    field(
        CONNECTION,
        "passphrase",
        r#"{ "host": "203.0.113.7", "port": 22, "user": "root", "privateKey": "none", "passphrase": "$" }"#,
        &["privateKey", "passphrase"],
        None,
    ),
    field(
        CONNECTION,
        "sudoPassword",
        r#"{ "host": "203.0.113.7", "port": 22, "user": "root", "sudoPassword": "$" }"#,
        &["sudoPassword"],
        None,
    ),
    // No host key was shown yet: it is always another one.
    field(CONFIRM, "fingerprint", r#"{ "fingerprint": "$" }"#, &[], None),
    field(
        CHANGE,
        "currentPassword",
        r#"{ "currentPassword": "$", "newPassword": "GOOD" }"#,
        &["currentPassword"],
        None,
    ),
    field(
        CHANGE,
        "newPassword",
        r#"{ "currentPassword": "wrong", "newPassword": "$" }"#,
        &["newPassword", "currentPassword"],
        None,
    ),
    field(LOGIN, "username", r#"{ "username": "$", "password": "x" }"#, &["username"], None),
    field(LOGIN, "slug", r#"{ "slug": "$", "password": "x" }"#, &["username"], None),
    field(LOGIN, "password", r#"{ "username": "admin", "password": "$" }"#, &["password"], None),
    field(
        HOOK,
        "description",
        r#"{ "kind": "WEBHOOK", "description": "$", "url": "https://a.example/", "events": ["key.shared"], "enabled": true }"#,
        &["description"],
        Some("/endpoint/description"),
    ),
    field(
        HOOK,
        "url",
        r#"{ "kind": "WEBHOOK", "description": "x", "url": "$", "events": ["key.shared"], "enabled": true }"#,
        &["url"],
        None,
    ),
    field(
        HOOKED,
        "description",
        r#"{ "description": "$", "url": "https://a.example/", "events": ["key.shared"], "enabled": true }"#,
        &["description"],
        Some("/description"),
    ),
    field(
        HOOKED,
        "url",
        r#"{ "description": "x", "url": "$", "events": ["key.shared"], "enabled": true }"#,
        &["url"],
        None,
    ),
    field(
        HOOK,
        "recipients",
        r#"{ "kind": "EMAIL", "description": "x", "recipients": ["$"], "events": ["key.shared"], "enabled": true }"#,
        &["recipients[0]"],
        None,
    ),
    // It is a webhook: it has none.
    field(
        HOOKED,
        "recipients",
        r#"{ "description": "x", "url": "https://a.example/", "recipients": ["$"], "events": ["key.shared"], "enabled": true }"#,
        &["recipients"],
        None,
    ),
    field(TEST_MAIL, "recipient", r#"{ "recipient": "$" }"#, &["recipient"], None),
    field(SECOND_FACTOR, "code", r#"{ "method": "RECOVERY_CODE", "code": "$" }"#, &["code"], None),
    field(STEP_UP, "password", r#"{ "method": "PASSWORD", "password": "$" }"#, &["password"], None),
    field(STEP_UP, "code", r#"{ "method": "TOTP", "code": "$" }"#, &["code"], None),
    field(
        PASSKEY_LOGIN,
        "slug",
        r#"{ "ceremonyId": "00000000-0000-4000-8000-000000000000", "credential": {}, "slug": "$" }"#,
        &["credential"],
        None,
    ),
    field(CONFIRM_TOTP, "code", r#"{ "code": "$" }"#, &["code"], None),
    field(
        ADD_PASSKEY,
        "name",
        r#"{ "ceremonyId": "00000000-0000-4000-8000-000000000000", "credential": {}, "name": "$" }"#,
        &["name", "credential"],
        None,
    ),
    field(RENAME_PASSKEY, "name", r#"{ "name": "$" }"#, &["name"], Some("/name")),
];

impl Field {
    pub fn body(&self, text: &str) -> Value {
        let mut body = serde_json::from_str(self.body).expect("a template");
        fill(&mut body, text);
        body
    }
}

fn fill(value: &mut Value, text: &str) {
    match value {
        Value::String(place) if place == "$" => text.clone_into(place),
        Value::String(place) if place == "GOOD" => PASSWORD.clone_into(place),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, text)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, text)),
        _ => {}
    }
}
