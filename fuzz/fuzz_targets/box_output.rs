//! What a customer's box prints and an SSH server offers: read without a panic, and shown without anything that a terminal acts on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_installer::{Facts, HostKey};

fuzz_target!(|text: &str| {
    let _ = Facts::parse(text);
    if let Ok(key) = HostKey::parse(text) {
        let again = HostKey::parse(&key.openssh).expect("its own line is a host key");
        assert_eq!(again.fingerprint, key.fingerprint);
    }
});
