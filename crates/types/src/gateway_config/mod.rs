//! What a customer configures and a gateway applies. The dashboard validates
//! with the same functions before it stores, the gateway before it applies (invariant 2: an
//! invalid config is rejected whole, with the reason).

mod backend_url;
mod certificate;

use crate::field_error::{FieldError, FieldErrors};
pub use backend_url::BackendUrl;
pub use certificate::{Certificate, CertificateSource, ListenerTls, MAX_CERTIFICATES, PrivateKeyPem, TlsVersion};
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
    /// At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
}

/// One port that visitors reach, and where their requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// 1 to 65535, on every address of the host.
    pub port: u16,
    #[schema(value_type = String, example = "http://127.0.0.1:3000")]
    pub backend_url: BackendUrl,
    /// Without it the port speaks plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
}

/// How many ports one gateway listens on at most.
pub const MAX_LISTENERS: usize = 64;
/// The management API's own port (product.md section 1).
pub const MANAGEMENT_PORT: u16 = 6060;

impl GatewayConfig {
    /// Checks what one listener alone cannot show.
    ///
    /// # Errors
    /// Every problem, each with its field's path.
    pub fn validate(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            errors.check(check_port(format!("listeners[{index}].port"), u64::from(listener.port)));
        }
        certificate::check_certificates(&self.certificates, &mut errors);
        for (index, listener) in self.listeners.iter().enumerate() {
            if let Some(tls) = &listener.tls {
                certificate::check_listener_tls(
                    &format!("listeners[{index}].tls"),
                    tls,
                    &self.certificates,
                    &mut errors,
                );
            }
        }
        check_listeners(&self.listeners.iter().enumerate().collect::<Vec<_>>(), &mut errors);
        errors.into_result()
    }
}

/// Checks listeners against each other and against themselves. Each comes with its place in the input, so that
/// those of an input that are readable can be checked beside those that are not.
pub fn check_listeners(listeners: &[(usize, &Listener)], errors: &mut FieldErrors) {
    if listeners.len() > MAX_LISTENERS {
        errors.push(FieldError::new("listeners", "too_many", format!("Use at most {MAX_LISTENERS} listeners.")));
    }
    for (position, (index, listener)) in listeners.iter().enumerate() {
        if listeners[..position].iter().any(|(_, other)| other.port == listener.port) {
            errors.push(FieldError::new(
                format!("listeners[{index}].port"),
                "duplicate",
                format!("Port {} is already used by another listener. Choose another port.", listener.port),
            ));
        }
        if listener.backend_url.points_to_own_port(listener.port) {
            errors.push(FieldError::new(
                format!("listeners[{index}].backendUrl"),
                "loop",
                "This is the listener's own address: requests would go in circles. Enter your website's address.",
            ));
        }
    }
}

/// # Errors
/// When the port is 0, over 65535, or the management API's own.
pub fn check_port(field: String, port: u64) -> Result<u16, FieldError> {
    match u16::try_from(port) {
        Ok(0) | Err(_) => Err(FieldError::new(field, "out_of_range", "Enter a port from 1 to 65535.")),
        Ok(MANAGEMENT_PORT) => Err(FieldError::new(
            field,
            "reserved",
            "Port 6060 is the gateway's own management port. Choose another one.",
        )),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(port: u16, backend: &str) -> Listener {
        Listener { port, backend_url: BackendUrl::parse(backend).expect("valid"), tls: None }
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
}
