//! What must be true between settings.

use super::ServeArgs;
use url::Host;

/// Two settings that do not fit.
pub(super) struct Contradiction {
    /// The one to change.
    pub setting: &'static str,
    /// The one that it does not fit.
    pub with: Option<&'static str>,
    /// What to do.
    pub message: String,
}

pub(super) fn together(args: &ServeArgs) -> Vec<Contradiction> {
    let mut problems = Vec::new();
    let mut refuse = |setting, with, message: &str| {
        problems.push(Contradiction { setting, with: Some(with), message: message.to_owned() });
    };
    let https = args.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    match (&args.tls_cert, &args.tls_key) {
        (Some(_), None) => refuse("tls_cert", "tls_key", "tls_cert needs tls_key, the file with its private key"),
        (None, Some(_)) => refuse("tls_key", "tls_cert", "tls_key needs tls_cert, the file with its certificate"),
        _ => {}
    }
    if args.tls_cert.is_some() && !https {
        let sentence = "with a certificate public_url must be set, to the https:// address that people open";
        refuse("tls_cert", "public_url", sentence);
    }
    acme(args, &mut refuse);
    if args.redirect_listen.is_some() && !https {
        let sentence = "redirect_listen sends browsers to public_url, which must be an https:// address";
        refuse("redirect_listen", "public_url", sentence);
    }
    if args.proxy_protocol && args.trusted_proxies.is_empty() {
        let sentence = "proxy_protocol needs trusted_proxies: the addresses that may speak it";
        refuse("proxy_protocol", "trusted_proxies", sentence);
    }
    if args.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
        let sentence = "trusted_proxies holds every address: anybody could claim any address. Name the proxies alone";
        problems.push(Contradiction { setting: "trusted_proxies", with: None, message: sentence.to_owned() });
    }
    problems.extend(same_ports(args));
    problems
}

fn acme(args: &ServeArgs, refuse: &mut impl FnMut(&'static str, &'static str, &str)) {
    let named = matches!(
        args.public_url.as_ref().map(|url| (url.scheme(), url.host())),
        Some(("https", Some(Host::Domain(_))))
    );
    if args.acme.is_some() && !named {
        let sentence = "with acme public_url must be set, to the https:// address that people open, with a DNS name";
        refuse("acme", "public_url", sentence);
    }
    if args.acme.is_some() && args.tls_cert.is_some() {
        refuse("acme", "tls_cert", "acme has the certificate issued that tls_cert names a file of: set one of them");
    }
    match (&args.acme_eab_key_id, &args.acme_eab_key_file) {
        (Some(_), None) => refuse("acme_eab_key_id", "acme_eab_key_file", "acme_eab_key_id needs acme_eab_key_file"),
        (None, Some(_)) => refuse("acme_eab_key_file", "acme_eab_key_id", "acme_eab_key_file needs acme_eab_key_id"),
        _ => {}
    }
    if args.acme.is_none() {
        for (setting, set) in [
            ("acme_contact", args.acme_contact.is_some()),
            ("acme_ca", args.acme_ca.is_some()),
            ("acme_eab_key_id", args.acme_eab_key_id.is_some()),
        ] {
            if set {
                refuse(setting, "acme", &format!("{setting} is for acme, which is not set"));
            }
        }
    }
}

fn same_ports(args: &ServeArgs) -> Vec<Contradiction> {
    let mut listeners = vec![("listen", args.listen)];
    listeners.extend(args.redirect_listen.map(|address| ("redirect_listen", address)));
    listeners.extend(args.metrics_listen.map(|address| ("metrics_listen", address)));
    let mut problems = Vec::new();
    for (index, &(setting, address)) in listeners.iter().enumerate() {
        for &(other, same) in &listeners[..index] {
            if address == same && address.port() != 0 {
                let message = format!("{setting} and {other} are both {address}: give each its own port");
                problems.push(Contradiction { setting, with: Some(other), message });
            }
        }
    }
    problems
}
