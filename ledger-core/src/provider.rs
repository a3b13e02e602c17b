//! Voice platforms: verification of their webhooks, and translation of their messages to events.
//!
//! An adapter is a pure function of the request. It has no access to tenants, keys or the database,
//! and fails only because of the request itself.

pub mod signature;
pub mod vapi;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::envelope::Draft;
use crate::personal::Party;

/// A voice platform with an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Vapi (vapi.ai).
    Vapi,
}

impl Provider {
    /// All providers with an adapter in this build.
    pub const ALL: &'static [Self] = &[Self::Vapi];

    /// Returns the name stored in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vapi => "vapi",
        }
    }

    /// Returns the provider with a stored or typed name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == name)
    }

    /// Returns the adapter of the provider.
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

/// A webhook request as far as verification needs it. Header names are lower case.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// All headers of the request, in order, with repetitions.
    pub headers: &'a [(String, String)],
    /// The exact bytes of the body; `None` while the body is not read.
    pub body: Option<&'a [u8]>,
    /// Current time in seconds since the Unix epoch, for signatures with a time limit.
    pub now_unix: i64,
}

impl<'a> WebhookRequest<'a> {
    /// Returns the value of a header that a signature depends on, without surrounding blanks;
    /// `None` if it is absent or empty.
    ///
    /// # Errors
    /// [`VerificationError::Repeated`]: each further value would cost one more pass over the body
    /// before the sender is authenticated. [`VerificationError::Invalid`]: the value is not ASCII,
    /// and signatures and times always are.
    pub fn single(&self, name: &str) -> Result<Option<&'a str>, VerificationError> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        let mut values = named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
        let value = values.next();
        if values.next().is_some() {
            return Err(VerificationError::Repeated);
        }
        match value {
            Some(value) if !value.is_ascii() => Err(VerificationError::Invalid),
            value => Ok(value),
        }
    }
}

/// Reason why a webhook is not authenticated. The request is answered with 401 and audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerificationError {
    /// The request has neither a secret nor a signature.
    #[error("the request carries no proof")]
    Missing,
    /// The secret or the signature is invalid.
    #[error("the proof is wrong")]
    Invalid,
    /// The signature is valid, but its time is more than five minutes away.
    #[error("the signed time is more than five minutes away")]
    Expired,
    /// The signature or its time is repeated. No signature is computed in this case.
    #[error("the signature or its time is given more than once")]
    Repeated,
    /// The request has a signature over the body, and the body is not read yet.
    #[error("the proof is a signature over the body, which was not read")]
    BodyRequired,
}

impl VerificationError {
    /// Returns the stable code for audit events and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "signature-missing",
            Self::Invalid => "signature-invalid",
            Self::Expired => "signature-expired",
            Self::Repeated => "signature-repeated",
            Self::BodyRequired => "signature-unchecked",
        }
    }
}

/// Reason why a body cannot be translated. The text is sent to the caller, so it quotes nothing
/// from the body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TranslateError {
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 (byte {at} breaks it)")]
    NotUtf8 {
        /// Offset of the first invalid byte.
        at: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, as counted by `serde_json`.
        column: usize,
    },
    /// The body is nested deeper than that of any provider.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// Maximum number of levels.
        limit: usize,
    },
    /// The body has more values than that of any provider.
    #[error("the body holds more than {limit} values")]
    TooMany {
        /// Maximum number of values.
        limit: usize,
    },
    /// The body is JSON, but not a message of this provider.
    #[error("{0}")]
    UnrecognizedMessage(&'static str),
}

/// Ids in a message by which a shared source finds the tenant. Their source is the platform's own
/// objects, never metadata that a caller can set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// Id of the assistant at the platform.
    pub assistant_id: Option<String>,
    /// Id of the business's number at the platform.
    pub phone_number_id: Option<String>,
    /// The business's number in E.164.
    pub phone_number: Option<String>,
}

/// A tool call that the provider wants a result for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// The provider's id, returned unchanged in the reply.
    pub tool_call_id: Option<String>,
    /// Name of the function.
    pub tool: String,
}

/// Form of the response that the provider expects once the message is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An empty success.
    Acknowledge,
    /// One result for each tool call, in this order. The drafts have an entry for each, in the same
    /// order.
    ToolResults(Vec<ToolRequest>),
    /// One result without an id (the old single-function shape).
    FunctionResult(ToolRequest),
    /// The assistant that takes the call.
    Assistant,
    /// A destination for a transfer; there is none to give.
    Destination,
    /// A fixed body in the provider's own shape that means "nothing".
    Fixed(Value),
}

/// A translated message. `Debug` prints its kind and its events, and no personal data.
#[derive(Clone)]
pub struct Translation {
    /// The provider's message type.
    pub kind: String,
    /// Ids by which a shared source finds the tenant.
    pub routing: Routing,
    /// The provider's call id; `None` if the message is not about a call.
    pub provider_call_id: Option<String>,
    /// The person on the line; `None` if the message has no such data.
    pub party: Option<Party>,
    /// The body in its canonical form (keys sorted, no spaces, numbers as written). Event ids are
    /// derived from it, so a proxy that rewrites the JSON does not create new events.
    pub canonical: Vec<u8>,
    /// The events, in order. All are appended together, or none.
    pub drafts: Vec<Draft>,
    /// True if the translation depends on a missing region: the message has a number that does not
    /// parse without one.
    pub needs_region: bool,
    /// True for streaming telemetry that the end-of-call report repeats. Recorded on request only.
    pub is_telemetry: bool,
    /// Form of the response.
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

/// Verifies and translates the webhooks of one voice platform.
pub trait Adapter: Send + Sync {
    /// Verifies that the sender has the secret, in constant time. For each signature form of the
    /// provider, at most one pass over the body is made, whatever the headers are.
    ///
    /// # Errors
    /// [`VerificationError`]: the request is answered with 401 and nothing of it is stored. For
    /// [`VerificationError::BodyRequired`], the caller reads the body and verifies again.
    fn verify(&self, secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError>;

    /// Translates a body. `region` (ISO 3166-1 alpha-2) is the country of national phone numbers.
    ///
    /// # Errors
    /// [`TranslateError`]: the request is answered with 400 and nothing of it is stored.
    fn translate(&self, body: &[u8], region: Option<&str>) -> Result<Translation, TranslateError>;
}
