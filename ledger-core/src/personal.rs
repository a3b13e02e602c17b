//! Values about a person, by type. `Personal<T>` neither prints nor serialises by accident; the
//! sections below are what is sealed, and only the sealing code turns them into bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::phone::is_invisible;

pub use crate::phone::normalise_phone;

/// A value about a person. `Debug` shows nothing; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Marks a value as personal.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Takes the value out, where somebody entitled to see it asked.
    pub fn reveal(self) -> T {
        self.0
    }

    /// Looks at the value, where somebody entitled to see it asked.
    pub const fn as_revealed(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

/// Who was on the line, as the provider gave it: section `party`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// The person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number: E.164 when it parses, else as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The e-mail address as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The SIP address of a caller without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_uri: Option<String>,
    /// The platform user's own id for this person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The extension behind the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

impl Party {
    /// Whether nothing at all is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was said, and what was made of it: section `conversation`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// The whole transcript as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// A summary somebody's model wrote. A claim, never evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Turns in the order they were spoken; system prompts and tool traffic are not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Turn>,
    /// What the provider extracted, in the tenant's own schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_data: Option<Value>,
    /// The provider's success evaluation as it came (text, boolean or rubric).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Value>,
    /// Where recordings lie. A link to a voice is personal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<Recording>,
}

/// One turn of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `assistant` or `user`.
    pub role: String,
    /// What was said.
    pub text: String,
    /// Milliseconds since the Unix epoch, when the provider told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
}

/// One recording of a call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `mono`, `stereo`, `assistant`, `customer`, `video`.
    pub kind: String,
    /// Where the provider keeps it.
    pub url: String,
}

/// Arguments and result of one tool call: one entry of section `tool_io`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolIo {
    /// Which of the event's tool calls this is (index into the event's facts).
    pub nth: u16,
    /// What the model passed; JSON text inside a string is taken apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// What came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

macro_rules! hide_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
hide_debug!(Party, Conversation, Turn, Recording, ToolIo);

/// Brings an e-mail address to the form it is compared in: NFKC, lower case, the domain in its ASCII
/// form, so that one address in any spelling is one address. `None` when it is no address (RFC 5321
/// and 6531 syntax).
#[must_use]
pub fn normalise_email(raw: &str) -> Option<String> {
    let visible: String = raw.chars().filter(|c| !is_invisible(*c)).nfkc().collect();
    let address = match visible.trim().rsplit_once('<') {
        // As a mail header writes it, behind a name.
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

/// The phone number as shown to readers without scope `personal`: its last two digits.
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
