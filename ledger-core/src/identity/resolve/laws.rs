//! Properties of resolution over generated histories, which the table of cases does not list.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const ANNA: NameIndex = [1; 16];
const BEN: NameIndex = [2; 16];

/// The handles of a message, by kind and number, and its name.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    handles: BTreeMap<HandleKind, u8>,
    name: Option<NameIndex>,
}

/// Contacts in memory, with the rules of the vault.
#[derive(Default)]
struct Vault {
    /// The name of each contact, in the order of creation.
    contacts: Vec<Option<NameIndex>>,
    handles: BTreeMap<(HandleKind, u8), Vec<usize>>,
}

impl Vault {
    fn take(&mut self, message: &Message) -> Resolution {
        let known: Vec<HandleContacts> = message
            .handles
            .iter()
            .rev()
            .map(|(kind, nth)| HandleContacts {
                kind: *kind,
                contacts: self.contacts_of(*kind, *nth),
            })
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
        let contact = |who: &usize| Contact {
            contact_id: SubjectId(Uuid::from_u128(*who as u128)),
            name: self.contacts[*who],
            strongest: has(*who),
        };
        contacts.map(contact).collect()
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
    fn two_different_external_ids_are_never_one_subject(
        messages in prop::collection::vec(message(), 1..12)
    ) {
        let mut vault = Vault::default();
        for message in &messages {
            vault.take(message);
        }
        let mut ids: BTreeMap<usize, u8> = BTreeMap::new();
        for ((kind, nth), contacts) in &vault.handles {
            for contact in contacts.iter().filter(|_| *kind == HandleKind::ExternalId) {
                prop_assert_eq!(*ids.entry(*contact).or_insert(*nth), *nth, "{:?}", messages);
            }
        }
    }
}
