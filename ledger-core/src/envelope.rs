//! Events before and after storage: a [`Draft`] is not yet sealed, a [`Recorded`] event was read
//! back.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::{EventId, Position, StreamId, StreamVersion};
use crate::personal::{Conversation, Party, ToolIo};

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
    /// The tenant's own settings and accesses.
    Tenant,
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
    pub event: Event,
    /// The personal data of the event, which are stored sealed.
    pub sections: Sections,
}

/// Personal data of an event, to be sealed under the subject's key. `Debug` prints no values.
#[derive(Clone, Default)]
pub struct Sections {
    /// Name, number and addresses of the person on the line.
    pub party: Option<Party>,
    /// Transcript, summary and other content of the conversation.
    pub conversation: Option<Conversation>,
    /// Arguments and results of tool calls.
    pub tool_io: Vec<ToolIo>,
    /// The body as received, with provider secrets removed.
    pub raw: Option<Vec<u8>>,
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sections(..)")
    }
}

impl Sections {
    /// Returns true if the event has no personal data to seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.party.is_none()
            && self.conversation.is_none()
            && self.tool_io.is_empty()
            && self.raw.is_none()
    }
}

/// A decoded event from the log. Its sections stay sealed and are read separately.
#[derive(Debug, Clone)]
pub struct Recorded {
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
    pub event: Event,
}
