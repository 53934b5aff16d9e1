//! What a request asks for, and whether it says so unambiguously (RFC 9112 section 3.2).

use super::refusal::Refusal;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

pub(super) struct Target {
    /// As the visitor sent it; of an absolute-form target, that target's (section 3.2.2). `None`
    /// for HTTP/1.0 without one.
    pub host: Option<HeaderValue>,
    pub path_and_query: PathAndQuery,
}

impl Target {
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Refusal> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Refusal::Method);
        }
        let host = host(request.headers(), request.version())?;
        let uri = request.uri();
        match (uri.scheme_str(), uri.authority()) {
            (None, None) => Ok(Self { host, path_and_query: path(uri)? }),
            (Some("http" | "https"), Some(authority)) => {
                check_authority(authority.as_str())?;
                let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Target)?;
                Ok(Self { host: Some(host), path_and_query: path(uri)? })
            }
            _ => Err(Refusal::Target),
        }
    }
}

fn path(uri: &Uri) -> Result<PathAndQuery, Refusal> {
    uri.path_and_query().cloned().ok_or(Refusal::Target)
}

/// Exactly one on HTTP/1.1, at most one on HTTP/1.0 (section 3.2).
fn host(headers: &HeaderMap, version: Version) -> Result<Option<HeaderValue>, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            check_authority(host.to_str().map_err(|_| Refusal::Host)?)?;
            Ok(Some(host.clone()))
        }
        (None, None) if version == Version::HTTP_10 => Ok(None),
        _ => Err(Refusal::Host),
    }
}

fn check_authority(text: &str) -> Result<(), Refusal> {
    let authority: Authority = text.parse().map_err(|_| Refusal::Host)?;
    if authority.host().is_empty() || text.contains('@') { Err(Refusal::Host) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, uri: &str, hosts: &[&str], version: Version) -> Result<(Option<String>, String), Refusal> {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let target = Target::of(&request.body(()).expect("a request"))?;
        let host = target.host.map(|host| host.to_str().expect("text").to_owned());
        Ok((host, target.path_and_query.to_string()))
    }

    #[test]
    fn the_host_stays_as_sent_and_an_absolute_target_wins() {
        let ok = |uri, hosts: &[&str]| target("GET", uri, hosts, Version::HTTP_11).expect("accepted");
        assert_eq!(ok("/a?b=c", &["Example.com:81"]), (Some("Example.com:81".to_owned()), "/a?b=c".to_owned()));
        assert_eq!(ok("http://b.test/x", &["a.test"]), (Some("b.test".to_owned()), "/x".to_owned()));
        assert_eq!(ok("http://b.test", &["a.test"]).1, "/");
        let asterisk = target("OPTIONS", "*", &["a.test"], Version::HTTP_11).expect("accepted");
        assert_eq!(asterisk.1, "*");
        assert_eq!(target("GET", "/", &[], Version::HTTP_10).expect("accepted").0, None);
    }

    #[test]
    fn missing_doubled_and_bad_hosts_are_refused() {
        for hosts in [&[][..], &["a", "b"], &["a", "a"], &["u@a"], &["a b"], &[""], &["a/b"]] {
            assert!(matches!(target("GET", "/", hosts, Version::HTTP_11), Err(Refusal::Host)), "{hosts:?}");
        }
        assert!(matches!(target("GET", "/", &["a", "b"], Version::HTTP_10), Err(Refusal::Host)));
        assert!(matches!(target("GET", "http://u:p@b/", &["a"], Version::HTTP_11), Err(Refusal::Host)));
        assert!(matches!(target("GET", "ftp://b/", &["a"], Version::HTTP_11), Err(Refusal::Target)));
        assert!(matches!(target("GET", "b.test:80", &["a"], Version::HTTP_11), Err(Refusal::Target)));
        assert!(matches!(target("CONNECT", "b.test:80", &["a"], Version::HTTP_11), Err(Refusal::Method)));
        assert!(matches!(target("TRACE", "/", &["a"], Version::HTTP_11), Err(Refusal::Method)));
    }
}
