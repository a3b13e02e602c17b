//! Words and values of annotations that facts hold in the clear. None of them is a text about a
//! person: such texts are sealed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::text::is_hidden;

/// Maximum length of a word, in characters.
pub const MAX_WORD: usize = 40;
/// Maximum length of the name of a campaign, in characters.
pub const MAX_CAMPAIGN: usize = 64;
/// Greatest number of an attempt.
pub const MAX_ATTEMPT: u32 = 1_000;
/// Most digits of a word. One with more may have the number of a person in it.
const MAX_DIGITS: usize = 6;

/// A word in the clear, such as a tag: letters, digits, `-`, `_`, `.` and `:`, in lower case,
/// beginning with a letter or a digit. A word has at most six digits, because one with more may have a
/// phone number in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// Reads a word. Case and form of the characters are normalised (NFKC), and blanks between
    /// characters become `-`. `None` for a text that is none, or longer than [`MAX_WORD`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Longer in bytes than any accepted text, before the work of normalisation.
        if text.len() > MAX_WORD * 16 {
            return None;
        }
        let word = normal_form(text);
        is_word(&word, MAX_WORD).then_some(Self(word))
    }

    /// Reads a word that an earlier release may have recorded, so that it can be removed. Also accepts
    /// words with more digits and with hidden characters. `None` as for [`Word::parse`] otherwise.
    #[must_use]
    pub fn parse_recorded(text: &str) -> Option<Self> {
        if text.len() > MAX_WORD * 16 {
            return None;
        }
        let word = normal_form(text);
        has_form(&word, MAX_WORD).then_some(Self(word))
    }

    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a campaign: like a [`Word`] of up to [`MAX_CAMPAIGN`] characters, but with its case, which
/// ids of other systems depend on. A UUID is one too: platforms have them as ids of their campaigns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Campaign(String);

impl Campaign {
    /// Reads an id as it is; `None` for a text that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (is_word(text, MAX_CAMPAIGN) || is_uuid(text)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns a text in lower case and NFKC, with `-` for blanks between characters.
#[must_use]
pub fn normal_form(text: &str) -> String {
    let normal: String = text.nfkc().collect::<String>().to_lowercase().nfkc().collect();
    normal.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Whether a text is a UUID in its usual form, with four hyphens.
fn is_uuid(text: &str) -> bool {
    text.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(text).is_ok()
}

/// Whether a text has 1 to `max` characters of a word, all of them visible, and no room for a phone number.
pub(crate) fn is_word(text: &str, max: usize) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    has_form(text, max) && digits <= MAX_DIGITS && !text.contains(is_hidden)
}

/// Whether a text has 1 to `max` characters of a word.
fn has_form(text: &str, max: usize) -> bool {
    let fits = text.len() <= max * 4 && (1..=max).contains(&text.chars().count());
    let begins = text.chars().next().is_some_and(char::is_alphanumeric);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    fits && begins && text.chars().all(is_part)
}

/// Kind of a note.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// No particular kind.
    #[default]
    General,
    /// Taken while the call went on.
    DuringCall,
    /// Written after the call.
    AfterCall,
    /// Something to be done later.
    FollowUp,
}

/// Readers that a note is meant for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// The tenant's own people.
    #[default]
    Internal,
    /// Others too, such as the person on the line or a partner.
    Shared,
}

/// Reason of an escalation. Any other reason is a sealed text with [`EscalationReason::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationReason {
    /// The caller asked for a person.
    RequestedByCaller,
    /// The caller complained.
    Complaint,
    /// Danger to life or health.
    Emergency,
    /// A question about a bill or a payment.
    Billing,
    /// The assistant, or a system behind it, failed.
    TechnicalProblem,
    /// The assistant could not answer.
    NotUnderstood,
    /// The call got a disposition that escalates.
    Disposition,
    /// Another reason, or none stated.
    Other,
}

impl EscalationReason {
    /// The reasons that a request may state, by their stored words.
    pub const STATED: [(&'static str, Self); 7] = [
        ("requested_by_caller", Self::RequestedByCaller),
        ("complaint", Self::Complaint),
        ("emergency", Self::Emergency),
        ("billing", Self::Billing),
        ("technical_problem", Self::TechnicalProblem),
        ("not_understood", Self::NotUnderstood),
        ("other", Self::Other),
    ];

    /// Returns the reason with this stored word; blanks and `-` are read as `_`, and case is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_gap = |c: char| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() };
        let known = Self::STATED.into_iter();
        known
            .clone()
            .find(|(word, _)| text.trim().chars().map(is_gap).eq(word.chars()))
            .map(|(_, reason)| reason)
    }
}

/// Origin of an escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationSource {
    /// A tool of the voice agent.
    Tool,
    /// A request to the API.
    Api,
    /// A disposition that escalates.
    Disposition,
}

/// A value of the context in the clear.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClearValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A short text.
    Text(String),
}

/// The fields of a context that are in the clear.
pub type ClearFields = BTreeMap<String, ClearValue>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_spelling() {
        for (text, word) in [
            (" Follow up ", "follow-up"),
            ("VIP", "vip"),
            ("R\u{fc}ckruf", "r\u{fc}ckruf"),
            ("Ru\u{308}ckruf", "r\u{fc}ckruf"),
            ("\u{ff36}\u{ff29}\u{ff30}", "vip"),
            ("q4_2026.lead:hot", "q4_2026.lead:hot"),
            ("2026", "2026"),
            ("due-2026-11", "due-2026-11"),
        ] {
            assert_eq!(Word::parse(text).as_ref().map(Word::as_str), Some(word), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_may_be_about_a_person_or_is_hostile_is_no_word() {
        for text in [
            "",
            " ",
            "-",
            "_x",
            "+15550100123",
            "15550100123",
            "555-0100123",
            "tel:15550199999",
            "john 15550199",
            "due-2026-11-30",
            "a@example.com",
            "<b>x</b>",
            "a/b",
            "a\u{0}b",
            "\u{202e}abc",
            "a\u{200b}b",
            "\u{3164}",
            "x\u{301}\u{302}\"",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
            &"a".repeat(MAX_WORD + 1),
            &"a".repeat(1_000_000),
        ] {
            assert_eq!(Word::parse(text), None, "{text:.40?}");
        }
        assert_eq!(
            Campaign::parse("cmp_01HAbc").as_ref().map(Campaign::as_str),
            Some("cmp_01HAbc")
        );
        let uuid = "5f2d7c1e-8a44-5b0e-9d1f-3c6a2b7e4d10";
        assert_eq!(Campaign::parse(uuid).as_ref().map(Campaign::as_str), Some(uuid));
        for text in [
            "Spring Sale",
            "15550100123",
            "tel15550199999",
            "5f2d7c1e8a445b0e9d1f3c6a2b7e4d10",
            &"a".repeat(MAX_CAMPAIGN + 1),
            "a\nb",
        ] {
            assert_eq!(Campaign::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_word_reads_as_itself(text in ".{0,60}") {
            if let Some(word) = Word::parse(&text) {
                proptest::prop_assert_eq!(Word::parse(word.as_str()), Some(word));
            }
        }
    }

    #[test]
    fn a_word_of_an_earlier_release_is_read_to_take_it_away() {
        for (text, word) in
            [("John 15550199", "john-15550199"), ("2026-11-30", "2026-11-30"), ("vip", "vip")]
        {
            assert_eq!(Word::parse_recorded(text).as_ref().map(Word::as_str), Some(word));
        }
        for text in ["", "+15550100123", "a/b", "a\u{0}b", &"a".repeat(MAX_WORD + 1)] {
            assert_eq!(Word::parse_recorded(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_reason_is_found_in_any_spelling() {
        for text in ["requested_by_caller", "Requested by caller", " REQUESTED-BY-CALLER "] {
            assert_eq!(EscalationReason::parse(text), Some(EscalationReason::RequestedByCaller));
        }
        for text in ["disposition", "she shouted", ""] {
            assert_eq!(EscalationReason::parse(text), None);
        }
        for (word, reason) in EscalationReason::STATED {
            assert_eq!(serde_json::to_value(reason).expect("a word"), word);
        }
    }
}
