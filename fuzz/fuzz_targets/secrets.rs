//! License keys, secrets and tokens: only the one form is accepted, unchanged, and none prints itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::{ApiSecret, InstallToken, LicenseKey, ReportToken};

/// `<two letters>_` and 43 characters of base64url: 32 bytes.
const LENGTH: usize = 46;

fuzz_target!(|text: &str| {
    if let Ok(key) = LicenseKey::parse(text) {
        assert!(key.expose() == text && text.len() == LENGTH && text.starts_with("pk_"));
        assert!(!format!("{key:?}").contains(text));
    }
    if let Ok(secret) = ApiSecret::parse(text) {
        assert!(secret.expose() == text && text.len() == LENGTH && text.starts_with("sk_"));
        assert!(!format!("{secret:?}").contains(text));
    }
    for token in [InstallToken::parse(text).map(|t| format!("{t:?}")), ReportToken::parse(text).map(|t| format!("{t:?}"))] {
        if let Ok(shown) = token {
            assert!(!shown.contains(text));
        }
    }
});
