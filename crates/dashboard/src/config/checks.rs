//! What must be true between settings.

use super::ServeArgs;

/// Problems as (the setting to change, what to do).
pub(super) fn together(args: &ServeArgs) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut refuse = |setting, message: &str| problems.push((setting, message.to_owned()));
    let https = args.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let tls = args.tls_cert.is_some() || args.tls_key.is_some();
    match (&args.tls_cert, &args.tls_key) {
        (Some(_), None) => refuse("tls_cert", "tls_cert needs tls_key, the file with its private key"),
        (None, Some(_)) => refuse("tls_key", "tls_key needs tls_cert, the file with its certificate"),
        _ => {}
    }
    if tls && !https {
        refuse("tls_cert", "with a certificate public_url must be set, to the https:// address that people open");
    }
    if args.redirect_listen.is_some() && !https {
        refuse("redirect_listen", "redirect_listen sends browsers to public_url, which must be an https:// address");
    }
    if args.proxy_protocol && args.trusted_proxies.is_empty() {
        refuse("proxy_protocol", "proxy_protocol needs trusted_proxies: the addresses that may speak it");
    }
    for network in &args.trusted_proxies {
        if network.prefix_len() == 0 {
            refuse(
                "trusted_proxies",
                "trusted_proxies holds every address: anybody could claim any address. Name the proxies alone",
            );
        }
    }
    let mut listeners = vec![("listen", args.listen)];
    listeners.extend(args.redirect_listen.map(|address| ("redirect_listen", address)));
    listeners.extend(args.metrics_listen.map(|address| ("metrics_listen", address)));
    for (index, (name, address)) in listeners.iter().enumerate() {
        for (other, same) in &listeners[..index] {
            if address == same && address.port() != 0 {
                refuse(name, &format!("{name} and {other} are both {address}: give each its own port"));
            }
        }
    }
    problems
}
