//! Events on their way in and out: a [`Draft`] before it is sealed, a [`Recorded`] event read back.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::{EventId, Position, StreamId, StreamVersion};
use crate::personal::{Conversation, Party, ToolIo};

/// What kind of thing a stream is the history of. Stored as its lower-case name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// One call.
    Call,
    /// One text chat.
    Chat,
    /// One provider session over several chats.
    Session,
    /// One webhook that names no call, chat or session.
    Delivery,
    /// The tenant's own settings and accesses.
    Tenant,
}

impl StreamKind {
    /// The stored name.
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

/// Which stream an event belongs to, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlation {
    /// The provider names the call, chat or session.
    Named(StreamKind, String),
    /// Nothing is named: the delivery is its own stream, and set aside from every call.
    None,
}

/// What makes an event the same event when it is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedupe {
    /// The whole content of the body, and which of its events this is. Tool calls too: a provider may
    /// repeat one id with other arguments, and what the second message tells is recorded.
    Content(u16),
}

/// One event as the adapter made it: facts in the clear, persons still unsealed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where it belongs.
    pub correlation: Correlation,
    /// What makes it itself.
    pub dedupe: Dedupe,
    /// The provider's clock, when it told a time.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The fact.
    pub event: Event,
    /// What it says about a person.
    pub sections: Sections,
}

/// What an event says about a person, to be sealed under that person's key. `Debug` shows nothing.
#[derive(Clone, Default)]
pub struct Sections {
    /// Who was on the line.
    pub party: Option<Party>,
    /// What was said.
    pub conversation: Option<Conversation>,
    /// What tools were given and gave back.
    pub tool_io: Vec<ToolIo>,
    /// The body as it came, provider secrets cut out.
    pub raw: Option<Vec<u8>>,
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sections(..)")
    }
}

impl Sections {
    /// Whether there is nothing to seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.party.is_none()
            && self.conversation.is_none()
            && self.tool_io.is_empty()
            && self.raw.is_none()
    }
}

/// One event read back from the log, decoded; its sections are still sealed and elsewhere.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Place in the tenant's log.
    pub position: Position,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Count within the stream.
    pub stream_version: StreamVersion,
    /// Its id.
    pub event_id: EventId,
    /// The provider's clock, or ours when it told none.
    pub occurred_at: DateTime<Utc>,
    /// Our clock.
    pub recorded_at: DateTime<Utc>,
    /// The fact.
    pub event: Event,
}
