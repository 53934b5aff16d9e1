//! Who asks: the peer, or whom trusted proxies name. The one place where this is decided (invariant 4).

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The client's address.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub IpAddr);

/// Writes [`ClientAddress`] for whoever handles the request.
pub(super) async fn find(trusted: Arc<[IpNet]>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address = resolve(peer.ip(), request.headers(), &trusted);
        request.extensions_mut().insert(ClientAddress(address));
    }
    next.run(request).await
}

/// Walks `X-Forwarded-For` from its end, which the nearest proxy wrote, past every trusted proxy. What stands before the
/// first address that is not trusted, the client may have written itself. `Forwarded` (RFC 7239) is not read: a proxy
/// that sets one of the two passes the other on as it came.
fn resolve(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut known = peer.to_canonical();
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("?")).collect();
    let mut hops = lines.iter().flat_map(|line| line.split(',')).rev();
    while crate::listen::is_trusted(trusted, known) {
        match hops.next().map(hop) {
            Some(Some(address)) => known = address,
            // Nobody, or nonsense: then it is the last proxy that we know of.
            Some(None) | None => break,
        }
    }
    known
}

/// An address, as proxies write it: with a port at times, and in brackets.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().expect("a network")).to_vec();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", axum::http::HeaderValue::from_bytes(line.as_bytes()).expect("a value"));
        }
        headers.append("forwarded", "for=192.0.2.99".parse().expect("a value"));
        headers.append("x-real-ip", "192.0.2.98".parse().expect("a value"));
        resolve(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_say_counts() {
        for (peer, lines, client) in [
            ("198.51.100.1", &["192.0.2.1"][..], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            // What the client wrote itself stands before.
            ("10.0.0.1", &["127.0.0.1, 10.9.9.9, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.5", "192.0.2.1 , 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["192.0.2.1:5000"], "192.0.2.1"),
            ("2001:db8::1", &["[2001:4860::8]:443"], "2001:4860::8"),
            ("2001:db8::1", &["[2001:4860::8]"], "2001:4860::8"),
            // Nonsense ends the walk at whom we know.
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, \u{e9}", "10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["192.0.2.1,"], "10.0.0.1"),
        ] {
            assert_eq!(found(peer, lines), client, "{peer} {lines:?}");
        }
    }
}
