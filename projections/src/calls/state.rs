//! Encoding of a call in its row: JSON, compressed with a dictionary.
//!
//! All rows contain the same words, so the dictionary reduces a row to a fifth, and the cost of
//! a row is mostly its length. A change of the read model's schema version folds every row again,
//! so a better dictionary only needs a new schema version, not a codec of its own.

use std::cell::RefCell;
use std::sync::LazyLock;

use ledger_core::call::Call;
use ledger_store::StoreError;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::get_frame_content_size;

const LEVEL: i32 = 1;
/// Limit of decompressed JSON. PostgreSQL stores no larger value; a frame that announces more is
/// rejected.
const MAX_JSON: u64 = 1 << 30;

static DICTIONARY: &[u8] = include_bytes!("../../dictionaries/calls-1.zdict");
static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

// Creating a compressor costs more than using it, so each thread keeps one.
thread_local! {
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(
        Compressor::with_prepared_dictionary(&ENCODER).expect("there is memory for a compressor"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(
        Decompressor::with_prepared_dictionary(&DECODER).expect("there is memory for a decompressor"));
}

/// Encodes a call for the `state` column.
pub(super) fn pack(call: &Call) -> Vec<u8> {
    let json = serde_json::to_vec(call).expect("a fold is plain data");
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(&json));
    packed.expect("there is memory for a frame")
}

/// Decodes a call from the `state` column.
///
/// # Errors
/// [`StoreError::Corrupt`] if the state cannot be decoded.
pub fn unpack(state: &[u8]) -> Result<Call, StoreError> {
    let call = json(state).and_then(|json| serde_json::from_slice(&json).ok());
    call.ok_or(StoreError::Corrupt { table: "calls", column: "state" })
}

/// Returns the size in bytes of the decompressed JSON, as announced by the frame; 0 if it is not
/// announced.
pub(super) fn weight(state: &[u8]) -> usize {
    let len = get_frame_content_size(state).ok().flatten().unwrap_or(0);
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn json(state: &[u8]) -> Option<Vec<u8>> {
    let len = get_frame_content_size(state).ok().flatten().filter(|len| *len <= MAX_JSON)?;
    let len = usize::try_from(len).ok()?;
    DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(state, len)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Calls;
    use crate::projector::Projector;

    /// A row as encoded by schema version 5.
    const SHAPE_5: &str = "28b52ffd236ca04a0c3c8d0000206120307d03fc89aa815018bdacaebc43";

    fn call() -> Call {
        let mut call = Call::default();
        call.provider = "vapi".into();
        call.provider_call_id = "a call".into();
        call
    }

    #[test]
    fn rows_of_a_schema_version_stay_readable() {
        assert_eq!(Calls.schema_version(), 5, "a new shape has a new row here");
        let row = hex::decode(SHAPE_5).expect("hexadecimal digits");
        let read = unpack(&row).unwrap_or_else(|_| panic!("now {}", hex::encode(pack(&call()))));
        assert_eq!(read, call());
    }

    #[test]
    fn a_call_is_kept_in_less_than_its_json_and_comes_back() {
        let call = call();
        let packed = pack(&call);
        assert!(packed.len() < serde_json::to_vec(&call).expect("plain data").len());
        assert_eq!(unpack(&packed).expect("what was packed"), call);
    }

    #[test]
    fn bytes_other_than_a_packed_call_are_corrupt() {
        let packed = pack(&Call::default());
        let bomb = zstd::bulk::compress(&[b' '; 9000], LEVEL).expect("compresses");
        for state in [&b""[..], b"{}", &packed[..packed.len() - 1], &bomb] {
            assert!(matches!(unpack(state), Err(StoreError::Corrupt { .. })), "{state:?}");
        }
    }
}
