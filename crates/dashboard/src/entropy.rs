//! Randomness, passed in (invariant 12): the operating system's CSPRNG, or a seeded stream in tests.

use proxima_types::secrets::KEY_BYTES;
use proxima_types::{ApiSecret, LicenseKey};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's CSPRNG.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no randomness to give: then nothing here can be safe.
    #[allow(clippy::expect_used)]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}

/// No look-alikes: 0 O, 1 l I.
const TYPEABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Text that a person can type: groups of characters of 5 bits each, joined by hyphens.
pub fn typeable(entropy: &dyn Entropy, groups: usize, characters: usize) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(vec![0; groups * characters]);
    entropy.fill(&mut bytes);
    let mut text = Zeroizing::new(String::with_capacity(groups * (characters + 1)));
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % characters == 0 {
            text.push('-');
        }
        text.push(char::from(TYPEABLE[usize::from(byte % 32)]));
    }
    text
}

/// What the product makes of random bytes.
pub trait EntropyExt: Entropy {
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    fn license_key(&self) -> LicenseKey {
        LicenseKey::from_random_bytes(self.bytes::<KEY_BYTES>())
    }

    fn api_secret(&self) -> ApiSecret {
        ApiSecret::from_random_bytes(self.bytes::<KEY_BYTES>())
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}
