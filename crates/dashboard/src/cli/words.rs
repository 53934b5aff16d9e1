//! Random passwords that a person can type.

use crate::entropy::{Entropy, typeable};
use zeroize::Zeroizing;

/// Four groups of five: 100 bits.
pub(crate) fn random_password(entropy: &dyn Entropy) -> Zeroizing<String> {
    typeable(entropy, 4, 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn a_random_password_may_be_set() {
        let password = random_password(&OsEntropy);
        assert_eq!(password.len(), 23);
        assert!(proxima_types::Password::parse("password", &password, &["admin"]).is_ok());
    }
}
