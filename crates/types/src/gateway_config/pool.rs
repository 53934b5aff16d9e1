//! Several backends behind one name: who gets a request, and who gets none because it is ill.

use super::backend_url::BackendUrl;
use super::is_default;
use crate::field_error::{FieldError, FieldErrors};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How many pools one gateway has at most, and how many backends one pool.
pub const MAX_POOLS: usize = 64;
pub const MAX_BACKENDS: usize = 64;
const WEIGHTS: RangeInclusive<u16> = 1..=1000;

/// Backends that serve the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// By which listeners and routes refer to it: up to 64 letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// 1 to 64.
    pub backends: Vec<PoolBackend>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub balance: Balance,
    /// Without it backends are judged by visitors' requests alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// How `https://` backends are trusted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: BackendTls,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolBackend {
    #[schema(value_type = String, example = "http://127.0.0.1:3000")]
    pub url: BackendUrl,
    /// Its share, 1 to 1000.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u16,
}

fn one() -> u16 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_one(weight: &u16) -> bool {
    *weight == 1
}

/// Who gets the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Balance {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// Whoever has the fewest requests under way for its weight.
    LeastConnections,
}

/// A request that is sent to each backend now and then; an answer with a status from 200 to 399 is healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// Of a `GET` request, with its query.
    pub path: String,
    /// 1 to 3600.
    #[serde(default = "HealthCheck::interval")]
    pub interval_seconds: u16,
    /// 1 to 60.
    #[serde(default = "HealthCheck::timeout")]
    pub timeout_seconds: u16,
    /// So many failures in a row make a backend ill, 1 to 100.
    #[serde(default = "HealthCheck::unhealthy_after")]
    pub unhealthy_after: u16,
    /// So many good answers in a row make it well, 1 to 100.
    #[serde(default = "HealthCheck::healthy_after")]
    pub healthy_after: u16,
}

impl HealthCheck {
    fn interval() -> u16 {
        10
    }

    fn timeout() -> u16 {
        5
    }

    fn unhealthy_after() -> u16 {
        3
    }

    fn healthy_after() -> u16 {
        2
    }
}

/// How `https://` backends are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendTls {
    /// Authorities in PEM that are trusted instead of the host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The name that the backends' certificates are for, when it is not the URLs' host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Trusts whatever answers: whoever stands between gateway and backend reads and changes everything.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insecure_skip_verify: bool,
}

/// Checks the pools' own fields.
pub(super) fn check_pools(pools: &[Pool], errors: &mut FieldErrors) {
    if pools.len() > MAX_POOLS {
        errors.push(FieldError::new("pools", "too_many", format!("Use at most {MAX_POOLS} pools.")));
    }
    for (index, pool) in pools.iter().enumerate() {
        let field = |name: &str| format!("pools[{index}].{name}");
        super::check_name(field("name"), &pool.name, errors);
        if pools[..index].iter().any(|other| other.name == pool.name) {
            errors.push(FieldError::new(field("name"), "duplicate", "Another pool has this name. Choose another one."));
        }
        check_backends(&pool.backends, &field, errors);
        if let Some(check) = &pool.health_check {
            check_health(check, &field, errors);
        }
        let (tls, https) = (&pool.tls, pool.backends.iter().any(|backend| backend.url.is_https()));
        if !https && *tls != BackendTls::default() {
            let message = "None of this pool's backends is an https:// URL. Leave this out, or use https:// URLs.";
            errors.push(FieldError::new(field("tls"), "unused", message));
        }
        if tls.ca.as_ref().is_some_and(|ca| !ca.contains("-----BEGIN CERTIFICATE-----")) {
            let message = "Enter certificates of authorities in PEM (-----BEGIN CERTIFICATE-----…).";
            errors.push(FieldError::new(field("tls.ca"), "invalid", message));
        }
        if tls.ca.is_some() && tls.insecure_skip_verify {
            let message = "Either name authorities, or trust whatever answers.";
            errors.push(FieldError::new(field("tls.insecureSkipVerify"), "conflict", message));
        }
    }
}

fn check_backends(backends: &[PoolBackend], field: &dyn Fn(&str) -> String, errors: &mut FieldErrors) {
    if backends.is_empty() {
        errors.push(FieldError::new(field("backends"), "required", "Add at least one backend."));
    }
    if backends.len() > MAX_BACKENDS {
        let message = format!("Use at most {MAX_BACKENDS} backends.");
        errors.push(FieldError::new(field("backends"), "too_many", message));
    }
    for (place, backend) in backends.iter().enumerate() {
        if backends[..place].iter().any(|other| other.url == backend.url) {
            let message = "This backend is in the pool already. Give it a larger weight instead.";
            errors.push(FieldError::new(field(&format!("backends[{place}].url")), "duplicate", message));
        }
        if !WEIGHTS.contains(&backend.weight) {
            let message = format!("Enter a weight from {} to {}.", WEIGHTS.start(), WEIGHTS.end());
            errors.push(FieldError::new(field(&format!("backends[{place}].weight")), "out_of_range", message));
        }
    }
}

fn check_health(check: &HealthCheck, field: &dyn Fn(&str) -> String, errors: &mut FieldErrors) {
    let plain = check.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !check.path.starts_with('/') || !plain || check.path.len() > 1000 {
        let message = "Enter a path such as /health: it begins with a slash and has no spaces.";
        errors.push(FieldError::new(field("healthCheck.path"), "invalid", message));
    }
    for (name, value, range) in [
        ("intervalSeconds", check.interval_seconds, 1..=3600),
        ("timeoutSeconds", check.timeout_seconds, 1..=60),
        ("unhealthyAfter", check.unhealthy_after, 1..=100),
        ("healthyAfter", check.healthy_after, 1..=100),
    ] {
        if !range.contains(&value) {
            let message = format!("Enter a number from {} to {}.", range.start(), range.end());
            errors.push(FieldError::new(field(&format!("healthCheck.{name}")), "out_of_range", message));
        }
    }
}
