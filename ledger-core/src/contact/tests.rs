//! Rules of contacts, and the laws of merges.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::aggregate::testing::given;
use crate::aggregate::{Aggregate, Decided};
use crate::event::{
    ContactCreated, ContactEvent, ContactField, ContactHandle, ContactHandleChanged, ContactMerged,
    ContactTag, ContactUpdated, FieldChanges,
};
use crate::identity::HandleKind;
use crate::ids::{HandleId, StreamId, SubjectId, TenantId};

fn contact(nth: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(nth))
}

fn handle(nth: u128) -> ContactHandle {
    ContactHandle { kind: HandleKind::Phone, handle_id: HandleId(Uuid::from_u128(nth)) }
}

fn word(text: &str) -> Word {
    Word::parse(text).expect("a word")
}

fn change(change: ContactChange) -> ContactCommand {
    ContactCommand { contact_id: contact(1), action: ContactAction::Change(Box::new(change)) }
}

fn merge(from: u128, into: u128) -> ContactCommand {
    let merge = Merge { into: contact(into), handles: vec![], into_handles: vec![] };
    ContactCommand { contact_id: contact(from), action: ContactAction::Merge(merge) }
}

fn merged(from: u128, into: u128, with: Option<u128>) -> ContactEvent {
    ContactEvent::Merged(ContactMerged {
        contact_id: contact(from),
        into: contact(into),
        handles: vec![],
        into_handles: vec![],
        with: with.map(contact),
    })
}

fn created() -> ContactEvent {
    ContactEvent::Created(ContactCreated {
        contact_id: contact(1),
        fields: FieldChanges { set: vec![ContactField::Name], ..FieldChanges::default() },
        tags: vec![word("vip")],
        handles: vec![handle(1)],
    })
}

fn named() -> FieldChanges {
    FieldChanges { set: vec![ContactField::Name], ..FieldChanges::default() }
}

#[test]
fn a_contact_is_created_once_and_then_updated() {
    let wish = || {
        change(ContactChange {
            creates: true,
            fields: named(),
            tags: Some(vec![word("vip")]),
            added: vec![handle(1)],
            ..ContactChange::default()
        })
    };
    given::<Contacts>([]).when(wish()).then(Ok(vec![created()]));
    let updated = ContactEvent::Updated(ContactUpdated { contact_id: contact(1), fields: named() });
    given::<Contacts>([created()]).when(wish()).then(Ok(vec![updated]));
}

#[test]
fn a_change_of_a_number_ends_the_old_handle_and_adds_the_new_one() {
    let wish = change(ContactChange {
        added: vec![handle(2)],
        ended: vec![handle(1)],
        ..ContactChange::default()
    });
    let changed = |nth| ContactHandleChanged { contact_id: contact(1), handle: handle(nth) };
    given::<Contacts>([created()]).when(wish).then(Ok(vec![
        ContactEvent::HandleRemoved(changed(1)),
        ContactEvent::HandleAdded(changed(2)),
    ]));
}

#[test]
fn tags_are_replaced_by_their_difference() {
    let tags = |tags: &[&str]| {
        let tags = Some(tags.iter().map(|tag| word(tag)).collect());
        change(ContactChange { tags, ..ContactChange::default() })
    };
    let tag = |tag| ContactTag { contact_id: contact(1), tag: word(tag) };
    given::<Contacts>([created()])
        .when(tags(&["recall"]))
        .then(Ok(vec![ContactEvent::Untagged(tag("vip")), ContactEvent::Tagged(tag("recall"))]));
    given::<Contacts>([created()]).when(tags(&["vip"])).then(Ok(vec![]));
    let many: Vec<String> = (0..=MAX_TAGS).map(|nth| format!("tag-{nth}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    given::<Contacts>([]).when(tags(&many)).then(Err(ContactRefusal::TooManyTags));
}

#[test]
fn a_merged_contact_is_not_changed() {
    let wish = change(ContactChange { fields: named(), ..ContactChange::default() });
    given::<Contacts>([merged(1, 2, None)])
        .when(wish)
        .then(Err(ContactRefusal::Merged(contact(2))));
}

#[test]
fn a_merge_is_recorded_in_the_streams_of_both() {
    let both = vec![(0, merged(1, 2, None)), (1, merged(1, 2, None))];
    given::<Contacts>([]).when(merge(1, 2)).then_in_streams(Ok(both));
}

#[test]
fn a_merge_into_itself_and_in_a_circle_is_refused() {
    given::<Contacts>([]).when(merge(1, 1)).then(Err(ContactRefusal::IntoItself));
    given::<Contacts>([merged(1, 2, None)]).when(merge(2, 1)).then(Err(ContactRefusal::Circle));
    given::<Contacts>([merged(1, 2, None)]).when(merge(1, 2)).then(Ok(vec![]));
    given::<Contacts>([merged(1, 2, None)])
        .when(merge(1, 3))
        .then(Err(ContactRefusal::Merged(contact(2))));
}

#[test]
fn parts_follow_their_survivor() {
    given::<Contacts>([merged(1, 2, None)]).when(merge(2, 3)).then(Ok(vec![
        merged(2, 3, None),
        merged(2, 3, None),
        merged(1, 3, Some(2)),
        merged(1, 3, Some(2)),
    ]));
}

#[test]
fn a_survivor_has_a_bounded_number_of_parts() {
    let parts: Vec<_> = (10..10 + MAX_MERGED as u128).map(|nth| merged(nth, 2, None)).collect();
    given::<Contacts>(parts).when(merge(1, 2)).then(Err(ContactRefusal::TooManyMerged));
}

#[test]
fn a_word_holds_no_number_address_or_sentence() {
    for text in ["vip", "a", "new-patient_2", &"a".repeat(40)] {
        assert_eq!(word(text).as_str(), text);
    }
    for text in ["", "VIP", "a b", "1a", "a@example.com", "t-15550100123", &"a".repeat(41), "é"] {
        assert_eq!(Word::parse(text), None, "{text:?}");
    }
}

/// A log of the streams of contacts, with the loads of the command path.
#[derive(Default)]
struct Log(Vec<(StreamId, ContactEvent)>);

impl Log {
    fn state(&self, streams: &[crate::aggregate::Stream]) -> BTreeMap<SubjectId, ContactState> {
        let mut state = BTreeMap::new();
        for (stream, event) in &self.0 {
            if streams.iter().any(|one| one.stream_id == *stream) {
                Contacts::evolve(&mut state, event);
            }
        }
        state
    }

    fn run(&mut self, command: &ContactCommand) -> Result<(), ContactRefusal> {
        let tenant = TenantId(Uuid::nil());
        let mut streams = Contacts::streams(tenant, command);
        let first = streams.len();
        let mut loads = 0;
        let state = loop {
            let state = self.state(&streams);
            let further = Contacts::further_streams(tenant, &state, command);
            if further == streams[first..] {
                break state;
            }
            loads += 1;
            assert!(loads < 4, "the streams of {command:?} do not settle");
            streams.truncate(first);
            streams.extend(further);
        };
        for Decided { stream, event, .. } in Contacts::decide(&state, command)? {
            self.0.push((streams[stream].stream_id, event));
        }
        Ok(())
    }

    /// The survivor of a contact, from its own stream.
    fn survivor(&self, nth: u128) -> SubjectId {
        let stream = crate::aggregate::Stream::new(
            StreamId(contact(nth).0),
            crate::envelope::StreamKind::Contact,
        );
        let state = self.state(&[stream]);
        state.get(&contact(nth)).and_then(ContactState::merged_into).unwrap_or(contact(nth))
    }
}

#[test]
fn a_merged_contact_with_parts_is_refused_and_its_merge_can_be_repeated() {
    let mut log = Log::default();
    for (from, into) in [(1, 2), (2, 3)] {
        log.run(&merge(from, into)).expect("a merge");
    }
    let recorded = log.0.len();
    for (from, into) in [(2, 4), (1, 4)] {
        assert_eq!(log.run(&merge(from, into)), Err(ContactRefusal::Merged(contact(3))));
    }
    for (from, into) in [(2, 3), (1, 3), (1, 2)] {
        assert_eq!(log.run(&merge(from, into)), Ok(()));
    }
    for part in [1, 2] {
        assert_eq!(log.run(&merge(3, part)), Err(ContactRefusal::Circle));
    }
    assert_eq!(log.0.len(), recorded, "nothing changed");
    log.run(&merge(3, 4)).expect("the survivor can be merged");
    for part in 1..=3 {
        assert_eq!(log.survivor(part), contact(4));
    }
}

proptest! {
    /// Each contact is merged once at most, into one with a higher number: no circle is asked for.
    #[test]
    fn the_same_merges_in_any_order_end_alike(
        merges in proptest::collection::btree_map(0_u128..12, 1_u128..12, 1..12),
        order in any::<u64>(),
    ) {
        let wishes: Vec<(u128, u128)> =
            merges.into_iter().map(|(from, step)| (from, from + step)).collect();
        let mut shuffled = wishes.clone();
        shuffled.sort_by_key(|(from, _)| (u64::try_from(*from).expect("small") + 1)
            .wrapping_mul(order | 1).rotate_left(17));
        let (mut one, mut other) = (Log::default(), Log::default());
        for (from, into) in &wishes {
            one.run(&merge(*from, *into)).expect("no circle");
        }
        for (from, into) in &shuffled {
            other.run(&merge(*from, *into)).expect("no circle");
        }
        let parent: BTreeMap<u128, u128> = wishes.into_iter().collect();
        for nth in 0..24 {
            let mut root = nth;
            while let Some(next) = parent.get(&root) {
                root = *next;
            }
            prop_assert_eq!(one.survivor(nth), contact(root));
            prop_assert_eq!(other.survivor(nth), contact(root));
        }
    }
}
