//! The system clock and randomness: the only module that reads either.

use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use ledger_core::ids::Ids;
use uuid::Uuid;

/// The clock of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Random and time-ordered ids from the operating system's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn random(&self) -> Uuid {
        Uuid::new_v4()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn ordered(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Generates the seed of the secrets of a command: 256 random bits.
#[must_use]
pub fn fresh_seed() -> zeroize::Zeroizing<[u8; 32]> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).expect("the operating system gives randomness");
    bytes
}

/// Derives the secret of a command from its seed, in the form of [`fresh_secret`].
#[must_use]
pub fn derived_secret(seed: &[u8]) -> String {
    use base64::Engine;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, seed);
    let secret = aws_lc_rs::hmac::sign(&key, b"secret of a command");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret.as_ref())
}

/// Generates a secret of 256 random bits as URL-safe base64 (43 characters).
#[must_use]
pub fn fresh_secret() -> String {
    use base64::Engine;
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).expect("the operating system gives randomness");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes.as_slice())
}
