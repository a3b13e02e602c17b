//! Sealed bytes that are altered, cut or invented.

use std::sync::LazyLock;

use ledger_core::ids::{EventId, SubjectId, TenantId};
use ledger_store::seal::{
    Corrupt, KeyBytes, Sealed, SectionContext, SectionName, open, pack, seal, unpack,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::cases;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const PLAIN: &[u8] = b"{\"name\":\"Example Person\",\"phone\":\"+15550100123\"}";

fn key() -> KeyBytes {
    Zeroizing::new([7; 32])
}

fn sealed(name: SectionName, plain: &[u8]) -> Vec<u8> {
    let place = SectionContext {
        tenant_id: TENANT,
        subject_id: SubjectId(Uuid::from_u128(2)),
        generation: 1,
        event_id: EventId(Uuid::from_u128(3)),
        event_type: "call.ended",
        schema_version: 1,
        name,
    };
    seal(&key(), &place, plain)
}

const NAMES: [SectionName; 4] =
    [SectionName::Party, SectionName::ToolIo, SectionName::Conversation, SectionName::Raw];

static SECTIONS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| NAMES.map(|name| sealed(name, PLAIN)).to_vec());

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Copies the bytes at one place to another.
    Copy(Index, Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        4 => (any::<Index>(), 1..=255_u8).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (any::<Index>(), any::<Index>(), 1..40_usize)
            .prop_map(|(from, to, len)| Damage::Copy(from, to, len)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let len = bytes.len();
        if len == 0 {
            break;
        }
        match damage {
            Damage::Flip(at, mask) => bytes[at.index(len)] ^= mask,
            Damage::Cut(at) => bytes.truncate(at.index(len)),
            Damage::Insert(at, with) => {
                let at = at.index(len);
                bytes.splice(at..at, with.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = at.index(len);
                bytes.drain(at..len.min(at + count));
            }
            Damage::Copy(from, to, count) => {
                let (from, to) = (from.index(len), to.index(len));
                let count = *count.min(&(len - from.max(to)));
                bytes.copy_within(from..from + count, to);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn no_damaged_section_opens_and_none_panics(
        section in select(SECTIONS.clone()), damages in prop::collection::vec(damage(), 1..5)
    ) {
        let bytes = damaged(section.clone(), &damages);
        prop_assume!(bytes != section);
        prop_assert_eq!(open(&key(), TENANT, &bytes), Err(Corrupt));
        let _ = Sealed::parse(&bytes);
    }

    #[test]
    fn invented_bytes_are_corrupt(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Without and with the beginning of a valid section.
        for bytes in [bytes.clone(), [&[1, 1], bytes.as_slice()].concat()] {
            prop_assert_eq!(open(&key(), TENANT, &bytes), Err(Corrupt));
            let _ = Sealed::parse(&bytes);
        }
    }

    #[test]
    fn a_damaged_column_splits_into_its_own_bytes_only(
        damages in prop::collection::vec(damage(), 0..5)
    ) {
        let column = pack(&SECTIONS).expect("there are some");
        let bytes = damaged(column.clone(), &damages);
        if let Ok(sections) = unpack(&bytes) {
            // Lengths beyond the end are refused, so every byte is counted once.
            let counted: usize = sections.iter().map(|section| section.len() + 4).sum();
            prop_assert_eq!(counted, bytes.len());
            for section in sections {
                let is_whole = SECTIONS.iter().any(|whole| whole == section);
                prop_assert_eq!(open(&key(), TENANT, section).is_ok(), is_whole);
            }
        } else {
            prop_assert_ne!(bytes, column);
        }
    }
}

#[test]
fn a_length_beyond_the_end_allocates_no_memory() {
    for claim in [u32::MAX, 1 << 31, 5] {
        let mut column = claim.to_be_bytes().to_vec();
        column.extend_from_slice(b"four");
        assert_eq!(unpack(&column), Err(Corrupt), "{claim}");
    }
    let zeros = vec![0; 4_000_000];
    assert_eq!(unpack(&zeros).map(|sections| sections.len()), Ok(1_000_000));
}

#[test]
fn a_section_that_would_expand_beyond_the_maximum_is_corrupt() {
    const MOST: usize = 64 << 20;
    let whole = sealed(SectionName::Raw, &vec![0; MOST]);
    assert!(whole.len() < 100_000, "it is a bomb: {}", whole.len());
    assert_eq!(open(&key(), TENANT, &whole).map(|plain| plain.len()), Ok(MOST));
    let beyond = sealed(SectionName::Raw, &vec![0; MOST + 1]);
    assert_eq!(open(&key(), TENANT, &beyond), Err(Corrupt));
}
