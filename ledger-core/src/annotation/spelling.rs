//! Spellings of words in which `-`, `_` and blanks are not distinguished: dispositions and types of
//! calls. Facts keep the spelling of their time, so a filter looks for all that may be recorded.

use super::words::{Word, normal_form};

/// Maximum number of gaps of which each spelling is looked for.
const MAX_GAPS: usize = 6;

/// Returns the spelling by which two words are compared: the normal form of the text, with `_` for
/// `-` and blanks.
#[must_use]
pub fn spelling(text: &str) -> String {
    normal_form(text).replace('-', "_")
}

/// Reads the type of a call from a request or a message of a platform: one word without blanks,
/// because a text with blanks may be about a person. The result is in lower case, with `_` for `-`.
#[must_use]
pub fn call_type(text: &str) -> Option<Word> {
    let is_one = text.split_whitespace().count() == 1;
    Word::parse(text).filter(|_| is_one).and_then(|word| Word::parse(&spelling(word.as_str())))
}

/// The spellings under which a word may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spellings {
    first: String,
    others: Option<Vec<String>>,
}

impl Spellings {
    /// The spellings of a text among the words that may be recorded. A text that none of them is has
    /// its own spelling.
    #[must_use]
    pub fn among<'w>(text: &str, known: impl IntoIterator<Item = &'w Word>) -> Self {
        let wanted = spelling(text);
        let same = known.into_iter().filter(|word| spelling(word.as_str()) == wanted);
        let mut same: Vec<String> = same.map(|word| word.as_str().to_owned()).collect();
        same.sort_unstable();
        same.dedup();
        let first = same.pop().unwrap_or_else(|| normal_form(text));
        Self { first, others: (!same.is_empty()).then_some(same) }
    }

    /// The spellings of a type of calls: each choice of `-` and `_` in up to six gaps, and the text's own.
    #[must_use]
    pub fn of_call_type(text: &str) -> Self {
        let first = spelling(text);
        let gaps = first.matches('_').count();
        let mut others = vec![normal_form(text), first.replace('_', "-")];
        if gaps <= MAX_GAPS {
            others.extend((0..1_u32 << gaps).map(|choice| spelled(&first, choice)));
        }
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != first);
        Self { first, others: (!others.is_empty()).then_some(others) }
    }

    /// The usual spelling.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The others; `None` without any.
    #[must_use]
    pub fn others(&self) -> Option<&[String]> {
        self.others.as_deref()
    }
}

/// Returns the word with some `_` replaced by `-`: the n-th one if bit n of the mask is set, from 0.
fn spelled(word: &str, choice: u32) -> String {
    let mut gap = 0;
    let write = |c: char| {
        if c != '_' {
            return c;
        }
        gap += 1;
        if choice & (1 << (gap - 1)) == 0 { '_' } else { '-' }
    };
    word.chars().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word::parse(text).expect("a word")
    }

    #[test]
    fn a_type_of_calls_has_one_spelling() {
        for text in ["cold_call", "cold-call", "Cold-Call", " COLD_call ", "cold_Call"] {
            assert_eq!(call_type(text).as_ref().map(Word::as_str), Some("cold_call"), "{text}");
        }
        assert_eq!(call_type("Collections").as_ref().map(Word::as_str), Some("collections"));
        for text in ["", "a@example.com", "15550100123", "cold call", "Anna Example"] {
            assert_eq!(call_type(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_is_found_in_each_spelling_that_is_recorded() {
        let known = [word("follow_up"), word("follow-up"), word("sold")];
        let found = Spellings::among(" Follow up ", &known);
        assert_eq!(found.first(), "follow_up");
        assert_eq!(found.others(), Some(&["follow-up".to_owned()][..]));
        let sold = Spellings::among("SOLD", &known);
        assert_eq!((sold.first(), sold.others()), ("sold", None));
        let none = Spellings::among("Never set", &known);
        assert_eq!((none.first(), none.others()), ("never-set", None));
    }

    proptest::proptest! {
        #[test]
        fn a_recorded_type_of_calls_is_among_its_spellings(
            parts in proptest::collection::vec("[a-z]{1,4}", 1..=7),
            gaps in proptest::collection::vec("[-_]", 6),
            typed in proptest::collection::vec("[-_ ]", 6),
        ) {
            let join = |gaps: &[String]| {
                let rest = parts[1..].iter().zip(gaps).map(|(part, gap)| format!("{gap}{part}"));
                parts[0].clone() + &rest.collect::<String>()
            };
            let recorded = join(&gaps);
            let found = Spellings::of_call_type(&join(&typed));
            let others = found.others().unwrap_or_default();
            proptest::prop_assert!(found.first() == recorded || others.contains(&recorded));
        }
    }
}
