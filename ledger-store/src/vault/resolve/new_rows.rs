//! The rows that a batch of messages adds to the vault, determined message by message.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::event::{ContactHandle, PersonFacts};
use ledger_core::identity::{self, Contact, HandleKind, NameIndex, Resolution};
use ledger_core::ids::{HandleId, Ids, SubjectId};

use super::super::resolved_persons::ResolvedPerson;
use super::lookup::{HandleKey, Lookup};
use super::newest::{NewestKeys, is_fenced};
use super::read::{Known, KnownHandle};

/// A contact's handle, with the name given with it.
pub(super) type Holding = (HandleId, SubjectId, Option<NameIndex>);

/// The known rows, and the rows to write before the batch is answered. All of them are sorted, so
/// that concurrent processes lock in the same order and do not deadlock.
#[derive(Default)]
pub(super) struct NewRows {
    known: Known,
    pub(super) handles: BTreeMap<HandleKey, HandleId>,
    /// New contacts, each with the contact it may be a duplicate of.
    pub(super) contacts: BTreeMap<SubjectId, Option<SubjectId>>,
    pub(super) holdings: BTreeSet<Holding>,
    /// Names for existing contacts without one.
    pub(super) names: BTreeMap<SubjectId, NameIndex>,
    /// Words of the names that contacts get.
    pub(super) words: BTreeSet<(SubjectId, [u8; 16])>,
    /// Whether a contact gets a handle that another one has: equal messages of before may then be of another contact.
    pub(super) shares_handle: bool,
    /// The calls' own subjects, by the blind index of the stream.
    pub(super) own: BTreeMap<[u8; 16], SubjectId>,
}

impl NewRows {
    pub(super) fn new(known: Known) -> Self {
        Self { known, ..Self::default() }
    }

    /// Every existing subject that may be the result for a message.
    pub(super) fn subjects(&self) -> BTreeSet<SubjectId> {
        let Known { contacts, own, first, .. } = &self.known;
        contacts.keys().chain(own.values()).chain(first.values()).copied().collect()
    }

    /// Number of rows of which a concurrent process may have written one first.
    pub(super) fn len(&self) -> usize {
        self.handles.len() + self.holdings.len() + self.names.len() + self.own.len()
    }

    /// The name of a contact, known or created in this batch.
    pub(super) fn name_of(&self, contact: SubjectId) -> Option<NameIndex> {
        self.known.contacts.get(&contact).and_then(|contact| contact.name)
    }

    /// Determines the subject of a message and plans the rows for it.
    pub(super) fn decide(
        &mut self,
        lookup: &Lookup,
        latest: &NewestKeys,
        ids: &dyn Ids,
    ) -> ResolvedPerson {
        let given: Vec<identity::HandleContacts> =
            lookup.handles.iter().map(|one| self.known.contacts_of(one, lookup.name)).collect();
        let resolution = identity::resolve(&given, lookup.name);
        // If the subject of the call is fenced, neither a name nor a key is created.
        let first = self.known.first.get(&lookup.stream).copied();
        let fenced = first.filter(|subject| is_fenced(latest, *subject));
        match (resolution, fenced) {
            (Resolution::Contact { contact_id, .. }, _) if is_fenced(latest, contact_id) => {
                self.person(lookup, contact_id, true, Vec::new())
            }
            (Resolution::Contact { contact_id, takes_name }, _) => {
                self.hold(lookup, contact_id, takes_name, ids);
                self.person(lookup, contact_id, true, Vec::new())
            }
            (Resolution::New { .. } | Resolution::Own { .. }, Some(subject_id)) => {
                ResolvedPerson { subject_id, facts: PersonFacts::default() }
            }
            (Resolution::New { possible_duplicate_of }, None) => {
                let contact_id = SubjectId(ids.random());
                self.add(lookup, contact_id, possible_duplicate_of, ids);
                self.person(lookup, contact_id, true, Vec::new())
            }
            (Resolution::Own { candidates }, None) => {
                for handle in &lookup.handles {
                    self.handle(handle, ids);
                }
                let known = self.known.own.get(&lookup.stream).copied();
                let subject_id = known.unwrap_or_else(|| {
                    let own = SubjectId(ids.random());
                    self.own.insert(lookup.stream, own);
                    self.known.own.insert(lookup.stream, own);
                    own
                });
                self.person(lookup, subject_id, false, candidates)
            }
        }
    }

    /// Determines the contact of a person that a user describes, and plans the rows for it: an
    /// existing contact by the rules of messages, else a new one with this id. Returns whether it is
    /// new; a fenced contact is returned unchanged.
    pub(super) fn describe(
        &mut self,
        lookup: &Lookup,
        new: SubjectId,
        latest: &NewestKeys,
        ids: &dyn Ids,
    ) -> (SubjectId, bool) {
        let given: Vec<identity::HandleContacts> =
            lookup.handles.iter().map(|one| self.known.contacts_of(one, lookup.name)).collect();
        let duplicate_of = match identity::resolve(&given, lookup.name) {
            Resolution::Contact { contact_id, takes_name } => {
                if !is_fenced(latest, contact_id) {
                    self.hold(lookup, contact_id, takes_name, ids);
                }
                return (contact_id, false);
            }
            Resolution::New { possible_duplicate_of } => possible_duplicate_of,
            Resolution::Own { candidates } => candidates.first().copied(),
        };
        self.add(lookup, new, duplicate_of, ids);
        (new, true)
    }

    /// Returns the contacts that have the external id of a message, each as its survivor.
    pub(super) fn holders_of_external_id(&self, lookup: &Lookup) -> BTreeSet<SubjectId> {
        let ids = lookup.handles.iter().filter(|(kind, _)| *kind == HandleKind::ExternalId);
        let holders = ids.filter_map(|key| self.known.handles.get(key));
        let holders = holders.flat_map(|handle| &handle.contacts);
        holders.map(|holder| self.known.survivor(*holder)).collect()
    }

    /// Adds a new contact with the handles and the name of a message.
    fn add(
        &mut self,
        lookup: &Lookup,
        contact_id: SubjectId,
        possible_duplicate_of: Option<SubjectId>,
        ids: &dyn Ids,
    ) {
        self.contacts.insert(contact_id, possible_duplicate_of);
        let strongest = lookup.handles.first().map_or(HandleKind::Email, |(kind, _)| *kind);
        let contact = Contact { contact_id, name: lookup.name, strongest };
        self.known.contacts.insert(contact_id, contact);
        self.words.extend(lookup.words.iter().map(|word| (contact_id, *word)));
        self.hold(lookup, contact_id, false, ids);
    }

    /// Returns the ids of the handles of a message, as far as they are known or planned.
    pub(super) fn handles_of(&self, lookup: &Lookup) -> Vec<ContactHandle> {
        let known = lookup.handles.iter().filter_map(|key| {
            let handle_id = self.known.handles.get(key)?.handle_id;
            Some(ContactHandle { kind: key.0, handle_id })
        });
        known.collect()
    }

    /// Returns a handle, creating its id when it is new.
    fn handle(&mut self, key: &HandleKey, ids: &dyn Ids) -> &mut KnownHandle {
        let made = &mut self.handles;
        self.known.handles.entry(*key).or_insert_with(|| {
            let handle_id = HandleId(ids.random());
            made.insert(*key, handle_id);
            KnownHandle { handle_id, contacts: Vec::new() }
        })
    }

    /// Adds the missing handles of a message to a contact, and its name if it has none.
    fn hold(&mut self, lookup: &Lookup, contact_id: SubjectId, takes_name: bool, ids: &dyn Ids) {
        for key in &lookup.handles {
            self.hold_one(*key, contact_id, lookup.name, ids);
        }
        let contact = self.known.contacts.get_mut(&contact_id).expect("it is known");
        let strongest = lookup.handles.first().map_or(contact.strongest, |(kind, _)| *kind);
        contact.strongest = contact.strongest.max(strongest);
        // The survivor of a nameless contact may have a name.
        if takes_name && contact.name.is_none() {
            contact.name = lookup.name;
            if let Some(name) = lookup.name.filter(|_| !self.contacts.contains_key(&contact_id)) {
                self.names.insert(contact_id, name);
                self.words.extend(lookup.words.iter().map(|word| (contact_id, *word)));
            }
        }
    }

    /// Gives a contact a handle. The first contact with a handle and a name holds the pair; another
    /// contact of that name holds the handle without it. A message without a name does not prove
    /// that a handle of another contact also belongs to this one, so the handle is left unchanged.
    fn hold_one(
        &mut self,
        key: HandleKey,
        contact_id: SubjectId,
        name: Option<NameIndex>,
        ids: &dyn Ids,
    ) {
        let handle = self.handle(&key, ids);
        let handle_id = handle.handle_id;
        let holders = handle.contacts.clone();
        let is_new = holders.iter().all(|holder| self.known.survivor(*holder) != contact_id);
        let handle = self.handle(&key, ids);
        if is_new && name.is_none() && !handle.contacts.is_empty() {
            return;
        }
        if is_new {
            handle.contacts.push(contact_id);
            self.shares_handle |= !holders.is_empty();
        }
        let given = name.filter(|name| !self.known.holders.contains_key(&(key, *name)));
        if let Some(name) = given {
            self.known.holders.insert((key, name), contact_id);
        }
        if is_new || given.is_some() {
            self.holdings.insert((handle_id, contact_id, given));
        }
    }

    fn person(
        &self,
        lookup: &Lookup,
        subject_id: SubjectId,
        contact: bool,
        candidates: Vec<SubjectId>,
    ) -> ResolvedPerson {
        let has_name = contact && lookup.name.is_some();
        let mut facts = PersonFacts { contact, candidates, has_name, ..PersonFacts::default() };
        for key in &lookup.handles {
            let Some(handle) = self.known.handles.get(key) else { continue };
            *match key.0 {
                HandleKind::ExternalId => &mut facts.external_id,
                HandleKind::Phone => &mut facts.phone,
                HandleKind::Sip => &mut facts.sip,
                HandleKind::Email => &mut facts.email,
            } = Some(handle.handle_id);
            if let Some(name) = lookup.name.filter(|_| has_name) {
                let holder = self.known.holders.get(&(*key, name)).copied();
                facts.holders.push(holder.unwrap_or(subject_id));
            }
        }
        if facts.holders.iter().all(|holder| *holder == subject_id) {
            facts.holders.clear();
        }
        ResolvedPerson { subject_id, facts }
    }
}

#[cfg(test)]
mod tests;
