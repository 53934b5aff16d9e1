//! What a box says, as it is stored and shown: bounded, nothing that a terminal or a page acts on, no secret in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_installer::text::{Redactor, clean};
use secrecy::SecretString;

const CHARACTERS: usize = 80;
const SECRET: &str = "correct-horse-battery-staple";

fuzz_target!(|bytes: &[u8]| {
    let shown = clean(bytes, CHARACTERS);
    assert!(shown.chars().count() <= CHARACTERS);
    assert!(!shown.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
    let text = String::from_utf8_lossy(bytes);
    let secret = SecretString::from(SECRET);
    let redacted = Redactor::new([&secret]).redact(&text.replace('x', SECRET));
    assert!(!redacted.contains(SECRET));
});
