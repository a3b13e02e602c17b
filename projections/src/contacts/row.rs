//! The row of a contact, and its fold.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ledger_core::contact::{CustomValue, Word};
use ledger_core::event::{
    AppointmentEvent, CallFacts, ContactEvent, ContactField, Event, FieldChanges, PartyFacts,
    Presence,
};
use ledger_core::ids::{EventId, Position};
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::projector::{LogEvent, ProjectError};

/// The event that states a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The event with the value; absent if the field was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// Stream of the event.
    stream_id: Uuid,
    /// Position of the event.
    pub position: i64,
    /// True if a user of the API stated it; it then outranks what calls and bookings state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_set: bool,
}

/// The events that state the fields of a contact, and the custom fields in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// By field.
    pub fields: BTreeMap<ContactField, Claim>,
    /// Custom fields that are not sealed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub clear: BTreeMap<Word, CustomValue>,
}

/// A contact, as the events that name it tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Id of the contact, and of its stream.
    pub contact_id: Uuid,
    /// The contact that it was merged into.
    pub merged_into: Option<Uuid>,
    /// Earliest time of an event that names it.
    pub first_seen_at: DateTime<Utc>,
    /// Its segment.
    pub segment: Option<String>,
    /// Its priority.
    pub priority: Option<String>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// The events that state its fields.
    pub claims: Claims,
    /// The sealed sections of these events.
    pub(super) sections: BTreeMap<(EventId, &'static str), Vec<u8>>,
    /// Position of the last event in it.
    pub position: i64,
    /// Log time of its last change.
    pub updated_at: DateTime<Utc>,
}

impl Contact {
    /// Applies an event that names the contact, and returns whether the row changed.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if the event cannot be decoded.
    pub fn evolve(
        row: &mut Option<Self>,
        contact_id: Uuid,
        event: &LogEvent,
    ) -> Result<bool, ProjectError> {
        let recorded = event.recorded()?;
        let is_new = row.is_none();
        let row = row.get_or_insert_with(|| Self::seen(contact_id, event));
        let earlier = recorded.occurred_at < row.first_seen_at;
        row.first_seen_at = row.first_seen_at.min(recorded.occurred_at);
        let is_changed = match &recorded.event {
            Event::Contact(change) => {
                row.change(change, event);
                true
            }
            Event::Call(call) => row.state(event, stated_in_call(call.call())),
            Event::Appointment(AppointmentEvent::Booked(booked)) => {
                row.state(event, stated(booked.party.unwrap_or_default()))
            }
            _ => false,
        };
        if is_changed || is_new || earlier {
            let Position(position) = recorded.position;
            row.position = row.position.max(position);
            row.updated_at = row.updated_at.max(event.updated_at);
            return Ok(true);
        }
        Ok(false)
    }

    /// The row of a contact that an event names for the first time.
    fn seen(contact_id: Uuid, event: &LogEvent) -> Self {
        Self {
            contact_id,
            merged_into: None,
            first_seen_at: event.stored.occurred_at,
            segment: None,
            priority: None,
            tags: BTreeSet::new(),
            claims: Claims::default(),
            sections: BTreeMap::new(),
            position: event.position().0,
            updated_at: event.updated_at,
        }
    }

    fn change(&mut self, change: &ContactEvent, event: &LogEvent) {
        match change {
            ContactEvent::Created(created) => {
                self.set(&created.fields, event);
                self.tags.extend(created.tags.iter().map(Word::to_string));
            }
            ContactEvent::Updated(updated) => self.set(&updated.fields, event),
            ContactEvent::Tagged(tagged) => {
                self.tags.insert(tagged.tag.to_string());
            }
            ContactEvent::Untagged(untagged) => {
                self.tags.remove(untagged.tag.as_str());
            }
            ContactEvent::Merged(merged) if merged.contact_id.0 == self.contact_id => {
                self.merged_into = Some(merged.into.0);
            }
            // The part has the merge, and the vault the handles.
            ContactEvent::Merged(_)
            | ContactEvent::HandleAdded(_)
            | ContactEvent::HandleRemoved(_) => {}
        }
    }

    /// Sets and removes the fields that a user changed.
    fn set(&mut self, fields: &FieldChanges, event: &LogEvent) {
        for (changed, event_id) in
            [(&fields.set, Some(event.stored.event_id)), (&fields.removed, None)]
        {
            for field in changed {
                let claim = Claim { event_id, ..Claim::of(event, true) };
                self.claims.fields.insert(*field, claim);
                match field {
                    ContactField::Segment => {
                        self.segment = fields.segment.as_ref().map(Word::to_string);
                    }
                    ContactField::Priority => {
                        self.priority = fields.priority.as_ref().map(Word::to_string);
                    }
                    ContactField::CustomFields => self.claims.clear = fields.clear.clone(),
                    _ => {}
                }
            }
        }
        self.keep_sections(event);
    }

    /// Takes the fields that a call or booking states: those of the last one, in its first statement.
    /// What a user has set stays. Returns whether the row changed.
    fn state(&mut self, event: &LogEvent, fields: impl Iterator<Item = ContactField>) -> bool {
        if sections_of(event).next().is_none() {
            return false;
        }
        let mut is_changed = false;
        for field in fields {
            let known = self.claims.fields.get(&field);
            if known.is_some_and(|known| known.is_set || known.stream_id == event.stream()) {
                continue;
            }
            self.claims.fields.insert(field, Claim::of(event, false));
            is_changed = true;
        }
        if is_changed {
            self.keep_sections(event);
        }
        is_changed
    }

    /// Adds the sections of an event, and removes those that no field refers to.
    fn keep_sections(&mut self, event: &LogEvent) {
        self.sections.extend(sections_of(event));
        let used: BTreeSet<(EventId, &str)> = self
            .claims
            .fields
            .iter()
            .filter_map(|(field, claim)| {
                Some((EventId(claim.event_id?), section(*field)?.as_str()))
            })
            .collect();
        self.sections.retain(|key, _| used.contains(key));
    }

    /// Returns the sealed sections, packed as in the log; `None` without one.
    #[must_use]
    pub fn packed(&self) -> Option<Vec<u8>> {
        let sections: Vec<Vec<u8>> = self.sections.values().cloned().collect();
        pack(&sections)
    }
}

impl Claim {
    fn of(event: &LogEvent, is_set: bool) -> Self {
        Self {
            event_id: Some(event.stored.event_id),
            stream_id: event.stream(),
            position: event.position().0,
            is_set,
        }
    }
}

/// The section with the value of a field; `None` for a field in the clear.
fn section(field: ContactField) -> Option<SectionName> {
    match field {
        ContactField::Name
        | ContactField::Phone
        | ContactField::Email
        | ContactField::ExternalId => Some(SectionName::Party),
        ContactField::CustomFields => Some(SectionName::CustomFields),
        ContactField::Segment | ContactField::Priority => None,
    }
}

/// The fields that a party states.
fn stated(party: PartyFacts) -> impl Iterator<Item = ContactField> {
    let valid = Some(Presence::Valid);
    let fields = [
        (party.name, ContactField::Name),
        (party.phone == valid, ContactField::Phone),
        (party.email == valid, ContactField::Email),
        (party.external_id, ContactField::ExternalId),
    ];
    fields.into_iter().filter_map(|(is_stated, field)| is_stated.then_some(field))
}

/// The fields that the message of a call states. A placeholder is none.
fn stated_in_call(facts: &CallFacts) -> impl Iterator<Item = ContactField> {
    let mut party = facts.party.unwrap_or_default();
    if let Some(person) = &facts.person {
        party.name &= person.has_name;
        party.email = party.email.filter(|_| person.email.is_some());
        party.external_id &= person.external_id.is_some();
    }
    stated(party)
}

/// The sections of an event that a contact copies.
fn sections_of(
    event: &LogEvent,
) -> impl Iterator<Item = ((EventId, &'static str), Vec<u8>)> + use<'_> {
    copies(event.stored.sections.as_deref())
}

/// The sections of a column that a contact copies, by event and name.
pub(super) fn copies(
    column: Option<&[u8]>,
) -> impl Iterator<Item = ((EventId, &'static str), Vec<u8>)> + use<'_> {
    let sections = column.and_then(|column| unpack(column).ok()).unwrap_or_default();
    sections.into_iter().filter_map(|bytes| {
        let sealed = Sealed::parse(bytes).ok()?;
        let is_copied = matches!(sealed.name, SectionName::Party | SectionName::CustomFields);
        is_copied.then(|| ((sealed.event_id, sealed.name.as_str()), bytes.to_vec()))
    })
}
