//! The passphrase of an export.

use std::fmt;

use zeroize::Zeroizing;

/// Shortest passphrase, in characters.
const MIN: usize = 12;
/// Longest passphrase, in bytes.
const MAX: usize = 1_024;
/// Characters of generated passphrases: letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters between two hyphens of a generated passphrase, and the number of such groups.
const GROUPS: (usize, usize) = (5, 5);

/// A passphrase. Does not print, and is overwritten when it is dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Returns the passphrase; `None` for a text of fewer than 12 characters, of more than 1,024
    /// bytes, or with control characters.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let is_long = text.chars().count() >= MIN && text.len() <= MAX;
        (is_long && !text.chars().any(char::is_control)).then_some(Self(text))
    }

    /// Generates a passphrase of 25 letters and digits in groups, of more than 120 random bits.
    #[must_use]
    pub fn generate() -> Self {
        let (length, groups) = GROUPS;
        let mut random = Zeroizing::new(vec![0; length * groups]);
        aws_lc_rs::rand::fill(&mut random).expect("the operating system gives randomness");
        let mut text = Zeroizing::new(String::with_capacity((length + 1) * groups));
        for (nth, byte) in random.iter().enumerate() {
            if nth > 0 && nth % length == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_has_twelve_characters_at_least_and_does_not_print() {
        for refused in ["", "eleven-char", "twelve\nlines", &"x".repeat(MAX + 1)] {
            assert!(Passphrase::parse(refused.to_owned()).is_none(), "{refused}");
        }
        let umlauts = Passphrase::parse("äöüäöüäöüäöü".into()).expect("twelve characters");
        assert_eq!(format!("{umlauts:?}"), "Passphrase(..)");
        let (one, other) = (Passphrase::generate(), Passphrase::generate());
        assert_eq!(one.as_str().len(), 29);
        assert_ne!(one.as_str(), other.as_str());
        assert!(Passphrase::parse(one.as_str().to_owned()).is_some());
    }
}
