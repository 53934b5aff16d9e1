//! Signatures as Standard Webhooks 1.0 has them (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

/// One attempt of one event: its id is the same in every attempt, its timestamp is of this one.
pub struct Signed<'a> {
    pub id: &'a str,
    pub timestamp: String,
    /// One for each secret in force, separated by spaces.
    pub signature: String,
    pub body: &'a str,
}

impl<'a> Signed<'a> {
    /// `None` when a secret is not `whsec_` and base64.
    #[must_use]
    pub fn new(id: &'a str, now: DateTime<Utc>, body: &'a str, secrets: &[&str]) -> Option<Self> {
        let timestamp = now.timestamp().to_string();
        let content = format!("{id}.{timestamp}.{body}");
        let signatures: Option<Vec<String>> = secrets.iter().map(|secret| sign(secret, &content)).collect();
        Some(Self { id, timestamp, signature: signatures?.join(" "), body })
    }
}

fn sign(secret: &str, content: &str) -> Option<String> {
    let key = Zeroizing::new(STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_published_example_holds() {
        let now = DateTime::from_timestamp(1_614_265_330, 0).expect("a date");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = Signed::new("msg_p5jXN8AQM9LWM0D4loKWxJek", now, r#"{"test": 2432232314}"#, &[secret, secret]);
        let signed = signed.expect("signed");
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed.signature, format!("{one} {one}"));
        assert!(Signed::new("x", now, "", &["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).is_none());
    }
}
