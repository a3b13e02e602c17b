//! The normal form of a name. Two spellings of the same name have equal normal forms.

use unicode_normalization::UnicodeNormalization;

use super::placeholder::is_placeholder;
use crate::phone::is_invisible;

/// Forms of address before a name, in normal form.
const TITLES: [&str; 22] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "doctor",
    "prof",
    "professor",
    "sir",
    "madam",
    "mister",
    "herr",
    "frau",
    "m",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "sr",
    "sra",
    "señora",
];

/// Texts that caller-name services and forms write for a missing name.
const NAME_PLACEHOLDERS: [&str; 14] = [
    "caller",
    "unknown caller",
    "private caller",
    "anonymous caller",
    "wireless caller",
    "cell phone",
    "unknown name",
    "no name",
    "not provided",
    "private",
    "private number",
    "unavailable",
    "restricted",
    "new contact",
];

/// Normalises a name for comparison: NFKC, case folded, single spaces, no points or commas, no form
/// of address. `None` if the text is no name: a placeholder, or a text without a letter.
#[must_use]
pub fn normal_name(raw: &str) -> Option<String> {
    if is_placeholder(raw) {
        return None;
    }
    let folded = fold(raw);
    let spaced: String =
        folded.chars().map(|c| if c.is_alphanumeric() || is_part(c) { c } else { ' ' }).collect();
    let mut words: Vec<&str> = spaced.split_whitespace().collect();
    // A title alone is a surname.
    while words.len() > 1 && TITLES.contains(&words[0]) {
        words.remove(0);
    }
    let name = words.join(" ");
    let is_name = name.chars().any(char::is_alphabetic)
        && !NAME_PLACEHOLDERS.contains(&name.as_str())
        && !is_placeholder(&name);
    is_name.then_some(name)
}

/// Returns true for marks within a word: combining marks, apostrophes and hyphens.
fn is_part(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c) || matches!(c, '\'' | '-')
}

/// Returns the text in NFKC with its case folded. Converted to upper case first, so that `ß`
/// becomes `ss` and a final sigma becomes a sigma.
pub(crate) fn fold(raw: &str) -> String {
    let visible = raw.chars().filter(|c| !is_invisible(*c));
    let composed: String = visible.nfkc().collect();
    let upper: String = composed.to_uppercase();
    upper.chars().flat_map(char::to_lowercase).nfkc().map(plain).collect()
}

/// Replaces typographic apostrophes and hyphens by those of a keyboard.
fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{02BC}' | '\u{00B4}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' => '-',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_many_spellings_is_one_name() {
        for (one, other) in [
            ("Anna Example", "  anna   EXAMPLE "),
            ("Anna Example", "Dr. Anna Example"),
            ("Anna Example", "Mrs. Dr. Anna Example"),
            ("Ànna Éxample", "A\u{300}nna E\u{301}xample"),
            ("Anna Example", "Ａｎｎａ\u{A0}Example"),
            ("Anna Groß", "ANNA GROSS"),
            ("Anna O'Neil", "anna o\u{2019}neil"),
            ("Anna Example", "\u{202A}Anna Example\u{202C}"),
            ("Νίκος", "ΝΊΚΟΣ"),
        ] {
            assert!(normal_name(one).is_some(), "{one}");
            assert_eq!(normal_name(one), normal_name(other), "{one} {other}");
        }
        for (one, other) in [("Anna Example", "Ben Example"), ("Anna", "Anna Example")] {
            assert_ne!(normal_name(one), normal_name(other));
        }
        assert_eq!(normal_name("Miss").as_deref(), Some("miss"), "a title alone is a surname");
    }

    #[test]
    fn a_placeholder_is_no_name() {
        for raw in [
            "",
            " ",
            "undefined",
            "{{customer.name}}",
            "N/A",
            "+15550100123",
            "-",
            "Guest",
            "Unknown Caller",
            "WIRELESS CALLER",
            "\u{200B}",
            "???",
        ] {
            assert_eq!(normal_name(raw), None, "{raw}");
        }
    }
}
