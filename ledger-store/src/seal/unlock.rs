//! Opens a section in two steps: decryption, then decompression.

use aws_lc_rs::aead::Aad;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use ledger_core::ids::TenantId;
use zeroize::Zeroizing;

use super::{Corrupt, KeyBytes, Sealed, authenticated, codec, derive, zero_nonce};

/// A decrypted and authenticated section that is still compressed.
pub struct Unlocked {
    codec: u8,
    packed: Zeroizing<Vec<u8>>,
}

impl Unlocked {
    /// The declared length of the plaintext; 0 when none is declared, and then [`Self::expand`]
    /// fails.
    #[must_use]
    pub fn len(&self) -> usize {
        codec::plain_len(self.codec, &self.packed).unwrap_or(0)
    }

    /// Whether the plaintext is empty, or cannot be decompressed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decompresses the plaintext.
    ///
    /// # Errors
    /// [`Corrupt`] when the content does not decompress to the declared length.
    pub fn expand(self) -> Result<Vec<u8>, Corrupt> {
        codec::decompress(self.codec, &self.packed)
    }
}

/// The first half of [`super::open`]. A small section may expand to megabytes, so the caller can
/// reserve memory before the expansion.
///
/// # Errors
/// As for [`super::open`].
pub fn unlock(key: &KeyBytes, tenant_id: TenantId, section: &[u8]) -> Result<Unlocked, Corrupt> {
    let parsed = Sealed::parse(section)?;
    let aad = authenticated(tenant_id, &section[..parsed.header_len]);
    let (content_key, commitment) = derive(key, parsed.salt, &aad);
    verify_slices_are_equal(&commitment, parsed.commitment).map_err(|_| Corrupt)?;
    let mut packed = Zeroizing::new(parsed.body.to_vec());
    let len = content_key
        .open_in_place(zero_nonce(), Aad::from(&aad), &mut packed)
        .map_err(|_| Corrupt)?
        .len();
    packed.truncate(len);
    Ok(Unlocked { codec: parsed.codec, packed })
}
