//! Voice platforms: verification of their webhooks, translation of their messages to events, and
//! the replies. A provider is one folder and its line in `providers!`.
//!
//! An adapter is a pure function of the request. It has no access to tenants, keys or the database,
//! and fails only because of the request itself.

mod body;
mod field;
pub mod form;
#[cfg(test)]
mod history;
mod redact;
mod reply;
mod request;
pub mod retell;
mod secret_text;
#[cfg(test)]
mod secrets_tests;
pub mod signature;
pub mod twilio;
pub mod vapi;

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use thiserror::Error;

pub use reply::{Reply, ReplyContent, ToolReply, ToolRequest};
pub use request::{VerificationError, WebhookRequest};

use crate::envelope::Draft;
use crate::outcome::Outcome;
use crate::personal::Party;

macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident($adapter:expr) = $text:literal;)*) => {
        /// A voice platform with an adapter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Provider {
            $($(#[$doc])* $name,)*
        }

        impl Provider {
            /// All providers with an adapter in this build.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the name stored in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the adapter of the provider.
            #[must_use]
            pub fn adapter(self) -> &'static dyn Adapter {
                match self { $(Self::$name => &$adapter,)* }
            }
        }
    };
}

providers! {
    /// Vapi (vapi.ai).
    Vapi(vapi::Vapi) = "vapi";
    /// Retell AI (retellai.com).
    Retell(retell::Retell) = "retell";
    /// Twilio Voice (twilio.com).
    Twilio(twilio::Twilio) = "twilio";
}

impl Provider {
    /// Returns the provider with a stored or typed name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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

/// Everything that depends on one voice platform.
pub trait Adapter: Send + Sync {
    /// Verifies that the sender has the secret, in constant time. For each signature form of the
    /// provider, at most one pass over the body is made, whatever the headers are.
    ///
    /// # Errors
    /// [`VerificationError`]: the request is answered with 401 and nothing of it is stored. For
    /// [`VerificationError::BodyRequired`], the caller reads the body and verifies again.
    fn verify(&self, secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError>;

    /// Decodes the message of a request to JSON, the input of [`Adapter::translate`]. The default is
    /// the body of a POST, unchanged.
    ///
    /// # Errors
    /// [`TranslateError`]: the request is answered with 400 and nothing of it is stored.
    fn decode<'a>(&self, request: &WebhookRequest<'a>) -> Result<Cow<'a, [u8]>, TranslateError> {
        if request.is_get() {
            return Err(TranslateError::UnrecognizedMessage(
                "expected a POST: this provider sends no message in a URL",
            ));
        }
        Ok(Cow::Borrowed(request.body.unwrap_or_default()))
    }

    /// Translates a message in JSON. `region` (ISO 3166-1 alpha-2) is the country of national phone
    /// numbers.
    ///
    /// # Errors
    /// [`TranslateError`]: the request is answered with 400 and nothing of it is stored.
    fn translate(
        &self,
        message: &[u8],
        region: Option<&str>,
    ) -> Result<Translation, TranslateError>;

    /// Writes the reply of a message in the provider's format.
    fn respond(&self, reply: &Reply, content: &ReplyContent<'_>) -> Value;

    /// Returns the JSON Schemas of the replies: the text of an object with a name for each. A name
    /// is unique among the providers.
    fn reply_schemas(&self) -> &'static str;

    /// Returns the kinds of messages that are counted separately.
    fn kinds(&self) -> &'static [&'static str];

    /// Classifies a reason for the end of a call. Some reasons end an unanswered call as well as a
    /// completed one; for these, `answered` decides.
    fn outcome_of_reason(&self, reason: &str, answered: bool) -> Outcome;

    /// Returns true if the reason means that a transfer did not reach its destination.
    fn is_failed_transfer(&self, reason: &str) -> bool {
        let _ = reason;
        false
    }

    /// Returns true if the provider is a telephone carrier, which other platforms use for their
    /// calls.
    fn is_carrier(&self) -> bool {
        false
    }

    /// Returns true if a text has the form of the provider's call ids. Only such an id of a carrier
    /// is a fact of the call of a platform.
    fn is_call_id(&self, id: &str) -> bool {
        let _ = id;
        true
    }

    /// Returns true if messages of this kind have a single spoken turn.
    fn is_turn(&self, kind: &str) -> bool {
        let _ = kind;
        false
    }
}
