//! Where a port's requests go.

use crate::upstream::Group;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(crate) enum Destination {
    Backends(Arc<Group>),
    /// To the same address by HTTPS, at this port.
    Https(u16),
}

/// Which requests a route takes. What is not said fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Matcher {
    host: Option<Host>,
    path: Option<Path>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Exactly(String),
    /// Every name that ends so; begins with a dot.
    Below(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    /// It, and what is below it by whole segments.
    Segments(String),
    Prefix(String),
}

impl Matcher {
    /// Of a route's fields, which are valid.
    pub fn new(host: Option<&str>, path: Option<&str>) -> Self {
        let host = host.map(|host| match host.strip_prefix('*') {
            Some(below) => Host::Below(below.to_ascii_lowercase()),
            None => Host::Exactly(host.to_ascii_lowercase()),
        });
        let path = path.map(|path| match path.strip_suffix('*') {
            Some(prefix) => Path::Prefix(prefix.to_owned()),
            None => Path::Segments(path.trim_end_matches('/').to_owned()),
        });
        Self { host, path }
    }

    /// `host` without its port.
    fn fits(&self, host: &[u8], path: &[u8]) -> bool {
        let host_fits = match &self.host {
            None => true,
            Some(Host::Exactly(name)) => host.eq_ignore_ascii_case(name.as_bytes()),
            Some(Host::Below(end)) => {
                host.len() > end.len() && host[host.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
            }
        };
        host_fits
            && match &self.path {
                None => true,
                Some(Path::Prefix(prefix)) => path.starts_with(prefix.as_bytes()),
                Some(Path::Segments(segments)) => {
                    path.strip_prefix(segments.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
                }
            }
    }
}

/// One port's routes, and where everything else goes.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    pub routes: Vec<(Matcher, Destination)>,
    pub otherwise: Destination,
}

impl Routes {
    /// Of a request with this `Host` and this path, which may have a query.
    pub fn destination(&self, host: Option<&[u8]>, path: &[u8]) -> &Destination {
        if self.routes.is_empty() {
            return &self.otherwise;
        }
        let host = without_port(host.unwrap_or_default());
        let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
        let fitting = self.routes.iter().find(|(matcher, _)| matcher.fits(host, path));
        fitting.map_or(&self.otherwise, |(_, destination)| destination)
    }
}

/// A `Host` without its port, an address in its brackets.
pub(super) fn without_port(host: &[u8]) -> &[u8] {
    let end = match host.first() {
        Some(b'[') => host.iter().position(|&byte| byte == b']').map(|at| at + 1),
        _ => host.iter().position(|&byte| byte == b':'),
    };
    &host[..end.unwrap_or(host.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_takes_it() {
        let routes = [
            (Some("shop.test"), Some("/api/")),
            (Some("*.Shop.test"), None),
            (None, Some("/img*")),
            (None, Some("/c")),
            (Some("shop.test"), None),
        ];
        let routes: Vec<_> = (1..)
            .zip(routes)
            .map(|(number, (host, path))| (Matcher::new(host, path), Destination::Https(number)))
            .collect();
        let routes = Routes { routes, otherwise: Destination::Https(0) };
        let goes = |host: Option<&str>, path: &str, number: u16| {
            let found = routes.destination(host.map(str::as_bytes), path.as_bytes());
            assert!(matches!(found, Destination::Https(found) if *found == number), "{host:?} {path}: {found:?}");
        };
        goes(Some("shop.test"), "/api", 1);
        goes(Some("SHOP.test:8080"), "/api/x?y", 1);
        goes(Some("shop.test"), "/apis", 5);
        goes(Some("a.shop.test"), "/api", 2);
        goes(Some("a.b.SHOP.test:1"), "/", 2);
        goes(Some("xshop.test"), "/", 0);
        goes(Some(".shop.test"), "/", 0);
        goes(Some("other"), "/imgs/a", 3);
        goes(None, "/img", 3);
        goes(None, "/c?mac=1", 4);
        goes(None, "/c/d", 4);
        goes(None, "/config", 0);
        goes(Some("[::1]:80"), "*", 0);
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
    }
}
