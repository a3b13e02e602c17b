//! The keys derived from a tenant's key files: one subkey per purpose, derived once with HKDF.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use ledger_core::ids::SubjectId;
use zeroize::Zeroizing;

use crate::root_key::{open_small, seal_small};
use crate::seal::KeyBytes;

/// Labels of the check value, by the scheme of the blind indexes.
const CHECK_LABELS: [&[u8]; 2] = [b"cl/check/1", b"cl/check/2"];

/// How an epoch computes blind indexes.
#[derive(Clone, Copy)]
pub(super) enum IndexScheme<'a> {
    /// Scheme 1: the HMAC of the value under the lookup key of the epoch.
    Plain,
    /// Scheme 2: the HMAC of the value under this lookup key, which epochs share, encrypted with the
    /// index key of the epoch.
    Encrypted(&'a KeyBytes),
}

/// The subkeys of one epoch of a tenant.
pub struct EpochKeys {
    /// Number of the epoch.
    pub epoch: i32,
    wrapping: RandomizedNonceKey,
    misc: RandomizedNonceKey,
    lookup: hmac::Key,
    /// Encrypts the HMAC of a value; `None` in scheme 1.
    cipher: Option<IndexCipher>,
    check_value: [u8; 16],
}

impl EpochKeys {
    pub(super) fn derive(epoch: i32, key: &KeyBytes, scheme: IndexScheme<'_>) -> Self {
        let aead = |label: &[u8]| {
            RandomizedNonceKey::new(&AES_256_GCM, expand(key, label).as_slice())
                .expect("32 bytes is a valid AES-256 key")
        };
        let [plain, encrypted] = check_values(key);
        let own = lookup_key(key);
        let (lookup, cipher, check_value) = match scheme {
            IndexScheme::Plain => (&own, None, plain),
            IndexScheme::Encrypted(lookup) => {
                (lookup, Some(IndexCipher::new(&expand(key, b"cl/index/2"))), encrypted)
            }
        };
        Self {
            epoch,
            wrapping: aead(b"cl/wrap/1"),
            misc: aead(b"cl/misc/1"),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, lookup.as_slice()),
            cipher,
            check_value,
        }
    }

    /// The value stored in the database to recognize this key and the scheme of its blind indexes.
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
        self.seal_index(self.value_digest(kind, normalised))
    }

    /// Whether blind indexes are of scheme 2.
    pub(crate) fn has_encrypted_indexes(&self) -> bool {
        self.cipher.is_some()
    }

    /// The keyed digest of a value, from which each epoch makes its blind index. It is the same in
    /// all epochs of a tenant, and is never stored by an epoch of scheme 2.
    pub(crate) fn value_digest(&self, kind: &str, normalised: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(normalised.as_bytes());
        first16(&context.sign())
    }

    /// The blind index with this digest.
    pub(crate) fn seal_index(&self, digest: [u8; 16]) -> [u8; 16] {
        self.cipher.as_ref().map_or(digest, |cipher| cipher.encrypt(digest))
    }

    /// The digest of a blind index of this epoch.
    pub(crate) fn open_index(&self, index: [u8; 16]) -> [u8; 16] {
        self.cipher.as_ref().map_or(index, |cipher| cipher.decrypt(index))
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

/// AES-256 of single blocks. A digest is one block, and equal digests have to give equal indexes.
struct IndexCipher {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl IndexCipher {
    fn new(key: &KeyBytes) -> Self {
        let unbound =
            || UnboundCipherKey::new(&AES_256, key.as_slice()).expect("32 bytes is an AES-256 key");
        Self {
            encrypting: EncryptingKey::ecb(unbound()).expect("AES has this mode"),
            decrypting: DecryptingKey::ecb(unbound()).expect("AES has this mode"),
        }
    }

    fn encrypt(&self, mut block: [u8; 16]) -> [u8; 16] {
        self.encrypting.encrypt(&mut block).expect("one block");
        block
    }

    fn decrypt(&self, mut block: [u8; 16]) -> [u8; 16] {
        self.decrypting.decrypt(&mut block, DecryptionContext::None).expect("one block");
        block
    }
}

/// The check value of an epoch key in each scheme of blind indexes.
pub(super) fn check_values(key: &KeyBytes) -> [[u8; 16]; 2] {
    CHECK_LABELS.map(|label| {
        let check = hmac::Key::new(hmac::HMAC_SHA256, expand(key, label).as_slice());
        first16(&hmac::sign(&check, b"check"))
    })
}

/// The lookup key of an epoch of scheme 1.
pub(super) fn lookup_key(key: &KeyBytes) -> KeyBytes {
    expand(key, b"cl/lookup/1")
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
