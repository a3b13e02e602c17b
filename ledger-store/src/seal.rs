//! Sealed sections: authenticated encryption of personal data before it leaves this process.
//!
//! The context of a section (tenant, subject, generation, event, type, version and name) is the
//! associated data of the AEAD: a copy of a section opens anywhere, and a section in another
//! context does not. Each section has a key of its own (HKDF of the subject's key and a fresh
//! salt), so no nonce can repeat. A commitment to that key prevents a ciphertext that opens under
//! two keys.
//!
//! ```text
//! 1  version (1)          16 event id                1  length of name, name
//! 1  key kind (1=subject)  1 length of type, type   32  salt
//! 16 subject id            2 schema version         32  key commitment
//! 4  generation            1 codec (seal/codec.rs) n  AES-256-GCM ciphertext and 16-byte tag
//! ```
//!
//! The associated data is `CLS1`, the tenant id, and everything above the salt.

mod codec;
mod columns;
mod unlock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use ledger_core::ids::{EventId, SubjectId, TenantId};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use columns::{SealedSections, add, pack, section_digests, unpack};
pub use ledger_core::section::SectionName;
pub use unlock::{Unlocked, unlock};

/// A 32-byte key, overwritten when dropped.
pub type KeyBytes = Zeroizing<[u8; 32]>;

const VERSION: u8 = 1;
const KIND_SUBJECT: u8 = 1;
const SALT: usize = 32;
const COMMITMENT: usize = 32;

/// The context of a section, authenticated as associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionContext<'a> {
    /// The tenant of the log.
    pub tenant_id: TenantId,
    /// The subject that the data is about.
    pub subject_id: SubjectId,
    /// Generation of the subject's key.
    pub generation: u32,
    /// The event of the section.
    pub event_id: EventId,
    /// The stored type of the event.
    pub event_type: &'a str,
    /// Schema version of the event.
    pub schema_version: i16,
    /// Name of the section.
    pub name: SectionName,
}

/// A section that does not open, because it was altered or moved or has another key. Raise an
/// alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a sealed section is corrupt: altered, moved, or not under this key")]
pub struct Corrupt;

/// The result of reading personal data. Every caller handles all cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened<T> {
    /// The decrypted value.
    Clear(T),
    /// The subject's key is destroyed, or the subject is fenced: the data is permanently
    /// unreadable.
    Erased,
    /// The processing of the subject's data is restricted, and the reader may not see restricted data.
    Restricted,
    /// The section was altered, or its key is missing without a fence.
    Corrupt,
}

impl<T> Opened<T> {
    /// Maps a clear value with `read`; `None` from `read` turns it into `Corrupt`.
    pub fn parse<U>(self, read: impl FnOnce(T) -> Option<U>) -> Opened<U> {
        match self {
            Self::Clear(value) => read(value).map_or(Opened::Corrupt, Opened::Clear),
            Self::Erased => Opened::Erased,
            Self::Restricted => Opened::Restricted,
            Self::Corrupt => Opened::Corrupt,
        }
    }
}

/// Seals `plaintext` for `context` under the subject's key. Each call uses a fresh salt,
/// so sealing the same text twice gives different bytes.
#[must_use]
pub fn seal(key: &KeyBytes, context: &SectionContext<'_>, plaintext: &[u8]) -> Vec<u8> {
    let (codec, compressed) = codec::compress(plaintext);
    let mut salt = [0; SALT];
    rand::fill(&mut salt).expect("the operating system gives randomness");
    seal_content(key, context, codec, &compressed, &salt)
}

/// The deterministic part of [`seal`], for golden vectors: seals a compressed content with a given
/// salt. A salt must be used for one section only.
pub(crate) fn seal_content(
    key: &KeyBytes,
    context: &SectionContext<'_>,
    codec: u8,
    compressed: &[u8],
    salt: &[u8; SALT],
) -> Vec<u8> {
    let mut section = header(context, codec);
    let header_len = section.len();
    let aad = authenticated(context.tenant_id, &section);
    let (content_key, commitment) = derive(key, salt, &aad);

    section.extend_from_slice(salt);
    section.extend_from_slice(&commitment);
    let body_at = section.len();
    section.extend_from_slice(compressed);
    let tag = content_key
        .seal_in_place_separate_tag(zero_nonce(), Aad::from(&aad), &mut section[body_at..])
        .expect("the plaintext is far below the limit of the cipher");
    section.extend_from_slice(tag.as_ref());
    debug_assert_eq!(body_at, header_len + SALT + COMMITMENT);
    section
}

/// Opens and decompresses a section from a tenant's rows.
///
/// # Errors
/// [`Corrupt`] when any bit of the section, its context or the key differs from sealing.
pub fn open(key: &KeyBytes, tenant_id: TenantId, section: &[u8]) -> Result<Vec<u8>, Corrupt> {
    unlock(key, tenant_id, section)?.expand()
}

/// The fields of a section, still encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The subject that the data is about.
    pub subject_id: SubjectId,
    /// Generation of the subject's key.
    pub generation: u32,
    /// The event that the section was sealed for.
    pub event_id: EventId,
    /// Name of the section.
    pub name: SectionName,
    codec: u8,
    header_len: usize,
    salt: &'a [u8],
    commitment: &'a [u8],
    body: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Splits a section into its fields. Header fields are authentic only after the section has
    /// opened.
    ///
    /// # Errors
    /// [`Corrupt`] when the section is too short or has an unknown format.
    pub fn parse(section: &'a [u8]) -> Result<Self, Corrupt> {
        let mut rest = section;
        if take(&mut rest, 1)? != [VERSION] || take(&mut rest, 1)? != [KIND_SUBJECT] {
            return Err(Corrupt);
        }
        let subject_id = SubjectId(take_uuid(&mut rest)?);
        let generation = take(&mut rest, 4)?.try_into().map_err(|_| Corrupt)?;
        let event_id = EventId(take_uuid(&mut rest)?);
        take_counted(&mut rest)?;
        take(&mut rest, 2)?;
        let codec = take(&mut rest, 1)?[0];
        let name = SectionName::parse(take_counted(&mut rest)?).ok_or(Corrupt)?;
        let header_len = section.len() - rest.len();
        let salt = take(&mut rest, SALT)?;
        let commitment = take(&mut rest, COMMITMENT)?;
        let generation = u32::from_be_bytes(generation);
        Ok(Self {
            subject_id,
            generation,
            event_id,
            name,
            codec,
            header_len,
            salt,
            commitment,
            body: rest,
        })
    }
}

fn header(context: &SectionContext<'_>, codec: u8) -> Vec<u8> {
    let mut header = Vec::with_capacity(128);
    header.extend_from_slice(&[VERSION, KIND_SUBJECT]);
    header.extend_from_slice(context.subject_id.0.as_bytes());
    header.extend_from_slice(&context.generation.to_be_bytes());
    header.extend_from_slice(context.event_id.0.as_bytes());
    put_counted(&mut header, context.event_type);
    header.extend_from_slice(&context.schema_version.to_be_bytes());
    header.push(codec);
    put_counted(&mut header, context.name.as_str());
    header
}

fn put_counted(header: &mut Vec<u8>, text: &str) {
    header.push(u8::try_from(text.len()).expect("type and section names are short constants"));
    header.extend_from_slice(text.as_bytes());
}

fn authenticated(tenant_id: TenantId, header: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(20 + header.len());
    aad.extend_from_slice(b"CLS1");
    aad.extend_from_slice(tenant_id.0.as_bytes());
    aad.extend_from_slice(header);
    aad
}

/// Derives the content key and the key commitment, both bound to the associated data.
fn derive(key: &KeyBytes, salt: &[u8], aad: &[u8]) -> (LessSafeKey, [u8; COMMITMENT]) {
    let extracted = Salt::new(HKDF_SHA256, salt).extract(key.as_slice());
    let expand = |label: &[u8]| {
        let mut bytes = Zeroizing::new([0; 32]);
        extracted
            .expand(&[label, aad], Len32)
            .and_then(|okm| okm.fill(bytes.as_mut_slice()))
            .expect("32 bytes is a valid HKDF length");
        bytes
    };
    let content_key = UnboundKey::new(&AES_256_GCM, expand(b"cl/enc/1").as_slice())
        .expect("32 bytes is a valid AES-256 key");
    (LessSafeKey::new(content_key), *expand(b"cl/commit/1"))
}

/// A constant nonce is safe, because every content key encrypts once.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

struct Len32;

impl KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Corrupt> {
    let (taken, left) = rest.split_at_checked(len).ok_or(Corrupt)?;
    *rest = left;
    Ok(taken)
}

fn take_counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Corrupt> {
    let len = take(rest, 1)?[0];
    take(rest, usize::from(len))
}

fn take_uuid(rest: &mut &[u8]) -> Result<Uuid, Corrupt> {
    Uuid::from_slice(take(rest, 16)?).map_err(|_| Corrupt)
}

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tamper_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> SectionContext<'static> {
        SectionContext {
            tenant_id: TenantId(Uuid::from_u128(1)),
            subject_id: SubjectId(Uuid::from_u128(2)),
            generation: 1,
            event_id: EventId(Uuid::from_u128(3)),
            event_type: "call.ended",
            schema_version: 1,
            name: SectionName::Conversation,
        }
    }

    fn key(byte: u8) -> KeyBytes {
        Zeroizing::new([byte; 32])
    }

    #[test]
    fn seal_then_open_is_identity() {
        for name in [SectionName::Party, SectionName::Raw] {
            for text in [&b""[..], b"x", &vec![7; 100_000]] {
                let context = SectionContext { name, ..context() };
                let section = seal(&key(1), &context, text);
                assert_eq!(open(&key(1), context.tenant_id, &section).as_deref(), Ok(text));
            }
        }
    }

    #[test]
    fn the_same_text_sealed_twice_is_different_bytes() {
        assert_ne!(seal(&key(1), &context(), b"same"), seal(&key(1), &context(), b"same"));
    }
}
