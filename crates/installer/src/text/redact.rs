//! Takes our secrets out of what is logged, in the spellings in which programs repeat them.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;

/// What stands in place of a secret.
const HIDDEN: &str = "[hidden]";
/// Lines of a multi-line secret (a PEM key) that are shorter are common words, not secrets.
const LINE_BYTES_MIN: usize = 16;

/// Knows every secret of a job. Cheap to clone; prints nothing of what it knows.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<AhoCorasick>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// Hides each of `secrets` as it is, in base64 and base64url, as a JSON string and in
    /// lower-case hex; of several lines, each long line too. Empty ones are passed over.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut spellings: Vec<String> =
            secrets.into_iter().flat_map(|secret| spellings(secret.expose_secret())).collect();
        spellings.sort_unstable();
        spellings.dedup();
        if spellings.is_empty() {
            return Self(None);
        }
        let matcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&spellings);
        Self(matcher.ok().map(Arc::new))
    }

    /// `text` with `[hidden]` in place of each secret.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        match &self.0 {
            None => text.to_owned(),
            Some(matcher) => {
                let mut shown = String::with_capacity(text.len());
                matcher.replace_all_with(text, &mut shown, |_, _, shown| {
                    shown.push_str(HIDDEN);
                    true
                });
                shown
            }
        }
    }
}

fn spellings(secret: &str) -> Vec<String> {
    let mut parts = vec![secret, secret.trim()];
    if secret.trim().contains('\n') {
        parts.extend(
            secret.lines().map(str::trim).filter(|line| line.len() >= LINE_BYTES_MIN && !line.starts_with("-----")),
        );
    }
    parts.retain(|part| !part.is_empty());
    let json = |part: &str| serde_json::to_string(part).map(|quoted| quoted.trim_matches('"').to_owned()).ok();
    parts
        .into_iter()
        .flat_map(|part| {
            let encoded = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].map(|engine| engine.encode(part));
            let cleaned = super::clean(part.as_bytes(), usize::MAX);
            encoded.into_iter().chain([part.to_owned(), cleaned, hex::encode(part)]).chain(json(part))
        })
        .filter(|spelling| !spelling.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn secrets_are_hidden_in_their_spellings() {
        let redactor = redactor(&["hunter2\"ü", ""]);
        for said in [
            "password=hunter2\"ü!",
            "{\"p\":\"hunter2\\\"ü\"}",
            &STANDARD.encode("hunter2\"ü"),
            &URL_SAFE_NO_PAD.encode("hunter2\"ü"),
            "68756e7465723222c3bc",
        ] {
            let shown = redactor.redact(said);
            assert!(shown.contains(HIDDEN) && !shown.contains("hunter"), "{said} -> {shown}");
        }
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn the_longer_secret_wins() {
        assert_eq!(redactor(&["abc", "abcdef"]).redact("xabcdefx abc"), "x[hidden]x [hidden]");
    }

    #[test]
    fn lines_of_a_pem_are_hidden_and_its_frame_is_not() {
        let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\nQAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
        let shown = redactor(&[pem]).redact("bad: b3BlbnNzaC1rZXktdjEAAAAABG5vbmU -----END OPENSSH PRIVATE KEY-----");
        assert_eq!(shown, "bad: [hidden] -----END OPENSSH PRIVATE KEY-----");
    }

    #[test]
    fn it_prints_nothing() {
        assert_eq!(format!("{:?}", redactor(&["hunter2"])), "Redactor(…)");
    }
}
