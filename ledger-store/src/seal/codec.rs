//! Compression of a section's plaintext before sealing.
//!
//! Messages of one platform repeat the same words, and each message is too short to compress well
//! by itself. A dictionary of those words, compiled into the program, is used for them. Sealed
//! sections need their dictionary as long as they exist, so a file in `dictionaries/` never
//! changes. A better dictionary gets a new number and a codec of its own.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::get_frame_content_size;

use super::Corrupt;

/// Codec of uncompressed plaintext.
const PLAIN: u8 = 0;
/// Codec of a zstd frame without a dictionary.
pub(super) const ZSTD: u8 = 1;
/// Codec of a zstd frame with the first dictionary.
const ZSTD_DICTIONARY_1: u8 = 2;

const LEVEL: i32 = 3;
/// Upper limit of a plaintext: real sections are smaller, and a larger declared size is not
/// decompressed.
const MAX_PLAINTEXT: usize = 64 << 20;

static DICTIONARY_1: &[u8] = include_bytes!("../../dictionaries/sections-1.zdict");
static ENCODER_1: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_1, LEVEL));
static DECODER_1: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY_1));

// Kept per thread, because creating a compressor costs more than one use.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> =
        RefCell::new(Compressor::with_prepared_dictionary(&ENCODER_1).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR_1: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Returns the smaller of plaintext and compressed form, with its codec.
pub(super) fn compress(plaintext: &[u8]) -> (u8, Cow<'_, [u8]>) {
    let packed = COMPRESSOR
        .with_borrow_mut(|compressor| compressor.as_mut().map(|one| one.compress(plaintext)));
    match packed {
        Some(Ok(packed)) if packed.len() < plaintext.len() => (ZSTD_DICTIONARY_1, packed.into()),
        _ => (PLAIN, plaintext.into()),
    }
}

/// The length of the plaintext, as declared by the compressed form.
pub(super) fn plain_len(codec: u8, packed: &[u8]) -> Result<usize, Corrupt> {
    if codec == PLAIN {
        return Ok(packed.len());
    }
    let len = match get_frame_content_size(packed) {
        Ok(Some(len)) => usize::try_from(len).map_err(|_| Corrupt)?,
        Ok(None) | Err(_) => return Err(Corrupt),
    };
    if len > MAX_PLAINTEXT { Err(Corrupt) } else { Ok(len) }
}

/// Returns the plaintext of a compressed content.
pub(super) fn decompress(codec: u8, packed: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let len = plain_len(codec, packed)?;
    if codec == PLAIN {
        return Ok(packed.to_vec());
    }
    let kept = match codec {
        ZSTD => &DECOMPRESSOR,
        ZSTD_DICTIONARY_1 => &DECOMPRESSOR_1,
        _ => return Err(Corrupt),
    };
    let make = || match codec {
        ZSTD => Decompressor::new(),
        _ => Decompressor::with_prepared_dictionary(&DECODER_1),
    };
    kept.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(make().expect("there is memory for a decompressor")),
        };
        decompressor.decompress(packed, len).map_err(|_| Corrupt)
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn a_dictionary_is_never_changed() {
        let hash = digest(&SHA256, DICTIONARY_1);
        let known = "8db52d94f08594d18f89f53a082d70c9714e1196af162e577749d567d84e314f";
        assert_eq!(hex::encode(hash), known, "what was sealed with it needs it as it was");
    }

    #[test]
    fn every_codec_ever_written_is_read() {
        let text = br#"{"message":{"type":"status-update","status":"in-progress"}}"#;
        let plain_zstd = zstd::bulk::compress(text, LEVEL).expect("compresses");
        let (codec, packed) = compress(text);
        assert_eq!(codec, ZSTD_DICTIONARY_1);
        assert!(packed.len() < text.len() / 2, "its words are in the dictionary");
        for (codec, packed) in [(PLAIN, &text[..]), (ZSTD, &plain_zstd), (codec, &packed)] {
            assert_eq!(decompress(codec, packed).as_deref(), Ok(&text[..]), "codec {codec}");
        }
        assert_eq!(decompress(9, text), Err(Corrupt));
    }

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        assert_eq!(compress(b"").0, PLAIN);
        assert_eq!(compress(&[7, 1, 200, 3]).0, PLAIN);
    }

    #[test]
    fn a_claim_of_more_than_a_section_holds_is_corrupt() {
        let bomb = zstd::bulk::compress(&vec![0; MAX_PLAINTEXT + 1], LEVEL).expect("compresses");
        assert_eq!(decompress(ZSTD, &bomb), Err(Corrupt));
    }
}
