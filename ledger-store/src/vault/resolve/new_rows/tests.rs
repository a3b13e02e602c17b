//! New rows for messages that an empty vault resolves one after the other.

use std::sync::atomic::{AtomicU64, Ordering};

use HandleKind::{Email, ExternalId, Phone, Sip};
use ledger_core::ids::StreamId;
use uuid::Uuid;

use super::super::lookup::{CacheKeys, OldIndexes};
use super::*;

const ANNA: Option<NameIndex> = Some([1; 16]);
const BEN: Option<NameIndex> = Some([2; 16]);

/// An id source that counts up.
#[derive(Default)]
struct Counted(AtomicU64);

impl Ids for Counted {
    fn random(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }

    fn ordered(&self) -> Uuid {
        self.random()
    }
}

/// A vault in memory.
#[derive(Default)]
struct Vault {
    plan: NewRows,
    ids: Counted,
    calls: u8,
}

impl Vault {
    /// Resolves a message of a new call with handles, strongest first, and perhaps a name.
    fn take(&mut self, handles: &[(HandleKind, u8)], name: Option<NameIndex>) -> ResolvedPerson {
        self.calls += 1;
        let question = Lookup {
            stream_id: StreamId(Uuid::from_u128(u128::from(self.calls))),
            stream: [self.calls; 16],
            handles: handles.iter().map(|(kind, nth)| (*kind, [*nth; 16])).collect(),
            name,
            words: name.into_iter().collect(),
            old: OldIndexes::default(),
            cache_keys: CacheKeys::default(),
        };
        self.plan.decide(&question, &NewestKeys::new(), &self.ids)
    }

    fn who_has(&self, kind: HandleKind, nth: u8) -> &[SubjectId] {
        self.plan.known.handles.get(&(kind, [nth; 16])).map_or(&[], |known| &known.contacts)
    }
}

#[test]
fn a_nameless_message_on_a_shared_number_gives_its_other_handle_to_no_contact() {
    for beside in [Email, Sip] {
        let mut vault = Vault::default();
        let anna = vault.take(&[(Phone, 1)], ANNA).subject_id;
        let ben = vault.take(&[(Phone, 1)], BEN).subject_id;
        let shared = vault.take(&[(Phone, 1), (beside, 1)], None);
        assert!(!shared.facts.contact);
        assert_eq!(shared.facts.candidates, [anna, ben]);
        assert_eq!(vault.who_has(beside, 1), []);
        let later = vault.take(&[(beside, 1)], None);
        assert!(![anna, ben].contains(&later.subject_id), "{beside:?}");
    }
}

#[test]
fn a_nameless_message_leaves_a_handle_of_another_contact_to_that_contact() {
    let mut vault = Vault::default();
    let anna = vault.take(&[(Phone, 1)], ANNA).subject_id;
    let ben = vault.take(&[(Phone, 2), (Email, 1)], BEN).subject_id;
    assert_eq!(vault.take(&[(Phone, 1), (Email, 1)], None).subject_id, anna);
    assert_eq!(vault.who_has(Email, 1), [ben]);
    assert_eq!(vault.take(&[(Email, 1)], None).subject_id, ben);
}

#[test]
fn a_handle_and_a_name_are_held_by_one_contact() {
    let mut vault = Vault::default();
    let by_number = vault.take(&[(Phone, 1)], ANNA);
    let by_sip = vault.take(&[(Sip, 1)], ANNA);
    let both = vault.take(&[(Phone, 1), (Sip, 1)], ANNA);
    assert_eq!(both.subject_id, by_number.subject_id);
    assert_eq!(both.facts.holders, [by_number.subject_id, by_sip.subject_id]);
    assert!(both.facts.has_name && by_sip.facts.holders.is_empty());
    assert_eq!(vault.take(&[(Sip, 1)], ANNA).facts.holders.len(), 0);
    // The pair of the number and the other name has another contact.
    let ben = vault.take(&[(Phone, 1), (Sip, 1)], BEN);
    assert!(ben.facts.holders.is_empty() && ben.subject_id != both.subject_id);
}

#[test]
fn two_external_ids_of_one_name_and_number_are_two_contacts() {
    let mut vault = Vault::default();
    let first = vault.take(&[(ExternalId, 1), (Phone, 1)], ANNA).subject_id;
    let second = vault.take(&[(ExternalId, 2), (Phone, 1)], ANNA).subject_id;
    assert_ne!(first, second);
    // A call without an external id is about neither of the two contacts.
    let neither = vault.take(&[(Phone, 1)], ANNA).subject_id;
    assert!(![first, second].contains(&neither));
    assert_eq!(vault.take(&[(Phone, 1)], ANNA).subject_id, neither);
    assert_eq!(vault.take(&[(ExternalId, 1)], None).subject_id, first);
}
