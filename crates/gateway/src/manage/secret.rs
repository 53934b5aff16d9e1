//! The bearer `apiSecret`, compared in constant time.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use proxima_types::{ApiSecret, KeyDigest};
use subtle::ConstantTimeEq as _;

/// Only the digest is kept: it has one length, and the secret itself stays where it is.
pub(super) struct Secret(KeyDigest);

impl Secret {
    pub(super) fn new(secret: &ApiSecret) -> Self {
        Self(KeyDigest::of_presented(secret.expose()))
    }

    /// Whether the request shows the secret: exactly one field, scheme `Bearer` (RFC 6750).
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return false };
        let presented = field.to_str().ok().and_then(|field| field.split_once(' '));
        let Some((scheme, presented)) = presented else { return false };
        let digest = KeyDigest::of_presented(presented);
        scheme.eq_ignore_ascii_case("bearer") && bool::from(digest.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn one_bearer_field_with_the_very_secret_counts() {
        let secret = ApiSecret::from_random_bytes([3; 32]);
        let checked = Secret::new(&secret);
        let shown = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, HeaderValue::from_str(field).expect("a value"));
            }
            checked.is_shown(&headers)
        };
        let (text, good) = (secret.expose(), format!("Bearer {}", secret.expose()));
        assert!(shown(&[&good]));
        assert!(shown(&[&format!("bearer {text}")]));
        let other = format!("Bearer {}", ApiSecret::from_random_bytes([4; 32]).expose());
        let (longer, spaced, basic) = (format!("{good}A"), format!("Bearer  {text}"), format!("Basic {text}"));
        for bad in [vec![], vec![""], vec!["Bearer"], vec!["Bearer "], vec![text], vec![&other], vec![&longer]] {
            assert!(!shown(&bad));
        }
        for bad in [vec![spaced.as_str()], vec![&basic], vec![&good, &good], vec![&other, &good]] {
            assert!(!shown(&bad));
        }
    }
}
