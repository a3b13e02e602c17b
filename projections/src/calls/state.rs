//! How a call is kept in its row: its JSON, compressed. It says the same words in every row and is
//! compressed with a dictionary of them, to a fifth; most of what a row costs is its length.
//!
//! Rows are folded anew whenever the shape of the read model changes, so a better dictionary is a new
//! shape and needs no codec of its own.

use std::cell::RefCell;
use std::sync::LazyLock;

use ledger_core::call::Call;
use ledger_store::StoreError;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::get_frame_content_size;

const LEVEL: i32 = 1;
/// PostgreSQL holds no larger value; what claims to be larger is not decompressed.
const MAX_JSON: u64 = 1 << 30;

static DICTIONARY: &[u8] = include_bytes!("../../dictionaries/calls-1.zdict");
static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

// Making one costs more than using it.
thread_local! {
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(
        Compressor::with_prepared_dictionary(&ENCODER).expect("there is memory for a compressor"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(
        Decompressor::with_prepared_dictionary(&DECODER).expect("there is memory for a decompressor"));
}

/// A call as its row keeps it.
pub(super) fn pack(call: &Call) -> Vec<u8> {
    let json = serde_json::to_vec(call).expect("a fold is plain data");
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(&json));
    packed.expect("there is memory for a frame")
}

/// A call out of its row.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not what the projector wrote.
pub fn unpack(state: &[u8]) -> Result<Call, StoreError> {
    let call = json(state).and_then(|json| serde_json::from_slice(&json).ok());
    call.ok_or(StoreError::Corrupt { table: "calls", column: "state" })
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

    /// A call as rows of shape 3 keep it.
    const SHAPE_3: &str = "28b52ffd236ca04a0c3c8d0000206120307d03fc89aa815018bdacaebc43";

    fn call() -> Call {
        let mut call = Call::default();
        call.provider = "vapi".into();
        call.provider_call_id = "a call".into();
        call
    }

    #[test]
    fn rows_of_a_shape_are_read_as_long_as_the_shape_stands() {
        assert_eq!(Calls.shape(), 3, "a new shape has a new row here");
        let row = hex::decode(SHAPE_3).expect("hexadecimal digits");
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
    fn what_nobody_packed_is_corrupt() {
        let packed = pack(&Call::default());
        let bomb = zstd::bulk::compress(&[b' '; 9000], LEVEL).expect("compresses");
        for state in [&b""[..], b"{}", &packed[..packed.len() - 1], &bomb] {
            assert!(matches!(unpack(state), Err(StoreError::Corrupt { .. })), "{state:?}");
        }
    }
}
