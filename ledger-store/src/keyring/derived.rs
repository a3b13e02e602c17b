//! The keys derived from a tenant's key files: one subkey per purpose, derived once with HKDF.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use ledger_core::ids::SubjectId;
use zeroize::Zeroizing;

use crate::root_key::{open_small, seal_small};
use crate::seal::KeyBytes;

/// The subkeys of one epoch of a tenant.
pub struct EpochKeys {
    /// Number of the epoch.
    pub epoch: i32,
    wrapping: RandomizedNonceKey,
    misc: RandomizedNonceKey,
    lookup: hmac::Key,
    check_value: [u8; 16],
}

impl EpochKeys {
    pub(super) fn derive(epoch: i32, key: &KeyBytes) -> Self {
        let aead = |label: &[u8]| {
            RandomizedNonceKey::new(&AES_256_GCM, expand(key, label).as_slice())
                .expect("32 bytes is a valid AES-256 key")
        };
        let check = hmac::Key::new(hmac::HMAC_SHA256, expand(key, b"cl/check/1").as_slice());
        Self {
            epoch,
            wrapping: aead(b"cl/wrap/1"),
            misc: aead(b"cl/misc/1"),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, expand(key, b"cl/lookup/1").as_slice()),
            check_value: first16(&hmac::sign(&check, b"check")),
        }
    }

    /// The value stored in the database to recognize this key.
    #[must_use]
    pub fn check_value(&self) -> [u8; 16] {
        self.check_value
    }

    /// The key that wraps subject keys.
    #[must_use]
    pub fn wrapping(&self) -> &RandomizedNonceKey {
        &self.wrapping
    }

    /// A blind index of a value: equal values give equal bytes, so that a value is found without
    /// being stored. `kind` separates the values of different kinds, such as a number and an id.
    #[must_use]
    pub fn blind_index(&self, kind: &str, normalised: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(normalised.as_bytes());
        first16(&context.sign())
    }

    /// Seals a secret that is not about a person, such as a webhook secret. `aad` is the
    /// associated data.
    #[must_use]
    pub fn seal_secret(&self, aad: &[u8], secret: &[u8]) -> Vec<u8> {
        seal_small(&self.misc, aad, secret)
    }

    /// Opens the result of [`EpochKeys::seal_secret`] with the same `aad`; `None` when it does
    /// not open.
    #[must_use]
    pub fn open_secret(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open_small(&self.misc, aad, sealed)
    }
}

/// HMAC key for digests of contents. Equal contents give equal digests, and a guess cannot be
/// tested without the key.
pub struct DigestKey {
    contents: hmac::Key,
    pseudonyms: hmac::Key,
}

impl DigestKey {
    pub(super) fn new(key: &KeyBytes) -> Self {
        let pseudonyms = expand(key, b"cl/pseudonym/1");
        Self {
            contents: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            pseudonyms: hmac::Key::new(hmac::HMAC_SHA256, pseudonyms.as_slice()),
        }
    }

    /// The HMAC-SHA-256 of `content`.
    #[must_use]
    pub fn digest(&self, content: &[u8]) -> [u8; 32] {
        all32(&hmac::sign(&self.contents, content))
    }

    /// The pseudonym of a subject in certificates: the same in each, and not linked to the id
    /// without the key.
    #[must_use]
    pub fn pseudonym(&self, subject_id: SubjectId) -> [u8; 32] {
        all32(&hmac::sign(&self.pseudonyms, subject_id.0.as_bytes()))
    }
}

fn all32(tag: &hmac::Tag) -> [u8; 32] {
    tag.as_ref().try_into().expect("HMAC-SHA-256 is 32 bytes")
}

fn first16(tag: &hmac::Tag) -> [u8; 16] {
    tag.as_ref()[..16].try_into().expect("HMAC-SHA-256 is longer")
}

/// Derives the subkey for one purpose.
fn expand(key: &KeyBytes, label: &[u8]) -> KeyBytes {
    struct Len32;
    impl KeyType for Len32 {
        fn len(&self) -> usize {
            32
        }
    }
    let mut bytes = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, b"call-ledger")
        .extract(key.as_slice())
        .expand(&[label], Len32)
        .and_then(|okm| okm.fill(bytes.as_mut_slice()))
        .expect("32 bytes is a valid HKDF length");
    bytes
}
