//! A table with a row for each rule, and properties over generated histories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const ANNA: NameIndex = [1; 16];
const BEN: NameIndex = [2; 16];

fn id(nth: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(nth))
}

fn contact(nth: u128, name: Option<NameIndex>, strongest: HandleKind) -> Contact {
    Contact { contact_id: id(nth), name, strongest }
}

fn known(kind: HandleKind, contacts: &[Contact]) -> Known {
    Known { kind, contacts: contacts.to_vec() }
}

fn is(nth: u128) -> Resolution {
    Resolution::Contact { contact_id: id(nth), takes_name: false }
}

fn becomes(nth: u128) -> Resolution {
    Resolution::Contact { contact_id: id(nth), takes_name: true }
}

fn new(beside: Option<u128>) -> Resolution {
    Resolution::New { possible_duplicate_of: beside.map(id) }
}

fn own(candidates: &[u128]) -> Resolution {
    Resolution::Own { candidates: candidates.iter().copied().map(id).collect() }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, read as one")]
fn every_rule_has_its_row() {
    use HandleKind::{Email, ExternalId, Phone, Sip};
    let nameless_by = |kind| contact(1, None, kind);
    let anna_by = |kind| contact(1, Some(ANNA), kind);
    let ben_by = |kind| contact(2, Some(BEN), kind);
    let rows = [
        ("nothing told", vec![], None, own(&[])),
        ("a name alone", vec![], Some(ANNA), own(&[])),
        ("an unknown number", vec![known(Phone, &[])], None, new(None)),
        ("an unknown SIP address", vec![known(Sip, &[])], None, new(None)),
        ("an unknown external id", vec![known(ExternalId, &[])], None, new(None)),
        ("an unknown e-mail alone", vec![known(Email, &[])], None, own(&[])),
        ("an unknown e-mail with a name", vec![known(Email, &[])], Some(ANNA), new(None)),
        // External ids decide, unless the name differs.
        ("a known external id", vec![known(ExternalId, &[anna_by(ExternalId)])], None, is(1)),
        ("… with its name", vec![known(ExternalId, &[anna_by(ExternalId)])], Some(ANNA), is(1)),
        (
            "… with another",
            vec![known(ExternalId, &[anna_by(ExternalId)])],
            Some(BEN),
            new(Some(1)),
        ),
        (
            "… that has no name yet",
            vec![known(ExternalId, &[nameless_by(ExternalId)]), known(Phone, &[ben_by(Phone)])],
            Some(BEN),
            becomes(1),
        ),
        (
            "a known external id beside a known number of somebody else",
            vec![known(ExternalId, &[anna_by(ExternalId)]), known(Phone, &[ben_by(Phone)])],
            None,
            is(1),
        ),
        // A handle with the same name.
        ("a known number and its name", vec![known(Phone, &[anna_by(Phone)])], Some(ANNA), is(1)),
        (
            "of several contacts the one with the name",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            Some(BEN),
            is(2),
        ),
        (
            "a new number with a known e-mail and its name",
            vec![known(Phone, &[]), known(Email, &[anna_by(Phone)])],
            Some(ANNA),
            is(1),
        ),
        // A single contact and no name.
        ("a known number", vec![known(Phone, &[anna_by(Phone)])], None, is(1)),
        ("a known e-mail", vec![known(Email, &[anna_by(Phone)])], None, is(1)),
        (
            "a known number and a new e-mail",
            vec![known(Phone, &[anna_by(Phone)]), known(Email, &[])],
            None,
            is(1),
        ),
        // A contact without a name.
        (
            "the first name of a number",
            vec![known(Phone, &[nameless_by(Phone)])],
            Some(ANNA),
            becomes(1),
        ),
        (
            "a name by a weaker handle",
            vec![known(Email, &[nameless_by(Phone)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "a name by the number of somebody with an external id",
            vec![known(Phone, &[nameless_by(ExternalId)])],
            Some(ANNA),
            new(Some(1)),
        ),
        // A different name.
        (
            "another name on a number",
            vec![known(Phone, &[anna_by(Phone)])],
            Some(BEN),
            new(Some(1)),
        ),
        // A weaker handle does not decide for a new, stronger one.
        (
            "a new number with a shared e-mail",
            vec![known(Phone, &[]), known(Email, &[anna_by(Phone)])],
            None,
            new(Some(1)),
        ),
        (
            "a new number with the e-mail of somebody nameless",
            vec![known(Phone, &[]), known(Email, &[nameless_by(Email)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "a new external id on the number of somebody named",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(Phone)])],
            None,
            new(Some(1)),
        ),
        (
            "a new external id on the number of somebody with another",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(ExternalId)])],
            None,
            new(Some(1)),
        ),
        (
            "a new external id for whoever called from the number until now",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(Phone)])],
            None,
            is(1),
        ),
        (
            "… and the name",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(Phone)])],
            Some(ANNA),
            becomes(1),
        ),
        // Several contacts and no name.
        (
            "a shared number",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            None,
            own(&[1, 2]),
        ),
        (
            "a shared number beside one's own e-mail",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)]), known(Email, &[ben_by(Phone)])],
            None,
            own(&[1, 2]),
        ),
        (
            "a new external id on a shared number",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            None,
            new(Some(1)),
        ),
    ];
    for (rule, handles, name, wanted) in rows {
        assert_eq!(resolve(&handles, name), wanted, "{rule}");
    }
}

/// A message: handles by kind and number, and a name.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    handles: BTreeMap<HandleKind, u8>,
    name: Option<NameIndex>,
}

/// A model of the vault's contacts.
#[derive(Default)]
struct Vault {
    /// Name of each contact, in order of creation.
    contacts: Vec<Option<NameIndex>>,
    handles: BTreeMap<(HandleKind, u8), Vec<usize>>,
}

impl Vault {
    fn take(&mut self, message: &Message) -> Resolution {
        let known: Vec<Known> = message
            .handles
            .iter()
            .rev()
            .map(|(kind, nth)| Known { kind: *kind, contacts: self.contacts_of(*kind, *nth) })
            .collect();
        let resolution = resolve(&known, message.name);
        let nth = match &resolution {
            Resolution::Contact { contact_id, takes_name } => {
                let nth = usize::try_from(contact_id.0.as_u128()).expect("small");
                if *takes_name {
                    assert_eq!(self.contacts[nth], None, "a name is never replaced");
                    self.contacts[nth] = message.name;
                }
                nth
            }
            Resolution::New { .. } => {
                self.contacts.push(message.name);
                self.contacts.len() - 1
            }
            Resolution::Own { .. } => return resolution,
        };
        for (kind, value) in &message.handles {
            let contacts = self.handles.entry((*kind, *value)).or_default();
            if !contacts.contains(&nth) {
                contacts.push(nth);
            }
        }
        resolution
    }

    fn contacts_of(&self, kind: HandleKind, nth: u8) -> Vec<Contact> {
        let has = |contact: usize| {
            let kinds = self.handles.iter().filter(move |(_, who)| who.contains(&contact));
            kinds.map(|((kind, _), _)| *kind).max().expect("it was found by one")
        };
        let contacts = self.handles.get(&(kind, nth)).into_iter().flatten();
        contacts.map(|who| contact(*who as u128, self.contacts[*who], has(*who))).collect()
    }
}

fn message() -> impl Strategy<Value = Message> {
    let handle = || prop::option::weighted(0.5, 0..2_u8);
    let name = prop::option::of(prop::sample::select(vec![ANNA, BEN]));
    (handle(), handle(), handle(), handle(), name).prop_map(
        |(email, sip, phone, external_id, name)| {
            let told = HandleKind::ALL.into_iter().zip([email, sip, phone, external_id]);
            let handles = told.filter_map(|(kind, nth)| Some((kind, nth?))).collect();
            Message { handles, name }
        },
    )
}

/// Number of people in a list of messages, each of a call of its own, as sums count them. A call
/// counts as its contact, else as its strongest handle, else as itself. A handle does not count if
/// a call with that handle counts as something else.
fn people(messages: &[Message]) -> usize {
    let mut vault = Vault::default();
    let (mut contacts, mut known, mut others, mut strangers) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), 0);
    for message in messages {
        let before = vault.contacts.len();
        match vault.take(message) {
            Resolution::Own { .. } => match message.handles.last_key_value() {
                Some((strongest, nth)) => {
                    others.insert((*strongest, *nth));
                    let weaker = message.handles.iter().filter(|(kind, _)| *kind < strongest);
                    known.extend(weaker.map(|(kind, nth)| (*kind, *nth)));
                }
                None => strangers += 1,
            },
            Resolution::Contact { contact_id, .. } => {
                contacts.insert(contact_id.0.as_u128());
                known.extend(message.handles.iter().map(|(kind, nth)| (*kind, *nth)));
            }
            Resolution::New { .. } => {
                contacts.insert(before as u128);
                known.extend(message.handles.iter().map(|(kind, nth)| (*kind, *nth)));
            }
        }
    }
    contacts.len() + others.difference(&known).count() + strangers
}

/// Generates a message of one of three people with a shared e-mail address; two of them also share
/// a number. Anna and Ben give their names, or only the handle they call from.
fn message_of_people() -> impl Strategy<Value = Message> {
    use HandleKind::{Email, Phone};
    let message = |handles: &[(HandleKind, u8)], name| Message {
        handles: handles.iter().copied().collect(),
        name,
    };
    prop::sample::select(vec![
        message(&[(Phone, 0)], None),
        message(&[(Phone, 0)], Some(ANNA)),
        message(&[(Phone, 0)], Some(BEN)),
        message(&[(Phone, 0), (Email, 0)], None),
        message(&[(Phone, 0), (Email, 0)], Some(BEN)),
        message(&[(Phone, 1)], None),
        message(&[(Phone, 1), (Email, 0)], None),
        message(&[(Email, 0)], None),
        message(&[], None),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn two_different_names_of_one_number_are_never_one_subject(
        messages in prop::collection::vec(message(), 1..12)
    ) {
        let mut vault = Vault::default();
        let mut named: BTreeMap<u128, NameIndex> = BTreeMap::new();
        for message in &messages {
            let made = vault.contacts.len() as u128;
            let who = match vault.take(message) {
                Resolution::Contact { contact_id, .. } => contact_id.0.as_u128(),
                Resolution::New { .. } => made,
                Resolution::Own { .. } => continue,
            };
            if let Some(name) = message.name {
                prop_assert_eq!(*named.entry(who).or_insert(name), name);
            }
        }
    }

    #[test]
    fn an_e_mail_never_takes_a_new_number_over_without_the_same_name(
        before in prop::collection::vec(message(), 0..8), name in prop::option::of(Just(ANNA))
    ) {
        let mut vault = Vault::default();
        for message in &before {
            vault.take(message);
        }
        let handles = BTreeMap::from([(HandleKind::Email, 0), (HandleKind::Phone, 9)]);
        match vault.take(&Message { handles, name }) {
            Resolution::New { .. } => {}
            Resolution::Contact { contact_id, takes_name: false } => {
                let nth = usize::try_from(contact_id.0.as_u128()).expect("small");
                prop_assert!(name.is_some() && vault.contacts[nth] == name);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn the_same_people_are_as_many_in_whatever_order_their_messages_arrive(
        messages in prop::collection::vec(message_of_people(), 1..7),
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let reordered: Vec<Message> =
            order.iter().filter_map(|nth| messages.get(*nth).cloned()).collect();
        prop_assert_eq!(people(&reordered), people(&messages), "{:?}", messages);
    }
}
