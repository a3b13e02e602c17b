//! Voice platforms: what each proves, and how its messages become events.
//!
//! An adapter is a function of bytes. It knows nothing of tenants, keys or the database, and it
//! never fails for a reason outside the body it was given.

pub mod signature;
pub mod vapi;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::envelope::Draft;
use crate::personal::Party;

/// A voice platform, or the generic Standard Webhooks sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// vapi.ai
    Vapi,
}

impl Provider {
    /// Every provider this build has an adapter for.
    pub const ALL: &'static [Self] = &[Self::Vapi];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vapi => "vapi",
        }
    }

    /// The provider of a stored or typed name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == name)
    }

    /// Its adapter.
    #[must_use]
    pub fn adapter(self) -> &'static dyn Adapter {
        match self {
            Self::Vapi => &vapi::Vapi,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a webhook request carries besides its body. Header names are lower case.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The request's headers.
    pub headers: &'a [(String, String)],
    /// The exact bytes that were sent; `None` while the body is not read.
    pub body: Option<&'a [u8]>,
    /// Now, in seconds since the Unix epoch, for time-bound signatures.
    pub now_unix: i64,
}

impl<'a> Proof<'a> {
    /// The value of a header that a signature depends on, without surrounding blanks; `None` when it is
    /// absent or empty.
    ///
    /// # Errors
    /// [`Unproven::Repeated`]: each further value would be one more pass over the body, for a sender
    /// that has proved nothing. [`Unproven::Wrong`]: the value is not ASCII, as no signature and no time is.
    pub fn single(&self, name: &str) -> Result<Option<&'a str>, Unproven> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        let mut values = named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
        let value = values.next();
        if values.next().is_some() {
            return Err(Unproven::Repeated);
        }
        match value {
            Some(value) if !value.is_ascii() => Err(Unproven::Wrong),
            value => Ok(value),
        }
    }
}

/// Why a webhook was not believed. Each is answered 401 and audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unproven {
    /// No secret and no signature came.
    #[error("the request carries no proof")]
    Missing,
    /// A proof came, and it is wrong.
    #[error("the proof is wrong")]
    Wrong,
    /// The signature is right for another time.
    #[error("the signed time is more than five minutes away")]
    Stale,
    /// A signature or its time is given more than once. No signature is computed then.
    #[error("the signature or its time is given more than once")]
    Repeated,
    /// The proof is a signature over the body, and the body is not read yet.
    #[error("the proof is a signature over the body, which was not read")]
    Unread,
}

impl Unproven {
    /// The stable word for audits and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "proof-missing",
            Self::Wrong => "proof-wrong",
            Self::Stale => "proof-stale",
            Self::Repeated => "proof-repeated",
            Self::Unread => "proof-unread",
        }
    }
}

/// Why a body is refused. The text is shown to the sender, so it quotes nothing from the body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// Not UTF-8.
    #[error("the body is not UTF-8 (byte {at} breaks it)")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// Nested beyond what any provider sends.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More values than any provider sends.
    #[error("the body holds more than {limit} values")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// JSON, but not a message of this provider.
    #[error("{0}")]
    WrongShape(&'static str),
}

/// Ids in a message that may tell whose it is. They come from the platform's own objects, never
/// from metadata a caller can set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// The assistant.
    pub assistant_id: Option<String>,
    /// Our number, by the platform's id.
    pub phone_number_id: Option<String>,
    /// Our number itself, in E.164.
    pub phone_number: Option<String>,
}

/// One tool call that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// The provider's id, to be given back as it came.
    pub tool_call_id: Option<String>,
    /// The function's name.
    pub tool: String,
}

/// What the provider wants to hear back once the message is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but success.
    Acknowledge,
    /// One result per tool call, in this order. One draft per entry, in the same order.
    ToolResults(Vec<ToolRequest>),
    /// One result without an id (the old single-function shape).
    FunctionResult(ToolRequest),
    /// Which assistant shall answer the telephone.
    Assistant,
    /// Somewhere to send the call; we have nowhere.
    Destination,
    /// A body of the provider's own shape that says "nothing".
    Fixed(Value),
}

/// A message, understood. `Debug` shows its kind and its events, and nothing about a person.
#[derive(Clone)]
pub struct Translation {
    /// The provider's message type.
    pub kind: String,
    /// Whose it may be.
    pub routing: Routing,
    /// The provider's call id, when it names one.
    pub provider_call_id: Option<String>,
    /// Who was on the line, as far as this message tells.
    pub party: Option<Party>,
    /// The body in one canonical spelling (keys sorted, no spaces, numbers as written): what its
    /// identity is computed from, so that a proxy that re-spells JSON does not make a new event.
    pub canonical: Vec<u8>,
    /// The events, in order. Appended together or not at all.
    pub drafts: Vec<Draft>,
    /// Whether it would read otherwise if the country were told: a number in it is not international.
    pub wants_country: bool,
    /// Whether this is streaming telemetry that the report repeats: recorded only on request.
    pub is_telemetry: bool,
    /// What to answer.
    pub reply: Reply,
}

impl fmt::Debug for Translation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translation")
            .field("kind", &self.kind)
            .field("drafts", &self.drafts)
            .finish_non_exhaustive()
    }
}

/// Translator for one voice platform.
pub trait Adapter: Send + Sync {
    /// Checks that the sender knows the secret. Constant time in the secret. Passes over the body at most
    /// once for each form of signature the provider has, whatever the headers are.
    ///
    /// # Errors
    /// [`Unproven`]: the request is answered 401 and nothing of it is kept. [`Unproven::Unread`] without a
    /// body: read it and ask again.
    fn verify(&self, secret: &str, proof: &Proof<'_>) -> Result<(), Unproven>;

    /// Reads a body. `region` (ISO 3166-1 alpha-2) is the country national numbers are read in.
    ///
    /// # Errors
    /// [`Refused`]: the request is answered 400 and nothing of it is kept.
    fn translate(&self, body: &[u8], region: Option<&str>) -> Result<Translation, Refused>;
}
