//! A gateway's configuration: one that is valid stays the same, and valid, through JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::{BackendUrl, GatewayConfig};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(url) = BackendUrl::parse(text) {
            assert_eq!(BackendUrl::parse(&url.to_string()).as_ref(), Ok(&url));
        }
    }
    let Ok(config) = serde_json::from_slice::<GatewayConfig>(bytes) else { return };
    let valid = config.validate().is_ok();
    let json = serde_json::to_vec(&config).expect("written");
    let again: GatewayConfig = serde_json::from_slice(&json).expect("what was written is read");
    assert_eq!(again, config);
    assert_eq!(again.validate().is_ok(), valid);
});
