//! A webhook request, as the verification and the adapters see it.

use thiserror::Error;

/// A webhook request. Header names are lower case.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// HTTP method, in upper case.
    pub method: &'a str,
    /// The URL as the provider has it configured, with its query: some signatures cover it. Behind a
    /// reverse proxy it differs from the URL that this server received.
    pub url: &'a str,
    /// All headers of the request, in order, with repetitions.
    pub headers: &'a [(String, String)],
    /// The exact bytes of the body; `None` while the body is not read.
    pub body: Option<&'a [u8]>,
    /// Current time in seconds since the Unix epoch, for signatures with a time limit.
    pub now_unix: i64,
}

/// Media type of an HTML form.
const FORM: &str = "application/x-www-form-urlencoded";

impl<'a> WebhookRequest<'a> {
    /// Returns the value of a header that a signature depends on, without surrounding blanks;
    /// `None` if it is absent or empty.
    ///
    /// # Errors
    /// [`VerificationError::Repeated`]: each further value would be one more pass over the body, for a sender
    /// that has proved nothing. [`VerificationError::Invalid`]: the value is not ASCII, as no signature and no time is.
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

    /// Returns the media type of the body without its parameters; empty if it is not stated.
    #[must_use]
    pub fn content_type(&self) -> &'a str {
        let header = self.headers.iter().find(|(name, _)| name == "content-type");
        header.map_or("", |(_, value)| value.split(';').next().unwrap_or_default().trim())
    }

    /// Returns true if the body is an HTML form.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.content_type().eq_ignore_ascii_case(FORM)
    }

    /// Returns true if the message is in the query of the URL.
    #[must_use]
    pub fn is_get(&self) -> bool {
        self.method == "GET"
    }

    /// Returns the query of the URL, without the question mark; empty without one.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.url.split_once('?').map_or("", |(_, query)| query)
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
