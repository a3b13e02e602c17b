//! Names that are known from the call: found exactly, with one wrong letter, and spelled.

use super::Class;
use super::finder::Finder;
use super::words::{OH, STOP, TERM};
use crate::identity::is_placeholder;

/// Most words of all names of a call.
const MAX_WORDS: usize = 64;
/// Shortest word that is found with one wrong letter.
const FUZZY: usize = 5;

/// Most bytes that a form of a name is longer or shorter: a possessive and a wrong letter.
const LONGER: usize = 5;

/// Titles and particles, which are no names.
const TITLES: [&str; 16] = [
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam", "jr", "sr", "the", "de", "von", "van",
    "of", "and",
];
/// Names that are words too: found with a capital, or beside another word of a name.
const WORDS: &str = "will may mark grace hope april june rose bill art sue pat rob drew chase grant young long white \
                     brown green black king price bell wood hall park day may stone cook baker hunter carter rich \
                     case love best moon sky summer faith joy ivy daisy lily violet ray jack frank guy don nick \
                     miles max dean earl major bishop page reed rice cross field banks brooks woods rivers fields \
                     short little small wise good power church street lane ford call early winter snow see so an \
                     no do in on he me my us we to go or by be am as at is it of if up";

/// The words of the names of a call, in lower case. `Debug` prints none.
#[derive(Clone, Default)]
pub struct KnownNames {
    words: Vec<NameWord>,
    /// A bit for each letter of the alphabet that a word begins with.
    initials: u32,
}

#[derive(Clone)]
struct NameWord {
    text: String,
    /// True for a name that is a word too.
    is_word: bool,
    /// True for a name that is found with one wrong letter.
    is_long: bool,
}

impl std::fmt::Debug for KnownNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownNames(..)")
    }
}

impl KnownNames {
    /// Returns the words of names. Titles, single letters and placeholders such as `unknown` are
    /// left out.
    #[must_use]
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut words: Vec<NameWord> = Vec::new();
        for name in names.into_iter().filter(|name| !is_placeholder(name)) {
            for word in name.split(|c: char| !c.is_alphanumeric() && c != '\'') {
                let text = word.to_lowercase();
                let is_name = text.chars().count() >= 2 && !TITLES.contains(&text.as_str());
                if is_name && words.len() < MAX_WORDS && !words.iter().any(|it| it.text == text) {
                    let is_word = WORDS.split_whitespace().any(|it| it == text);
                    let is_long = text.chars().count() >= FUZZY;
                    words.push(NameWord { text, is_word, is_long });
                }
            }
        }
        let initials =
            words.iter().fold(0, |mask, word| mask | initial_of(word.text.as_bytes()[0]));
        Self { words, initials }
    }

    /// Returns true if there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// Finds the names.
pub(super) fn find(finder: &mut Finder<'_>, names: &KnownNames) {
    if names.is_empty() {
        return;
    }
    let mut is_beside = false;
    for at in 0..finder.tokens.len() {
        if !finder.tokens.is_word(at) {
            continue;
        }
        if let Some(last) = spelled(finder, at, names) {
            finder.add(at, last, Class::Name);
        }
        let is_name = is_name(finder, at, names, is_beside);
        if is_name {
            finder.add(at, at, Class::Name);
        }
        is_beside = is_name;
    }
}

fn is_name(finder: &Finder<'_>, at: usize, names: &KnownNames, is_beside: bool) -> bool {
    let text = finder.tokens.text(at);
    let is_capital = text.starts_with(char::is_uppercase);
    let initial = text.as_bytes()[0].to_ascii_lowercase();
    // Most words begin like no name, and are not looked at further.
    if !is_capital && initial.is_ascii() && names.initials & initial_of(initial) == 0 {
        return false;
    }
    let may_be = |name: &NameWord| {
        let begins_alike = name.text.as_bytes()[0] == initial || !initial.is_ascii();
        (begins_alike || is_capital) && text.len().abs_diff(name.text.len()) <= LONGER
    };
    if !names.words.iter().any(may_be) {
        return false;
    }
    let folded = text.to_lowercase().replace('\u{2019}', "'");
    let word = folded.strip_suffix("'s").unwrap_or(&folded);
    let is_known = finder.tokens.has(at, STOP | TERM | OH);
    names.words.iter().any(|name| {
        if word == name.text {
            return !name.is_word || is_capital || is_beside || is_before_name(finder, at, names);
        }
        let is_fuzzy = name.is_long && !is_known && may_be(name);
        is_fuzzy && is_one_off(word, &name.text)
    })
}

/// The bit of a letter without case; zero for any other byte.
fn initial_of(byte: u8) -> u32 {
    if byte.is_ascii_alphabetic() { 1 << (byte.to_ascii_lowercase() - b'a') } else { 0 }
}

/// Whether the next word is a word of a name.
fn is_before_name(finder: &Finder<'_>, at: usize, names: &KnownNames) -> bool {
    let next = at + 1;
    finder.tokens.is_word(next) && {
        let folded = finder.tokens.text(next).to_lowercase();
        names.words.iter().any(|name| name.text == folded)
    }
}

/// Whether two words differ by one letter: replaced, missing, added, or swapped with the next.
fn is_one_off(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    let same = short.iter().zip(long.iter()).take_while(|(a, b)| a == b).count();
    match long.len() - short.len() {
        0 => {
            let (a, b) = (&short[same..], &long[same..]);
            let is_swapped = a.len() >= 2 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..];
            !a.is_empty() && (a[1..] == b[1..] || is_swapped)
        }
        1 => short[same..] == long[same + 1..],
        _ => false,
    }
}

/// Returns the last letter of a name that is spelled from a token on: `s m i t h`, `S-M-I-T-H`.
fn spelled(finder: &Finder<'_>, at: usize, names: &KnownNames) -> Option<usize> {
    let tokens = &finder.tokens;
    tokens.letter(at)?;
    let (mut word, mut last) = (String::new(), at);
    let mut next = at;
    while word.len() < 20 {
        let Some(letter) = tokens.letter(next) else { break };
        word.push(char::from(letter));
        last = next;
        next += 1;
        while tokens.is_mark(next, b'-') || tokens.is_mark(next, b',') || tokens.is_mark(next, b'.')
        {
            next += 1;
        }
    }
    let is_name = word.len() >= 3 && names.words.iter().any(|name| name.text == word);
    is_name.then_some(last)
}
