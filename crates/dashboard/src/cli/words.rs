//! Random passwords that a person can type.

use crate::entropy::Entropy;
use crate::entropy::EntropyExt as _;
use zeroize::Zeroizing;

/// No look-alikes: 0 O, 1 l I.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Four groups of five: 100 bits.
pub(crate) fn random_password(entropy: &dyn Entropy) -> Zeroizing<String> {
    let bytes = Zeroizing::new(entropy.bytes::<20>());
    let mut password = Zeroizing::new(String::with_capacity(23));
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    password
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
