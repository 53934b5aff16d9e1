//! config.json, and the URLs and keys in it: what is accepted is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::identity::{DashboardPublicKey, DashboardUrl, GatewayIdentity};

fuzz_target!(|text: &str| {
    if let Ok(identity) = GatewayIdentity::parse(text) {
        assert!(GatewayIdentity::parse(&identity.to_json()).is_ok(), "what the gateway writes it reads");
    }
    if let Ok(url) = DashboardUrl::parse(text) {
        let shown = url.to_string();
        assert!(shown.starts_with("https://") || shown.starts_with("http://"), "{shown}");
        assert_eq!(DashboardUrl::parse(&shown).map(|url| url.to_string()), Ok(shown));
    }
    if let Ok(key) = DashboardPublicKey::parse(text) {
        assert_eq!(DashboardPublicKey::parse(&key.to_string()), Ok(key));
    }
});
