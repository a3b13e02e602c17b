//! Events before and after storage: a [`Draft`] is not yet sealed, a [`Recorded`] event was read
//! back.

use chrono::{DateTime, Utc};

use crate::event::{CallEvent, Event};
use crate::ids::{EventId, Position, StreamId, StreamVersion};

pub use crate::section::Sections;

/// Kind of the object that a stream is the history of. Stored as its lower-case name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// A phone or web call.
    Call,
    /// A single text chat.
    Chat,
    /// A provider session that spans several chats.
    Session,
    /// A webhook without the id of a call, chat or session.
    Delivery,
    /// The tenant's own settings.
    Tenant,
    /// The accesses of one actor on one UTC day.
    Access,
    /// An appointment.
    Appointment,
    /// One resource on one UTC day.
    Schedule,
    /// A contact.
    Contact,
    /// A task.
    Task,
    /// Erasures, legal holds and restrictions of a subject.
    Subject,
}

impl StreamKind {
    /// Returns the name stored in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Chat => "chat",
            Self::Session => "session",
            Self::Delivery => "delivery",
            Self::Tenant => "tenant",
            Self::Access => "access",
            Self::Appointment => "appointment",
            Self::Schedule => "schedule",
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Subject => "subject",
        }
    }
}

/// The stream an event is assigned to, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlation {
    /// The id that the provider gave to the call, chat or session.
    Named(StreamKind, String),
    /// No id. The delivery becomes a stream of its own and is part of no call.
    None,
}

/// Deduplication key: the content from which the event id is derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedupe {
    /// The whole content of the body, and the index of the event within it. Tool calls use it as
    /// well: a provider may repeat a tool call id with other arguments, and the second message must
    /// be recorded.
    Content(u16),
}

/// An event as the adapter made it, with facts in the clear and sections not yet sealed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The object that determines the stream of the event.
    pub correlation: Correlation,
    /// Identity of the event under repetition; the event id is derived from it.
    pub dedupe: Dedupe,
    /// The provider's time of the event; `None` if the message had none.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The facts, which are stored in the clear.
    pub event: CallEvent,
    /// The personal data of the event, which are stored sealed.
    pub sections: Sections,
}

/// A decoded event from the log, of any stream or of one kind of stream. Its sections stay sealed
/// and are read separately.
#[derive(Debug, Clone)]
pub struct Recorded<E = Event> {
    /// Position in the tenant's log.
    pub position: Position,
    /// Stream that the event is part of.
    pub stream_id: StreamId,
    /// Number of the event within its stream, from 1.
    pub stream_version: StreamVersion,
    /// Id of the event, unique within the tenant.
    pub event_id: EventId,
    /// The provider's time, or the recording time if the message had none.
    pub occurred_at: DateTime<Utc>,
    /// Recording time by the clock of this installation.
    pub recorded_at: DateTime<Utc>,
    /// The facts, upcast to the current schema version.
    pub event: E,
}

impl<E> Recorded<E> {
    /// Returns the same envelope around another event.
    fn with<F>(&self, event: F) -> Recorded<F> {
        Recorded {
            position: self.position,
            stream_id: self.stream_id,
            stream_version: self.stream_version,
            event_id: self.event_id,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            event,
        }
    }

    /// Returns the envelope with a reference to its event.
    pub fn by_ref(&self) -> Recorded<&E> {
        self.with(&self.event)
    }
}

impl Recorded {
    /// Returns the event if it is about a call; `None` for the event of another stream.
    #[must_use]
    pub fn as_call(&self) -> Option<Recorded<&CallEvent>> {
        match &self.event {
            Event::Call(event) => Some(self.with(event)),
            _ => None,
        }
    }
}
