//! What a request asks for, and whether it says so unambiguously (RFC 9112 section 3.2).

use super::refusal::Refusal;
use super::route::without_port;
use proxima_http1::{Known, Method, RequestHead, Version};
use std::net::Ipv6Addr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// As the visitor sent it; of an absolute-form target, that target's (section 3.2.2). `None` for HTTP/1.0 without one.
    pub host: Option<&'a [u8]>,
    /// Path and query, in up to two parts.
    pub path: [&'a [u8]; 2],
}

impl<'a> Target<'a> {
    pub(super) fn of(head: &'a RequestHead) -> Result<Self, Refusal> {
        if matches!(head.method, Method::Connect | Method::Trace) {
            return Err(Refusal::Method);
        }
        let host = host(head)?;
        let target = head.target();
        if target.contains(&b'#') {
            return Err(Refusal::Target);
        }
        if target.starts_with(b"/") || (target == b"*" && head.method == Method::Options) {
            return Ok(Self { host, path: [target, b""] });
        }
        let rest = after_scheme(target).ok_or(Refusal::Target)?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        check_authority(authority)?;
        Ok(Self { host: Some(authority), path: if path.starts_with(b"/") { [path, b""] } else { [b"/", path] } })
    }
}

impl Target<'_> {
    pub(super) fn path_text(&self) -> String {
        self.path.iter().map(|part| String::from_utf8_lossy(part)).collect()
    }

    /// The same address by HTTPS. `None` when it has no host.
    pub(super) fn by_https(&self, port: u16) -> Option<String> {
        let host = String::from_utf8_lossy(without_port(self.host?)).into_owned();
        let path = self.path_text();
        let path = if path.starts_with('/') { path.as_str() } else { "/" };
        Some(if port == 443 { format!("https://{host}{path}") } else { format!("https://{host}:{port}{path}") })
    }
}

fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Exactly one on HTTP/1.1, at most one on HTTP/1.0 (section 3.2).
fn host(head: &RequestHead) -> Result<Option<&[u8]>, Refusal> {
    let mut hosts = head.fields().iter().filter(|line| line.known == Known::Host);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => check_authority(host.value).map(|()| Some(host.value)),
        (None, None) if head.version == Version::Http10 => Ok(None),
        _ => Err(Refusal::Host),
    }
}

/// A name or an address, and perhaps a port (RFC 3986 section 3.2), without what nobody uses in names: user names, commas, quotes.
fn check_authority(text: &[u8]) -> Result<(), Refusal> {
    let (host_is_good, rest) = match text.strip_prefix(b"[") {
        Some(inside) => {
            let end = inside.iter().position(|&byte| byte == b']').ok_or(Refusal::Host)?;
            let address = std::str::from_utf8(&inside[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
            (address.is_some(), &inside[end + 1..])
        }
        None => {
            let (host, rest) = text.split_at(text.iter().position(|&byte| byte == b':').unwrap_or(text.len()));
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b'%');
            (!host.is_empty() && host.iter().all(plain), rest)
        }
    };
    let port_is_good = match rest.strip_prefix(b":") {
        None => rest.is_empty(),
        Some(port) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
    };
    if host_is_good && port_is_good { Ok(()) } else { Err(Refusal::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_http1::Limits;

    const LIMITS: Limits = Limits { bytes: 4096, request_line: 1024, fields: 16 };

    fn target(line: &str, hosts: &[&str]) -> Result<(Option<String>, String), Refusal> {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let mut head = RequestHead::default();
        head.parse(format!("{line}\r\n{hosts}\r\n").as_bytes(), &LIMITS).expect("a head");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Target::of(&head).map(|target| (target.host.map(text), target.path.map(text).concat()))
    }

    #[test]
    fn forms_of_targets() {
        let is = |line, hosts: &[&str], host: Option<&str>, path: &str| {
            assert_eq!(target(line, hosts), Ok((host.map(str::to_owned), path.to_owned())), "{line}");
        };
        is("GET /a?b HTTP/1.1", &["x.test"], Some("x.test"), "/a?b");
        is("GET /a HTTP/1.1", &["[::1]:8080"], Some("[::1]:8080"), "/a");
        is("GET /a HTTP/1.1", &["x_y.test:81"], Some("x_y.test:81"), "/a");
        is("GET http://b.test/x?y HTTP/1.1", &["a.test"], Some("b.test"), "/x?y");
        is("GET HTTP://b.test HTTP/1.1", &["a.test"], Some("b.test"), "/");
        is("GET http://b.test?q HTTP/1.1", &["a.test"], Some("b.test"), "/?q");
        is("OPTIONS * HTTP/1.1", &["a"], Some("a"), "*");
        is("GET / HTTP/1.0", &[], None, "/");
        is("GET //b.test/ HTTP/1.1", &["a"], Some("a"), "//b.test/");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (line, hosts, refusal) in [
            ("GET / HTTP/1.1", &[][..], Refusal::Host),
            ("GET / HTTP/1.1", &["a", "a"], Refusal::Host),
            ("GET / HTTP/1.1", &[""], Refusal::Host),
            ("GET / HTTP/1.1", &["a b"], Refusal::Host),
            ("GET / HTTP/1.1", &["a@b"], Refusal::Host),
            ("GET / HTTP/1.1", &["a/b"], Refusal::Host),
            ("GET / HTTP/1.1", &["a:b"], Refusal::Host),
            ("GET / HTTP/1.1", &["a,b"], Refusal::Host),
            ("GET / HTTP/1.1", &["[a]"], Refusal::Host),
            ("GET / HTTP/1.1", &["[::1]x"], Refusal::Host),
            ("GET / HTTP/1.0", &["a", "b"], Refusal::Host),
            ("GET http://u:p@b/ HTTP/1.1", &["a"], Refusal::Host),
            ("GET http:///x HTTP/1.1", &["a"], Refusal::Host),
            ("GET ftp://b/ HTTP/1.1", &["a"], Refusal::Target),
            ("GET b.test:80 HTTP/1.1", &["a"], Refusal::Target),
            ("GET * HTTP/1.1", &["a"], Refusal::Target),
            ("GET /a#b HTTP/1.1", &["a"], Refusal::Target),
            ("CONNECT b.test:80 HTTP/1.1", &["a"], Refusal::Method),
            ("TRACE / HTTP/1.1", &["a"], Refusal::Method),
        ] {
            assert_eq!(target(line, hosts), Err(refusal), "{line} {hosts:?}");
        }
    }
}
