//! Redaction: finds personal data in the texts of a call and replaces it by the name of its class.
//!
//! Numbers are known by their check digits, their form and the words before them, in written and in
//! spoken form. A conversation is a list of segments; a value may go over several of them, and the
//! result does not depend on where the text is split at white space. Time is linear in the text.
//! What is not covered is listed in `docs/redaction.md`.

mod address;
mod birth;
mod check;
mod cues;
mod email;
mod finder;
mod ids;
mod minimise;
mod names;
mod numbers;
mod places;
mod run;
mod terms;
mod token;
mod track;
mod view;
mod words;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod law_tests;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod samples;

pub use minimise::minimise;
pub use names::KnownNames;
pub use view::{names_in, redact_texts, redact_value};

use crate::event::RemovedClass;
use cues::Cues;
use finder::Finder;
use run::Runs;
use token::Tokens;

/// Kind of personal data that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Number of a payment card.
    Card,
    /// Card verification code, with the expiry if the two are one run of digits.
    CardCode,
    /// PIN of a card or an account.
    Pin,
    /// Data of a magnetic stripe.
    Track,
    /// Social security number or taxpayer number of the US.
    Ssn,
    /// Telephone number.
    Phone,
    /// E-mail address.
    Email,
    /// International bank account number.
    Iban,
    /// Date of birth.
    DateOfBirth,
    /// NHS number, NPI, Medicare number, or the number of a patient or a member.
    HealthId,
    /// Postal address or code.
    Address,
    /// Diagnosis.
    Condition,
    /// Medication.
    Medication,
    /// Name known from the call.
    Name,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 14] = [
        Self::Card,
        Self::CardCode,
        Self::Pin,
        Self::Track,
        Self::Ssn,
        Self::Phone,
        Self::Email,
        Self::Iban,
        Self::DateOfBirth,
        Self::HealthId,
        Self::Address,
        Self::Condition,
        Self::Medication,
        Self::Name,
    ];

    /// Classes that may not be stored, not even encrypted (PCI DSS 3.3.1).
    pub const SECRETS: [Self; 3] = [Self::CardCode, Self::Pin, Self::Track];

    /// Returns the name, such as `date_of_birth`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let placeholder = self.placeholder().as_bytes();
        let (_, rest) = placeholder.split_at(1);
        let (name, _) = rest.split_at(rest.len() - 1);
        match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// Returns the class in facts, of one that may not be stored.
    const fn removed(self) -> Option<RemovedClass> {
        match self {
            Self::CardCode => Some(RemovedClass::CardCode),
            Self::Pin => Some(RemovedClass::Pin),
            Self::Track => Some(RemovedClass::Track),
            _ => None,
        }
    }

    /// Returns the text that replaces a value, such as `[date_of_birth]`.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Card => "[card]",
            Self::CardCode => "[card_code]",
            Self::Pin => "[pin]",
            Self::Track => "[track]",
            Self::Ssn => "[ssn]",
            Self::Phone => "[phone]",
            Self::Email => "[email]",
            Self::Iban => "[iban]",
            Self::DateOfBirth => "[date_of_birth]",
            Self::HealthId => "[health_id]",
            Self::Address => "[address]",
            Self::Condition => "[condition]",
            Self::Medication => "[medication]",
            Self::Name => "[name]",
        }
    }
}

/// A part of a segment with personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the segment.
    pub segment: usize,
    /// First byte in the segment.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
    /// What it is.
    pub class: Class,
}

/// What is known of a call besides the texts.
#[derive(Clone, Copy, Default)]
struct Options<'o> {
    /// Names to find.
    names: Option<&'o KnownNames>,
    /// Only [`Class::SECRETS`].
    secrets_only: bool,
    /// True if a payment card is mentioned elsewhere in the call.
    is_card_call: bool,
    /// Codes and PINs that were found elsewhere in the call.
    codes: &'o [(Class, Vec<u8>)],
}

/// What was found in a conversation.
struct Found {
    spans: Vec<Span>,
    codes: Vec<(Class, Vec<u8>)>,
    has_card: bool,
}

/// Finds the personal data of a conversation, in the order of the text. The spans of a segment do
/// not overlap.
#[must_use]
pub fn find(segments: &[&str], names: &KnownNames) -> Vec<Span> {
    let options = Options { names: Some(names), ..Options::default() };
    find_with(segments, &options).spans
}

fn find_with(segments: &[&str], options: &Options<'_>) -> Found {
    let tokens = Tokens::read(segments);
    let cues = Cues::read(&tokens, options.is_card_call);
    let runs = Runs::read(&tokens);
    let mut finder = Finder::new(tokens);
    track::find(&mut finder);
    if !options.secrets_only {
        email::find(&mut finder);
        birth::find(&mut finder, &cues);
        ids::find(&mut finder, &cues);
        address::find(&mut finder);
    }
    let codes = numbers::find(&mut finder, &runs, &cues, options);
    if !options.secrets_only {
        terms::find(&mut finder);
        if let Some(names) = options.names {
            names::find(&mut finder, names);
        }
    }
    Found { spans: finder.spans(), codes, has_card: cues.has_card }
}

/// Redacts a single text.
#[must_use]
pub fn redact(text: &str, names: &KnownNames) -> String {
    let spans = find(&[text], names);
    replace(text, &spans)
}

/// Replaces the spans, which are in order and of one segment.
fn replace(text: &str, spans: &[Span]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for span in spans {
        out.push_str(&text[kept..span.start]);
        out.push_str(span.class.placeholder());
        kept = span.end;
    }
    out.push_str(&text[kept..]);
    out
}
