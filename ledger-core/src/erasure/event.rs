//! The events that erasures are decided on: those of subjects, and merges of contacts.

use crate::event::{ContactEvent, Event, SubjectEvent};

/// An event of a subject or of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureEvent {
    /// Of a subject.
    Subject(SubjectEvent),
    /// Of a contact. Only merges are folded, and none is decided here.
    Contact(ContactEvent),
}

impl From<SubjectEvent> for ErasureEvent {
    fn from(event: SubjectEvent) -> Self {
        Self::Subject(event)
    }
}

impl From<ErasureEvent> for Event {
    fn from(event: ErasureEvent) -> Self {
        match event {
            ErasureEvent::Subject(event) => Self::Subject(event),
            ErasureEvent::Contact(event) => Self::Contact(event),
        }
    }
}

impl TryFrom<Event> for ErasureEvent {
    /// The event of another kind of stream.
    type Error = Event;

    fn try_from(event: Event) -> Result<Self, Event> {
        match event {
            Event::Subject(event) => Ok(Self::Subject(event)),
            Event::Contact(event) => Ok(Self::Contact(event)),
            other => Err(other),
        }
    }
}
