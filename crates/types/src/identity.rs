//! `config.json`: who a gateway is (product.md section 4). Ports and rules are not in it: they
//! come from the dashboard in signed answers.

use crate::field_error::{FieldError, FieldErrors};
use crate::gateway_config::GatewayConfig;
use crate::ids::{InstallId, ServerId};
use crate::secrets::{ApiSecret, LicenseKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// A checked `config.json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayIdentity {
    pub dashboard_url: DashboardUrl,
    /// The Ed25519 keys whose signature under an answer counts; at least one.
    pub dashboard_public_keys: Vec<DashboardPublicKey>,
    pub server_id: ServerId,
    pub api_key: LicenseKey,
    pub api_secret: ApiSecret,
    pub install_id: InstallId,
    /// Who may reach the management API on `:6060`: `None` is everybody, an empty list nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_allow: Option<Vec<IpNet>>,
    /// Only for a bench: used until the dashboard delivers another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<GatewayConfig>,
}

/// 32 bytes, base64 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DashboardPublicKey(pub [u8; 32]);

impl DashboardPublicKey {
    /// # Errors
    /// When the text is not the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, String> {
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| "expected the base64 of 32 bytes".to_owned())
    }
}

impl std::fmt::Display for DashboardPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl Serialize for DashboardPublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DashboardPublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// `https://…`, or `http://` to loopback only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardUrl(url::Url);

impl DashboardUrl {
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|_| "expected a URL such as https://panel.example.com".to_owned())?;
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => return Err("the host is missing".to_owned()),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err("use https:// (http:// is for a dashboard on loopback only)".to_owned()),
            other => return Err(format!("use https://, not {other}://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it cannot carry a user name or password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it cannot carry a query or fragment".to_owned());
        }
        Ok(Self(url))
    }

    /// The URL of `path` (which starts with `/`) below this one.
    #[must_use]
    pub fn join(&self, path: &str) -> url::Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }
}

impl std::fmt::Display for DashboardUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Serialize for DashboardUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DashboardUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const FIELDS: &[&str] = &[
    "dashboardUrl",
    "dashboardPublicKeys",
    "serverId",
    "apiKey",
    "apiSecret",
    "installId",
    "managementAllow",
    "config",
];

impl GatewayIdentity {
    /// Reads a `config.json`. No message repeats a secret's value.
    ///
    /// # Errors
    /// Every problem at once: unknown, missing and malformed fields.
    pub fn parse(json: &str) -> Result<Self, FieldErrors> {
        let object = parse_object(json)?;
        let mut errors = FieldErrors::new();
        for key in object.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            errors.push(FieldError::new(key, "unknown", format!("unknown field; known are {}", FIELDS.join(", "))));
        }
        let dashboard_url = errors.check(text(&object, "dashboardUrl", DashboardUrl::parse));
        let dashboard_public_keys = errors.check(public_keys(&object));
        let server_id = errors.check(text(&object, "serverId", parse_uuid).map(ServerId));
        let api_key = errors.check(text(&object, "apiKey", |text| LicenseKey::parse(text).map_err(|e| e.to_string())));
        let api_secret =
            errors.check(text(&object, "apiSecret", |text| ApiSecret::parse(text).map_err(|e| e.to_string())));
        let install_id = errors.check(text(&object, "installId", parse_uuid).map(InstallId));
        let management_allow = errors.check(management_allow(&object));
        let config = errors.check(embedded_config(&object));
        errors.into_result()?;
        let secrets = api_key.zip(api_secret);
        match (dashboard_url, dashboard_public_keys, server_id, secrets, install_id, management_allow, config) {
            (
                Some(dashboard_url),
                Some(dashboard_public_keys),
                Some(server_id),
                Some((api_key, api_secret)),
                Some(install_id),
                Some(management_allow),
                Some(config),
            ) => Ok(Self {
                dashboard_url,
                dashboard_public_keys,
                server_id,
                api_key,
                api_secret,
                install_id,
                management_allow,
                config,
            }),
            _ => Err(FieldError::new("config.json", "invalid", "a field is missing").into()),
        }
    }

    /// As `config.json` holds it. Contains the secrets in clear.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

fn parse_object(json: &str) -> Result<Map<String, Value>, FieldErrors> {
    let problem = |message: String| FieldErrors::from(FieldError::new("config.json", "invalid", message));
    match serde_json::from_str(json) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(problem("expected a JSON object".to_owned())),
        // Only the position: serde's own message may quote a value.
        Err(error) => Err(problem(format!("not valid JSON at line {}, column {}", error.line(), error.column()))),
    }
}

fn text<T>(
    object: &Map<String, Value>,
    field: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, FieldError> {
    match object.get(field) {
        Some(Value::String(text)) => parse(text).map_err(|message| FieldError::new(field, "invalid", message)),
        Some(_) => Err(FieldError::new(field, "invalid", "expected a string")),
        None => Err(FieldError::new(field, "required", "this field is missing")),
    }
}

fn parse_uuid(text: &str) -> Result<uuid::Uuid, String> {
    text.parse().map_err(|_| "expected a UUID".to_owned())
}

fn public_keys(object: &Map<String, Value>) -> Result<Vec<DashboardPublicKey>, FieldError> {
    const FIELD: &str = "dashboardPublicKeys";
    let invalid = |message: String| FieldError::new(FIELD, "invalid", message);
    let values = match object.get(FIELD) {
        Some(Value::Array(values)) if !values.is_empty() => values,
        Some(_) => return Err(invalid("expected a list of at least one base64 key".to_owned())),
        None => return Err(FieldError::new(FIELD, "required", "this field is missing")),
    };
    values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let text = value.as_str().ok_or_else(|| invalid(format!("entry {index}: expected a string")))?;
            DashboardPublicKey::parse(text).map_err(|message| invalid(format!("entry {index}: {message}")))
        })
        .collect()
}

/// `null` and a missing field are the same; addresses and CIDRs may be mixed.
fn management_allow(object: &Map<String, Value>) -> Result<Option<Vec<IpNet>>, FieldError> {
    const FIELD: &str = "managementAllow";
    let invalid = |message: String| FieldError::new(FIELD, "invalid", message);
    let values = match object.get(FIELD) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(invalid("expected a list of addresses and CIDRs, or null".to_owned())),
    };
    let net = |(index, value): (usize, &Value)| {
        let text = value.as_str().unwrap_or_default();
        let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        address.or_else(|_| text.parse()).map_err(|_| invalid(format!("entry {index}: expected an address or CIDR")))
    };
    values.iter().enumerate().map(net).collect::<Result<_, _>>().map(Some)
}

fn embedded_config(object: &Map<String, Value>) -> Result<Option<GatewayConfig>, FieldError> {
    let Some(value) = object.get("config").filter(|value| !value.is_null()) else { return Ok(None) };
    let invalid = |message: String| FieldError::new("config", "invalid", message);
    let config: GatewayConfig = serde_json::from_value(value.clone()).map_err(|error| invalid(error.to_string()))?;
    config.validate().map_err(|errors| invalid(errors.to_string()))?;
    Ok(Some(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn valid() -> Value {
        json!({
            "dashboardUrl": "https://panel.example.com",
            "dashboardPublicKeys": [STANDARD.encode([1; 32])],
            "serverId": "0192f0c1-2222-7333-8444-555566667777",
            "apiKey": LicenseKey::from_random_bytes([2; 32]),
            "apiSecret": ApiSecret::from_random_bytes([3; 32]),
            "installId": "0192f0c1-1111-7333-8444-555566667777",
        })
    }

    #[test]
    fn a_valid_identity_reads_back() {
        let identity = GatewayIdentity::parse(&valid().to_string()).expect("valid");
        let again = GatewayIdentity::parse(&identity.to_json()).expect("round trip");
        assert_eq!(again.api_key, identity.api_key);
        assert_eq!(again.dashboard_url, identity.dashboard_url);
        assert_eq!(
            identity.dashboard_url.join("/api/v1/heartbeat").as_str(),
            "https://panel.example.com/api/v1/heartbeat"
        );
    }

    #[test]
    fn all_problems_at_once_and_no_secret_in_them() {
        let mut value = valid();
        value["apiKey"] = json!("pk_hunter2");
        value["dashboardUrl"] = json!("http://panel.example.com");
        value["surprise"] = json!(1);
        value["installId"] = json!(7);
        let errors = GatewayIdentity::parse(&value.to_string()).expect_err("four problems");
        let text = errors.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let fields: Vec<_> = errors.into_vec().into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["surprise", "dashboardUrl", "apiKey", "installId"]);
    }

    #[test]
    fn nobody_and_everybody_are_told_apart() {
        let allow = |value: Value| {
            let mut identity = valid();
            identity["managementAllow"] = value;
            GatewayIdentity::parse(&identity.to_string()).map(|identity| identity.management_allow)
        };
        assert_eq!(GatewayIdentity::parse(&valid().to_string()).expect("valid").management_allow, None);
        assert_eq!(allow(Value::Null), Ok(None));
        assert_eq!(allow(json!([])), Ok(Some(vec![])));
        let nets = allow(json!(["192.0.2.7", "2001:db8::/32", "::ffff:192.0.2.9"])).expect("valid").expect("a list");
        let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
        assert_eq!(nets, ["192.0.2.7/32", "2001:db8::/32", "192.0.2.9/32"]);
        for bad in [json!("192.0.2.7"), json!([7]), json!(["192.0.2.7/33"]), json!(["panel.example.com"])] {
            assert!(allow(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:1", "https://10.0.0.1"] {
            assert!(DashboardUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://10.0.0.1", "http://localhost.evil.com", "ftp://x", "https://u@x", "https://x/?q=1", "x"] {
            assert!(DashboardUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn broken_json_shows_the_place_only() {
        let text = GatewayIdentity::parse("{\"apiKey\": \"pk_hunter2\"").expect_err("broken").to_string();
        assert_eq!(text, "config.json: not valid JSON at line 1, column 23");
    }
}
