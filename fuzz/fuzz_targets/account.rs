//! Names and passwords of people: what is accepted has the form that product.md section 2 promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::{DisplayName, LoginSlug, Password, ServerName, Username};

fn in_form(text: &str, more: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (2..=32).contains(&text.len())
        && text.starts_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || more.contains(c))
}

fuzz_target!(|text: &str| {
    if let Ok(name) = Username::parse(text) {
        assert!(in_form(name.as_str(), "._-"));
        assert!(Username::parse(name.as_str()).is_ok(), "what was accepted is accepted again");
    }
    if let Ok(slug) = LoginSlug::parse(text) {
        assert!(in_form(slug.as_str(), "-"));
    }
    let names = [
        DisplayName::parse(text).ok().map(|name| name.as_str().to_owned()),
        ServerName::parse("serverName", text).ok().map(|name| name.as_str().to_owned()),
    ];
    for name in names.into_iter().flatten() {
        assert!(!name.trim().is_empty() && !name.chars().any(char::is_control));
    }
    if let Ok(password) = Password::parse("password", text, &["alice"]) {
        // bcrypt's limit: never truncated.
        assert!(password.expose().len() <= 72 && password.expose().chars().count() >= 8);
        assert_eq!(password.expose(), text);
    }
});
