//! Types of personal data. `Personal<T>` neither prints nor serialises by accident. The other types
//! are the plaintext of sealed sections; only the sealing code turns them into bytes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::phone::is_invisible;

pub use crate::phone::normalise_phone;

/// A personal value. `Debug` prints no value; `Display` and `Serialize` are not implemented.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a personal value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Unwraps the value. Call it only on behalf of a caller with the right to see it.
    pub fn reveal(self) -> T {
        self.0
    }

    /// Borrows the value. Call it only on behalf of a caller with the right to see it.
    pub const fn as_revealed(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

/// Section `party`: the person on the line, as reported by the provider.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// Name as given, neither split nor normalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Phone number: E.164 if it parses, otherwise as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail address as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// SIP address of a caller without a phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_uri: Option<String>,
    /// Id of this person in the systems of the provider's customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Extension behind the number, in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

impl Party {
    /// Returns true if no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Section `conversation`: the content of the call and the data the provider derived from it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// The whole transcript as one text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Summary written by a model of the provider. A claim, not evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Turns in chronological order, without system prompts and tool messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Turn>,
    /// Data that the provider extracted, in the tenant's own schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_data: Option<Value>,
    /// The provider's evaluation of success as received: text, boolean or rubric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Value>,
    /// Links to recordings. A link to a voice is personal data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<Recording>,
    /// The provider's analysis, without the summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
}

impl Conversation {
    /// Returns the names of the present parts, for the facts.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        let parts = [
            ("transcript", self.transcript.is_some()),
            ("summary", self.summary.is_some()),
            ("messages", !self.messages.is_empty()),
            ("structured_data", self.structured_data.is_some()),
            ("evaluation", self.evaluation.is_some()),
            ("recordings", !self.recordings.is_empty()),
            ("analysis", self.analysis.is_some()),
        ];
        parts
            .into_iter()
            .filter(|(_, is_present)| *is_present)
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

/// Analysis of a call by a model of the provider, as reported. Claims, not evidence.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Analysis {
    /// Sentiment of the person in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<String>,
    /// Intent of the person in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Model that made the analysis, with its version as far as reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
}

/// A single turn of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `assistant` or `user`.
    pub role: String,
    /// Text of the turn.
    pub text: String,
    /// Milliseconds since the Unix epoch; `None` if the provider gave no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
}

/// A link to a recording of a call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `mono`, `stereo`, `assistant`, `customer` or `video`.
    pub kind: String,
    /// Address of the recording in the provider's storage.
    pub url: String,
}

/// Arguments and result of one tool call: an entry of section `tool_io`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolIo {
    /// Index of the tool call in the facts of the event.
    pub nth: u16,
    /// Arguments passed by the model. JSON text inside a string is parsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Result returned by the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// Section `details` of an appointment: what was said about it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AppointmentDetails {
    /// Notes for the appointment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Reason of the visit, or of the cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Further values about the person by name, such as a date of birth.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Value>,
}

/// Section `annotation`: what a person or a tool added to a call.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Annotation {
    /// Text of a note, or the reason of an escalation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Fields of the context that are not in the clear.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Value>,
}

/// Section `task` of a task: its text.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskText {
    /// What is to be done, in the words of its author.
    pub text: String,
}

/// Section `request` of a request to erase a subject: what no word of its facts says.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestText {
    /// The party that requested it, in the words of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// A note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Section `names` of the setting of resources: their names by id. A resource may be a person.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceNames(pub BTreeMap<String, String>);

macro_rules! hide_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
hide_debug!(
    Party,
    Conversation,
    Analysis,
    Turn,
    Recording,
    ToolIo,
    AppointmentDetails,
    Annotation,
    TaskText,
    RequestText,
    ResourceNames
);

/// Normalises an e-mail address for comparison: NFKC, lower case, the domain in its ASCII form. All
/// spellings of an address have the same normal form. Returns `None` if the text is no address by
/// the syntax of RFC 5321 and RFC 6531.
#[must_use]
pub fn normalise_email(raw: &str) -> Option<String> {
    let visible: String = raw.chars().filter(|c| !is_invisible(*c)).nfkc().collect();
    let address = match visible.trim().rsplit_once('<') {
        // A mail header writes the address in angle brackets, after a name.
        Some((_, address)) => address.strip_suffix('>')?,
        None => visible.trim(),
    };
    let scheme = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = address[scheme.map_or(0, str::len)..].trim();
    let (user, domain) = address.rsplit_once('@')?;
    let user: String = user.to_lowercase().nfkc().collect();
    let domain = idna::domain_to_ascii(domain.trim_end_matches('.')).ok()?;
    let email = format!("{user}@{domain}");
    email_address::EmailAddress::is_valid(&email).then_some(email)
}

/// Masks a phone number for readers without scope `personal`: only its last two digits remain.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    let tail: String = digits[digits.len().saturating_sub(2)..].iter().collect();
    format!("•••{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]

        #[test]
        fn no_text_makes_the_reading_of_a_person_panic(
            text in ".{0,45}", digits in "[+]?(\\p{Nd}|[0-9();=.x# -]|ext|tel:){0,24}"
        ) {
            for text in [text, digits] {
                for region in [None, Some("US"), Some("IN"), Some("DE"), Some("nowhere")] {
                    let e164 = normalise_phone(&text, region);
                    let again = e164.as_deref().map(|e164| normalise_phone(e164, region));
                    proptest::prop_assert!(again.is_none_or(|again| again == e164), "{:?}", text);
                }
                let email = normalise_email(&text);
                proptest::prop_assert!(email.as_deref().is_none_or(|one| normalise_email(one) == email));
                let _ = mask_phone(&text);
            }
        }
    }

    #[test]
    fn an_email_is_compared_without_case() {
        assert_eq!(
            normalise_email(" Person.A@Example.com ").as_deref(),
            Some("person.a@example.com")
        );
        assert_eq!(normalise_email("not an address"), None);
    }

    #[test]
    fn one_address_in_any_spelling_is_one_address() {
        for (one, other) in [
            ("anna@b\u{fc}cher.example", "anna@xn--bcher-kva.example"),
            ("anna@B\u{dc}CHER.example", "anna@bu\u{308}cher.example"),
            ("j\u{fc}rg@example.com", "ju\u{308}rg@EXAMPLE.com"),
            ("anna@example.com", "\u{200b}Ａnna@example.com."),
        ] {
            assert!(normalise_email(one).is_some(), "{one}");
            assert_eq!(normalise_email(one), normalise_email(other), "{one} {other}");
        }
    }

    #[test]
    fn a_masked_number_shows_two_digits() {
        assert_eq!(mask_phone("+15550100123"), "•••23");
        assert_eq!(mask_phone("anonymous"), "•••");
    }

    #[test]
    fn personal_values_do_not_print() {
        let party = Party { name: Some("Example Person".into()), ..Party::default() };
        assert_eq!(format!("{:?} {:?}", party, Personal::new("secret")), "Party(..) Personal(..)");
    }
}
