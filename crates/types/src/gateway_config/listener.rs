//! Ports that visitors reach, and where their requests go.

use super::backend_url::BackendUrl;
use super::certificate::{Certificate, ListenerTls, check_listener_tls};
use super::{GatewayConfig, MANAGEMENT_PORT, Pool};
use crate::field_error::{FieldError, FieldErrors};
use serde::{Deserialize, Serialize};

/// How many ports one gateway listens on at most, and how many routes one port has.
pub const MAX_LISTENERS: usize = 64;
pub const MAX_ROUTES: usize = 256;

/// One port. Exactly one of `backendUrl`, `pool` and `redirectToHttps` says where requests go that no route takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// 1 to 65535, on every address of the host.
    pub port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "http://127.0.0.1:3000")]
    pub backend_url: Option<BackendUrl>,
    /// A pool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Visitors are sent to `https://` at this port, with 308.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_to_https: Option<u16>,
    /// Without it the port speaks plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// At most 256; the first that fits a request takes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

/// Requests that go elsewhere. At least one of `host` and `path`; exactly one of `backendUrl` and `pool`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// `shop.example.com`, or `*.example.com` for every name below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `/api` is `/api` and whatever is below it by whole segments, not `/apis`; `/api*` is every path that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "http://127.0.0.1:3000")]
    pub backend_url: Option<BackendUrl>,
    /// A pool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// Checks listeners against each other, against themselves and against what they name. Each comes with its place in the input,
/// so that those of an input that are readable can be checked beside those that are not.
pub fn check_listeners(
    listeners: &[(usize, &Listener)],
    (certificates, pools): (&[Certificate], &[Pool]),
    errors: &mut FieldErrors,
) {
    if listeners.len() > MAX_LISTENERS {
        errors.push(FieldError::new("listeners", "too_many", format!("Use at most {MAX_LISTENERS} listeners.")));
    }
    for (position, (index, listener)) in listeners.iter().enumerate() {
        let field = |name: &str| format!("listeners[{index}].{name}");
        if listeners[..position].iter().any(|(_, other)| other.port == listener.port) {
            errors.push(FieldError::new(
                field("port"),
                "duplicate",
                format!("Port {} is already used by another listener. Choose another port.", listener.port),
            ));
        }
        let to = [listener.backend_url.is_some(), listener.pool.is_some(), listener.redirect_to_https.is_some()];
        check_destination(&field, to, errors);
        check_url(&field, listener.backend_url.as_ref(), listener.port, errors);
        check_pool(&field, listener.pool.as_deref(), pools, errors);
        check_redirect(&field, listener, errors);
        if let Some(tls) = &listener.tls {
            check_listener_tls(&field("tls"), tls, certificates, errors);
        }
        check_routes(*index, listener, pools, errors);
    }
}

fn check_destination(field: &dyn Fn(&str) -> String, to: impl IntoIterator<Item = bool>, errors: &mut FieldErrors) {
    match to.into_iter().filter(|is| *is).count() {
        1 => {}
        0 => {
            errors.push(FieldError::new(field("backendUrl"), "required", "Say where requests go: a backend or a pool."))
        }
        _ => errors.push(FieldError::new(
            field("backendUrl"),
            "conflict",
            "Requests can go to one place only: leave one.",
        )),
    }
}

fn check_url(field: &dyn Fn(&str) -> String, url: Option<&BackendUrl>, port: u16, errors: &mut FieldErrors) {
    if url.is_some_and(|url| url.points_to_own_port(port)) {
        let message = "This is the listener's own address: requests would go in circles. Enter your website's address.";
        errors.push(FieldError::new(field("backendUrl"), "loop", message));
    }
}

fn check_pool(field: &dyn Fn(&str) -> String, name: Option<&str>, pools: &[Pool], errors: &mut FieldErrors) {
    if let Some(name) = name
        && !pools.iter().any(|pool| pool.name == name)
    {
        let message = format!("There is no pool named {name:?}. Choose one of this server's pools.");
        errors.push(FieldError::new(field("pool"), "unknown", message));
    }
}

fn check_redirect(field: &dyn Fn(&str) -> String, listener: &Listener, errors: &mut FieldErrors) {
    let Some(port) = listener.redirect_to_https else { return };
    if port == 0 || port == listener.port || listener.tls.is_some() {
        let message = "Only a port without TLS can send visitors to another one that has it, usually 443.";
        errors.push(FieldError::new(field("redirectToHttps"), "invalid", message));
    }
}

fn check_routes(listener: usize, of: &Listener, pools: &[Pool], errors: &mut FieldErrors) {
    if of.routes.len() > MAX_ROUTES {
        let message = format!("Use at most {MAX_ROUTES} routes.");
        errors.push(FieldError::new(format!("listeners[{listener}].routes"), "too_many", message));
    }
    for (index, route) in of.routes.iter().enumerate() {
        let field = |name: &str| format!("listeners[{listener}].routes[{index}].{name}");
        check_destination(&field, [route.backend_url.is_some(), route.pool.is_some()], errors);
        check_url(&field, route.backend_url.as_ref(), of.port, errors);
        check_pool(&field, route.pool.as_deref(), pools, errors);
        if route.host.is_none() && route.path.is_none() {
            errors.push(FieldError::new(
                field("host"),
                "required",
                "Enter a host, a path or both: which requests it takes.",
            ));
        }
        if route.host.as_deref().is_some_and(|host| !is_host(host)) {
            let message = "Enter a name such as shop.example.com, or *.example.com for all below it, without a port.";
            errors.push(FieldError::new(field("host"), "invalid", message));
        }
        if route.path.as_deref().is_some_and(|path| !is_path(path)) {
            let message = "Enter a path such as /api: it begins with a slash, and has no spaces, query or fragment.";
            errors.push(FieldError::new(field("path"), "invalid", message));
        }
        let same = |other: &Route| other.host == route.host && other.path == route.path;
        if of.routes[..index].iter().any(same) {
            let message = "An earlier route takes the same requests. Remove one.";
            errors.push(FieldError::new(field("host"), "duplicate", message));
        }
    }
}

fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    let (body, ended) = match path.strip_suffix('*') {
        Some(body) => (body, true),
        None => (path, false),
    };
    path.len() <= 1000
        && body.starts_with('/')
        && body.bytes().all(plain)
        && (ended || !body.is_empty())
        && !body.contains('*')
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

impl GatewayConfig {
    /// Every place that requests go to, by themselves or in pools.
    pub fn urls(&self) -> impl Iterator<Item = &BackendUrl> {
        let alone = self.listeners.iter().flat_map(|listener| {
            listener.backend_url.iter().chain(listener.routes.iter().filter_map(|route| route.backend_url.as_ref()))
        });
        alone.chain(self.pools.iter().flat_map(|pool| pool.backends.iter().map(|backend| &backend.url)))
    }
}
