//! Decisions on contacts.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{ContactAction, ContactChange, ContactCommand, ContactRefusal, Merge};
use super::fields::Word;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    ContactCreated, ContactEvent, ContactHandle, ContactHandleChanged, ContactMerged, ContactTag,
    ContactUpdated,
};
use crate::ids::{StreamId, SubjectId, TenantId};

/// Maximum number of tags of a contact. One change of tags fits into one command.
pub const MAX_TAGS: usize = 16;
/// Maximum number of contacts that were merged into one, so that all of them can follow it in one
/// command.
pub const MAX_MERGED: usize = 30;

/// The state of a contact that decisions depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactState {
    is_created: bool,
    tags: BTreeSet<Word>,
    handles: BTreeSet<ContactHandle>,
    merged_into: Option<SubjectId>,
    parts: BTreeSet<SubjectId>,
}

impl ContactState {
    /// The contact that this one is a part of.
    #[must_use]
    pub fn merged_into(&self) -> Option<SubjectId> {
        self.merged_into
    }

    /// The contacts that were merged into this one.
    #[must_use]
    pub fn parts(&self) -> &BTreeSet<SubjectId> {
        &self.parts
    }
}

/// The aggregate of contacts. The stream of a contact has its id.
#[derive(Debug, Clone, Copy)]
pub struct Contacts;

pub(super) type States = BTreeMap<SubjectId, ContactState>;

impl Aggregate for Contacts {
    type State = States;
    type Command = ContactCommand;
    type Event = ContactEvent;
    type Rejection = ContactRefusal;

    fn streams(_: TenantId, command: &ContactCommand) -> Vec<Stream> {
        first(command).into_iter().map(stream).collect()
    }

    fn further_streams(_: TenantId, states: &States, command: &ContactCommand) -> Vec<Stream> {
        further(states, command).into_iter().map(stream).collect()
    }

    fn decide(
        states: &States,
        command: &ContactCommand,
    ) -> Result<Vec<Decided<ContactEvent>>, ContactRefusal> {
        match &command.action {
            ContactAction::Change(change) => decide_change(states, command.contact_id, change),
            ContactAction::Merge(merge) => decide_merge(states, command, merge),
        }
    }

    fn evolve(states: &mut States, event: &ContactEvent) {
        match event {
            ContactEvent::Created(created) => {
                let state = states.entry(created.contact_id).or_default();
                state.is_created = true;
                state.tags.extend(created.tags.iter().cloned());
                state.handles.extend(&created.handles);
            }
            ContactEvent::Updated(updated) => {
                states.entry(updated.contact_id).or_default();
            }
            ContactEvent::Tagged(tagged) => {
                states.entry(tagged.contact_id).or_default().tags.insert(tagged.tag.clone());
            }
            ContactEvent::Untagged(untagged) => {
                states.entry(untagged.contact_id).or_default().tags.remove(&untagged.tag);
            }
            ContactEvent::HandleAdded(added) => {
                states.entry(added.contact_id).or_default().handles.insert(added.handle);
            }
            ContactEvent::HandleRemoved(removed) => {
                states.entry(removed.contact_id).or_default().handles.remove(&removed.handle);
            }
            ContactEvent::Merged(merged) => {
                let state = states.entry(merged.contact_id).or_default();
                if let Some(before) = state.merged_into.replace(merged.into) {
                    states.entry(before).or_default().parts.remove(&merged.contact_id);
                }
                states.entry(merged.into).or_default().parts.insert(merged.contact_id);
            }
        }
    }
}

fn stream(contact_id: SubjectId) -> Stream {
    Stream::new(StreamId(contact_id.0), StreamKind::Contact)
}

/// The contacts that a command names.
pub(super) fn first(command: &ContactCommand) -> Vec<SubjectId> {
    let mut named = vec![command.contact_id];
    if let ContactAction::Merge(merge) = &command.action
        && merge.into != command.contact_id
    {
        named.push(merge.into);
    }
    named
}

/// The contacts that follow from the state: the survivor of `into`, and the parts of the contact.
/// A contact that was merged is decided by its own stream: its parts have followed it, which only
/// their streams tell, so they would leave the list as soon as they are loaded.
pub(super) fn further(states: &States, command: &ContactCommand) -> Vec<SubjectId> {
    let ContactAction::Merge(merge) = &command.action else { return Vec::new() };
    let state = states.get(&command.contact_id);
    if state.is_some_and(|state| state.merged_into.is_some()) {
        return Vec::new();
    }
    let named = first(command);
    let parts = state.into_iter().flat_map(|state| &state.parts);
    let all: BTreeSet<SubjectId> = parts.copied().chain([survivor(states, merge.into)]).collect();
    all.into_iter().filter(|contact_id| !named.contains(contact_id)).collect()
}

/// The survivor of a contact: itself, unless it was merged.
pub(super) fn survivor(states: &States, contact_id: SubjectId) -> SubjectId {
    states.get(&contact_id).and_then(|state| state.merged_into).unwrap_or(contact_id)
}

fn decide_change(
    states: &States,
    contact_id: SubjectId,
    change: &ContactChange,
) -> Result<Vec<Decided<ContactEvent>>, ContactRefusal> {
    let unknown = ContactState::default();
    let state = states.get(&contact_id).unwrap_or(&unknown);
    if let Some(into) = state.merged_into {
        return Err(ContactRefusal::Merged(into));
    }
    if change.tags.as_ref().is_some_and(|tags| tags.len() > MAX_TAGS) {
        return Err(ContactRefusal::TooManyTags);
    }
    if change.creates && !state.is_created {
        let event = ContactEvent::Created(ContactCreated {
            contact_id,
            fields: change.fields.clone(),
            tags: change.tags.clone().unwrap_or_default(),
            handles: change.added.clone(),
        });
        return Ok(vec![Decided { stream: 0, event, sections: change.sections.clone() }]);
    }
    let mut decided = Vec::new();
    if !change.fields.is_empty() {
        let updated = ContactUpdated { contact_id, fields: change.fields.clone() };
        let (event, sections) = (ContactEvent::Updated(updated), change.sections.clone());
        decided.push(Decided { stream: 0, event, sections });
    }
    let handle = |handle: &ContactHandle| ContactHandleChanged { contact_id, handle: *handle };
    let ended = change.ended.iter().map(handle).map(ContactEvent::HandleRemoved);
    let added = change.added.iter().filter(|handle| !state.handles.contains(handle));
    let added = added.map(handle).map(ContactEvent::HandleAdded);
    let mut events: Vec<ContactEvent> = ended.chain(added).collect();
    if let Some(tags) = &change.tags {
        let wanted: BTreeSet<Word> = tags.iter().cloned().collect();
        let tag = |tag: &Word| ContactTag { contact_id, tag: tag.clone() };
        events.extend(state.tags.difference(&wanted).map(tag).map(ContactEvent::Untagged));
        events.extend(wanted.difference(&state.tags).map(tag).map(ContactEvent::Tagged));
    }
    decided.extend(events.into_iter().map(Decided::first));
    Ok(decided)
}

/// Decides a merge: one event in the stream of each contact that moves, and one in the survivor's.
fn decide_merge(
    states: &States,
    command: &ContactCommand,
    merge: &Merge,
) -> Result<Vec<Decided<ContactEvent>>, ContactRefusal> {
    let contact_id = command.contact_id;
    if merge.into == contact_id {
        return Err(ContactRefusal::IntoItself);
    }
    let into = survivor(states, merge.into);
    match states.get(&contact_id).and_then(|state| state.merged_into) {
        Some(known) if known == into => return Ok(Vec::new()),
        Some(known) => return Err(ContactRefusal::Merged(known)),
        None if into == contact_id => return Err(ContactRefusal::Circle),
        None => {}
    }
    let parts = |contact_id| states.get(&contact_id).map(|state| state.parts.clone());
    let moved = parts(contact_id).unwrap_or_default();
    if moved.len() + parts(into).unwrap_or_default().len() + 1 > MAX_MERGED {
        return Err(ContactRefusal::TooManyMerged);
    }
    let mut streams = first(command);
    streams.extend(further(states, command));
    let index = |contact_id: SubjectId| {
        streams.iter().position(|known| *known == contact_id).unwrap_or(streams.len())
    };
    let merged = ContactMerged {
        contact_id,
        into,
        handles: merge.handles.clone(),
        into_handles: merge.into_handles.clone(),
        with: None,
    };
    let follows = |part: SubjectId| ContactMerged {
        contact_id: part,
        into,
        handles: Vec::new(),
        into_handles: Vec::new(),
        with: Some(contact_id),
    };
    let mut decided = Vec::new();
    for fact in std::iter::once(merged).chain(moved.into_iter().map(follows)) {
        let part = fact.contact_id;
        decided.push(Decided::new(index(part), ContactEvent::Merged(fact.clone())));
        decided.push(Decided::new(index(into), ContactEvent::Merged(fact)));
    }
    Ok(decided)
}
