//! Which certificate a visitor gets (RFC 6066 section 3).

use proxima_certs::Pair;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Certificates by the names that they are for. The first is for visitors who name none, or one that nobody knows: they come
/// by an address, or are no browsers, and a certificate that does not fit tells them more than a broken handshake.
#[derive(Debug)]
pub(super) struct ByName {
    names: HashMap<String, Vec<Arc<CertifiedKey>>>,
    first: Arc<CertifiedKey>,
}

impl ByName {
    /// Of at least one.
    pub fn new(pairs: &[&Pair]) -> Option<Self> {
        let first = Arc::clone(&pairs.first()?.key);
        let mut names: HashMap<String, Vec<Arc<CertifiedKey>>> = HashMap::new();
        for pair in pairs {
            for name in &pair.names {
                names.entry(name.clone()).or_default().push(Arc::clone(&pair.key));
            }
        }
        Some(Self { names, first })
    }

    /// Those for a name: its own before those of a `*.` (RFC 9525 section 6.3: one label, the leftmost).
    fn of(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let name = name.to_ascii_lowercase();
        let wildcard = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
        self.names.get(&name).or_else(wildcard).map_or(&[], Vec::as_slice)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = hello.server_name().map_or(&[][..], |name| self.of(name));
        // Of an RSA and an elliptic one for the same name the first that this visitor can check.
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let chosen = candidates.iter().find(fits).or(candidates.first()).unwrap_or(&self.first);
        Some(Arc::clone(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_certs::Names;
    use rustls::pki_types::UnixTime;

    fn pair(names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("made");
        let shown = Names { cert: "cert", key: "key" };
        Pair::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes(), &shown, UnixTime::now())
            .expect("a pair")
    }

    #[test]
    fn names_before_wildcards_before_the_first() {
        let pairs = [pair(&["first.test"]), pair(&["*.shop.test", "shop.test"]), pair(&["api.shop.test", "192.0.2.7"])];
        let by_name = ByName::new(&pairs.iter().collect::<Vec<_>>()).expect("some");
        let is = |name: &str, index: Option<usize>| {
            let found = by_name.of(name).first();
            assert_eq!(found.map(|key| key.cert.clone()), index.map(|index| pairs[index].key.cert.clone()), "{name}");
        };
        is("first.test", Some(0));
        is("shop.test", Some(1));
        is("WWW.Shop.test", Some(1));
        is("api.shop.test", Some(2));
        is("192.0.2.7", Some(2));
        for unknown in ["a.b.shop.test", "shop.test.", "test", "*.first.test", ""] {
            is(unknown, None);
        }
        assert!(ByName::new(&[]).is_none());
    }
}
