//! Certificates that a gateway serves its visitors, and which port serves which of them.

use super::is_default;
use crate::field_error::{FieldError, FieldErrors};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How many certificates one gateway holds at most.
pub const MAX_CERTIFICATES: usize = 100;
/// A chain or a key is no longer than this, in bytes.
const MAX_PEM: usize = 64 * 1024;

/// A certificate with its chain and private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// By which listeners refer to it: up to 64 letters, digits, dots, hyphens and underscores.
    pub name: String,
    pub source: CertificateSource,
}

/// Where a certificate and its key come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum CertificateSource {
    Pem(CertificatePem),
    Files(CertificateFiles),
}

/// As it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificatePem {
    /// In PEM, the certificate itself first and those that signed it behind it.
    pub chain: String,
    #[schema(value_type = String, write_only)]
    pub private_key: PrivateKeyPem,
}

/// Files on the gateway's host, by their absolute paths; what is in them is followed, so that another program may renew them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateFiles {
    pub chain: String,
    pub private_key: String,
}

/// A private key in PEM. It is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKeyPem(Zeroizing<String>);

impl PrivateKeyPem {
    #[must_use]
    pub fn new(pem: Zeroizing<String>) -> Self {
        Self(pem)
    }

    /// The key itself. Every caller is a place where the secret leaves the process.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKeyPem(…)")
    }
}

/// A listener that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTls {
    /// Names of certificates, at least one: the visitor's server name (SNI) chooses among them, and the first is for everybody else.
    pub certificates: Vec<String>,
    /// The oldest version that is spoken. TLS 1.0 and 1.1 never are (RFC 8996).
    #[serde(default, skip_serializing_if = "is_default")]
    pub minimum_version: TlsVersion,
    /// Tells browsers to come by HTTPS only, for so many seconds (`Strict-Transport-Security`, RFC 6797); at most two years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_seconds: Option<u32>,
}

/// Two years, as preload lists ask for.
pub const MAX_HSTS_SECONDS: u32 = 63_072_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// Checks the certificates' own fields. Whether a chain and a key fit each other only their reader can tell.
pub(super) fn check_certificates(certificates: &[Certificate], errors: &mut FieldErrors) {
    if certificates.len() > MAX_CERTIFICATES {
        let message = format!("Use at most {MAX_CERTIFICATES} certificates.");
        errors.push(FieldError::new("certificates", "too_many", message));
    }
    for (index, certificate) in certificates.iter().enumerate() {
        let field = |name: &str| format!("certificates[{index}].{name}");
        super::check_name(field("name"), &certificate.name, errors);
        if certificates[..index].iter().any(|other| other.name == certificate.name) {
            let message = "Another certificate has this name. Choose another one.";
            errors.push(FieldError::new(field("name"), "duplicate", message));
        }
        check_source(&certificate.source, &field, errors);
    }
}

fn check_source(source: &CertificateSource, field: &dyn Fn(&str) -> String, errors: &mut FieldErrors) {
    match source {
        CertificateSource::Pem(CertificatePem { chain, private_key }) => {
            for (name, pem) in [("source.pem.chain", chain.as_str()), ("source.pem.privateKey", private_key.expose())] {
                if !pem.contains("-----BEGIN ") || pem.len() > MAX_PEM {
                    let message = format!("Enter PEM text (-----BEGIN …) of at most {} KiB.", MAX_PEM / 1024);
                    errors.push(FieldError::new(field(name), "invalid", message));
                }
            }
        }
        CertificateSource::Files(CertificateFiles { chain, private_key }) => {
            for (name, path) in [("source.files.chain", chain), ("source.files.privateKey", private_key)] {
                if !path.starts_with('/') || path.len() > 4096 || path.contains('\0') {
                    let message = "Enter the file's absolute path on the gateway's host, such as /etc/ssl/site.pem.";
                    errors.push(FieldError::new(field(name), "invalid", message));
                }
            }
        }
    }
}

/// Checks one listener's TLS against the certificates that there are.
pub(super) fn check_listener_tls(
    field: &str,
    tls: &ListenerTls,
    certificates: &[Certificate],
    errors: &mut FieldErrors,
) {
    if tls.certificates.is_empty() {
        let message = "Choose at least one certificate.";
        errors.push(FieldError::new(format!("{field}.certificates"), "required", message));
    }
    for (index, name) in tls.certificates.iter().enumerate() {
        if !certificates.iter().any(|certificate| certificate.name == *name) {
            let message = format!("There is no certificate named {name:?}. Choose one of this server's certificates.");
            errors.push(FieldError::new(format!("{field}.certificates[{index}]"), "unknown", message));
        }
    }
    if tls.hsts_seconds.is_some_and(|seconds| seconds == 0 || seconds > MAX_HSTS_SECONDS) {
        let message = format!("Enter 1 to {MAX_HSTS_SECONDS} seconds, or leave it out.");
        errors.push(FieldError::new(format!("{field}.hstsSeconds"), "out_of_range", message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors(certificates: serde_json::Value, listener: serde_json::Value) -> Vec<(String, String)> {
        let config = json!({ "listeners": [listener], "certificates": certificates });
        let config: super::super::GatewayConfig = serde_json::from_value(config).expect("readable");
        let errors = config.validate().err().map(FieldErrors::into_vec).unwrap_or_default();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    fn listener(tls: serde_json::Value) -> serde_json::Value {
        json!({ "port": 443, "backendUrl": "http://127.0.0.1:3000", "tls": tls })
    }

    #[test]
    fn every_problem_of_certificates_is_named() {
        let pem =
            json!({ "pem": { "chain": "-----BEGIN CERTIFICATE-----", "privateKey": "-----BEGIN PRIVATE KEY-----" } });
        let good = json!([{ "name": "shop", "source": pem }]);
        assert_eq!(errors(good.clone(), listener(json!({ "certificates": ["shop"], "hstsSeconds": 300 }))), []);
        let found = errors(
            json!([
                { "name": "shop", "source": pem },
                { "name": "shop", "source": { "pem": { "chain": "x", "privateKey": "y" } } },
                { "name": "a b", "source": { "files": { "chain": "site.pem", "privateKey": "/etc/key.pem" } } },
            ]),
            listener(json!({ "certificates": ["shop", "other"], "hstsSeconds": 0 })),
        );
        let found: Vec<_> = found.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
        assert_eq!(
            found,
            [
                ("certificates[1].name", "duplicate"),
                ("certificates[1].source.pem.chain", "invalid"),
                ("certificates[1].source.pem.privateKey", "invalid"),
                ("certificates[2].name", "invalid"),
                ("certificates[2].source.files.chain", "invalid"),
                ("listeners[0].tls.certificates[1]", "unknown"),
                ("listeners[0].tls.hstsSeconds", "out_of_range"),
            ]
        );
        let none = errors(good, listener(json!({ "certificates": [] })));
        assert_eq!(none[0].1, "required");
    }

    #[test]
    fn a_key_is_not_shown_and_plain_configurations_look_as_ever() {
        let key = PrivateKeyPem::new(Zeroizing::new("-----BEGIN secret".to_owned()));
        assert!(!format!("{key:?}").contains("secret"));
        let plain = json!({ "listeners": [{ "port": 80, "backendUrl": "http://127.0.0.1:3000" }] });
        let config: super::super::GatewayConfig = serde_json::from_value(plain.clone()).expect("readable");
        assert_eq!(serde_json::to_value(config).expect("written"), plain);
    }
}
