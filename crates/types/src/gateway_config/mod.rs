//! What a customer configures and a gateway applies. The dashboard validates
//! with the same functions before it stores, the gateway before it applies (invariant 2: an
//! invalid config is rejected whole, with the reason).

mod backend_url;
mod certificate;
mod client;
mod listener;
mod pool;

use crate::field_error::{FieldError, FieldErrors};
pub use backend_url::BackendUrl;
pub use certificate::{
    Certificate, CertificateFiles, CertificatePem, CertificateSource, ListenerTls, MAX_CERTIFICATES, PrivateKeyPem,
    TlsVersion,
};
pub use client::{ForwardedFor, MAX_TRUSTED, TrustedProxies, parse_image_url, parse_range};
pub use listener::{Listener, MAX_LISTENERS, MAX_ROUTES, Route, check_listeners, check_port};
pub use pool::{BackendTls, Balance, HealthCheck, MAX_BACKENDS, MAX_POOLS, Pool, PoolBackend};
use serde::{Deserialize, Serialize};

/// Names one version of a server's configuration. A higher incarnation supersedes every
/// generation of a lower one (invariant 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigGeneration {
    /// Of the dashboard's database: grows when a backup was restored.
    pub incarnation: u32,
    /// Grows with every save.
    pub number: u64,
}

impl std::fmt::Display for ConfigGeneration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.number)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayConfig {
    /// At most 64.
    pub listeners: Vec<Listener>,
    /// At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Pool>,
    /// At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted_proxies: TrustedProxies,
    /// Requests below `/images/` are sent to this URL followed by their path and query, with 302, before every other rule.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_url: String,
}

/// The management API's own port (product.md section 1).
pub const MANAGEMENT_PORT: u16 = 6060;
/// The longest name of a certificate or a pool, in characters.
const MAX_NAME: usize = 64;

impl GatewayConfig {
    /// Checks it all.
    ///
    /// # Errors
    /// Every problem, each with its field's path.
    pub fn validate(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            errors.check(check_port(format!("listeners[{index}].port"), u64::from(listener.port)));
        }
        pool::check_pools(&self.pools, &mut errors);
        certificate::check_certificates(&self.certificates, &mut errors);
        client::check_trusted(&self.trusted_proxies, &mut errors);
        if !self.image_url.is_empty() {
            let checked = client::parse_image_url(&self.image_url);
            errors.check(checked.map_err(|message| FieldError::new("imageUrl", "invalid", message)));
        }
        let listeners: Vec<_> = self.listeners.iter().enumerate().collect();
        check_listeners(&listeners, (&self.certificates, &self.pools), &mut errors);
        errors.into_result()
    }
}

fn check_name(field: String, name: &str, errors: &mut FieldErrors) {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        let message = format!("Use 1 to {MAX_NAME} letters, digits, dots, hyphens or underscores.");
        errors.push(FieldError::new(field, "invalid", message));
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listener(port: u16, backend: &str) -> Listener {
        Listener { port, backend_url: Some(BackendUrl::parse(backend).expect("valid")), ..Listener::default() }
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let config = GatewayConfig {
            listeners: vec![
                listener(80, "http://127.0.0.1:3000"),
                listener(80, "http://127.0.0.1:3001"),
                listener(6060, "http://127.0.0.1:3000"),
                listener(3000, "http://localhost:3000"),
            ],
            ..GatewayConfig::default()
        };
        let errors = config.validate().expect_err("three problems").into_vec();
        let fields: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("listeners[2].port", "reserved"),
                ("listeners[1].port", "duplicate"),
                ("listeners[3].backendUrl", "loop")
            ]
        );
    }

    #[test]
    fn a_new_incarnation_supersedes_every_older_number() {
        let old = ConfigGeneration { incarnation: 1, number: 900 };
        assert!(ConfigGeneration { incarnation: 2, number: 1 } > old);
    }

    fn problems(config: serde_json::Value) -> Vec<(String, String)> {
        let config: GatewayConfig = serde_json::from_value(config).expect("readable");
        let errors = config.validate().err().map(FieldErrors::into_vec).unwrap_or_default();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn pools_routes_and_redirects() {
        let good = json!({
            "listeners": [
                { "port": 80, "redirectToHttps": 443 },
                { "port": 443, "pool": "web", "tls": { "certificates": ["shop"] }, "routes": [
                    { "host": "*.shop.test", "path": "/api", "pool": "api" },
                    { "path": "/img*", "backendUrl": "https://images.test" },
                    { "host": "a_b.shop.test", "backendUrl": "http://127.0.0.1:3000" },
                ] },
            ],
            "pools": [
                { "name": "web", "balance": "LEAST_CONNECTIONS", "healthCheck": { "path": "/health?deep=1" },
                  "backends": [{ "url": "http://10.0.0.1:80", "weight": 3 }, { "url": "http://10.0.0.2" }] },
                { "name": "api", "backends": [{ "url": "https://10.0.0.3" }], "tls": { "serverName": "api.test" } },
            ],
            "trustedProxies": { "cloudflare": true, "ranges": ["10.0.0.0/8", "2001:db8::1"], "forwardedFor": "FIRST" },
            "imageUrl": "https://images.test/",
            "certificates": [{ "name": "shop", "source": { "files": { "chain": "/c.pem", "privateKey": "/k.pem" } } }],
        });
        assert_eq!(problems(good), []);
        let bad = json!({
            "trustedProxies": { "ranges": ["10.0.0.1", "0.0.0.0/0"] },
            "imageUrl": "images.test",
            "listeners": [
                { "port": 80 },
                { "port": 81, "pool": "none", "backendUrl": "http://a" },
                { "port": 82, "redirectToHttps": 82 },
                { "port": 83, "backendUrl": "http://a", "routes": [
                    { "pool": "web" },
                    { "path": "api", "pool": "web" },
                    { "path": "/a b", "pool": "web" },
                    { "path": "/a?b", "pool": "web" },
                    { "path": "/*a", "pool": "web" },
                    { "host": "a:80", "pool": "web" },
                    { "host": "*.", "pool": "web" },
                    { "host": "a.test" },
                    { "host": "a.test", "backendUrl": "http://127.0.0.1:83" },
                ] },
            ],
            "pools": [
                { "name": "web", "backends": [{ "url": "http://a", "weight": 0 }, { "url": "http://a:80" }],
                  "healthCheck": { "path": "health", "intervalSeconds": 0, "timeoutSeconds": 61 } },
                { "name": "web", "backends": [], "tls": { "insecureSkipVerify": true } },
                { "name": "x", "backends": [{ "url": "https://a" }], "tls": { "insecureSkipVerify": true, "ca": "-----BEGIN CERTIFICATE-----" } },
            ],
        });
        let found = problems(bad);
        let found: Vec<_> = found.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
        assert_eq!(
            found,
            [
                ("pools[0].backends[0].weight", "out_of_range"),
                ("pools[0].backends[1].url", "duplicate"),
                ("pools[0].healthCheck.path", "invalid"),
                ("pools[0].healthCheck.intervalSeconds", "out_of_range"),
                ("pools[0].healthCheck.timeoutSeconds", "out_of_range"),
                ("pools[1].name", "duplicate"),
                ("pools[1].backends", "required"),
                ("pools[1].tls", "unused"),
                ("pools[2].tls.insecureSkipVerify", "conflict"),
                ("trustedProxies.ranges[1]", "invalid"),
                ("imageUrl", "invalid"),
                ("listeners[0].backendUrl", "required"),
                ("listeners[1].backendUrl", "conflict"),
                ("listeners[1].pool", "unknown"),
                ("listeners[2].redirectToHttps", "invalid"),
                ("listeners[3].routes[0].host", "required"),
                ("listeners[3].routes[1].path", "invalid"),
                ("listeners[3].routes[2].path", "invalid"),
                ("listeners[3].routes[3].path", "invalid"),
                ("listeners[3].routes[4].path", "invalid"),
                ("listeners[3].routes[5].host", "invalid"),
                ("listeners[3].routes[6].host", "invalid"),
                ("listeners[3].routes[7].backendUrl", "required"),
                ("listeners[3].routes[8].backendUrl", "loop"),
                ("listeners[3].routes[8].host", "duplicate"),
            ]
        );
    }
}
