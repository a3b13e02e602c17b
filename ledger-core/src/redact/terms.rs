//! Diagnoses and medications: lists of words written from common knowledge, and the stems by which
//! medications are named (USAN) and diseases end. Neither list is a register.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::finder::Finder;
use super::words::TERM;
use super::{Class, words};

const CONDITIONS: &str = include_str!("conditions.txt");
const MEDICATIONS: &str = include_str!("medications.txt");

/// Endings of names of medications, of words of at least seven letters.
const DRUG_STEMS: [&str; 24] = [
    "statin",
    "sartan",
    "prazole",
    "cillin",
    "floxacin",
    "gliptin",
    "gliflozin",
    "oxetine",
    "olol",
    "dipine",
    "mycin",
    "azepam",
    "azolam",
    "tinib",
    "parin",
    "conazole",
    "cycline",
    "zumab",
    "limumab",
    "ximab",
    "triptan",
    "glutide",
    "setron",
    "thiazide",
];
/// Endings of names of diseases, of words of at least seven letters.
const DISEASE_STEMS: [&str; 10] = [
    "itis",
    "algia",
    "opathy",
    "osis",
    "cythemia",
    "uremia",
    "carcinoma",
    "sarcoma",
    "ectomy",
    "plegia",
];
/// Words with such an ending that are no diseases.
const NO_DISEASES: [&str; 8] = [
    "diagnosis",
    "prognosis",
    "hypnosis",
    "osmosis",
    "nostalgia",
    "metamorphosis",
    "symbiosis",
    "apotheosis",
];
/// Words between a term and what precedes it: `type 2 diabetes` is one span.
const KINDS: [&str; 12] = [
    "chronic",
    "severe",
    "acute",
    "breast",
    "lung",
    "prostate",
    "colon",
    "skin",
    "type",
    "stage",
    "hepatitis",
    "ovarian",
];

/// Terms of several words by their first word; a term of one word has no further ones.
static TERMS: LazyLock<FxHashMap<&'static str, Vec<Term>>> = LazyLock::new(|| {
    let mut terms: FxHashMap<&str, Vec<Term>> = FxHashMap::default();
    for (class, list) in [(Class::Condition, CONDITIONS), (Class::Medication, MEDICATIONS)] {
        for line in list.lines() {
            let mut words = line.split([' ', '-']);
            let first = words.next().unwrap_or_default();
            terms.entry(first).or_default().push(Term { class, rest: words.collect() });
        }
    }
    for list in terms.values_mut() {
        list.sort_by_key(|term| std::cmp::Reverse(term.rest.len()));
    }
    terms
});

struct Term {
    class: Class,
    rest: Vec<&'static str>,
}

/// Returns the first word of each term.
pub(super) fn first_words() -> impl Iterator<Item = &'static str> {
    let lines = CONDITIONS.lines().chain(MEDICATIONS.lines());
    lines.filter_map(|line| line.split([' ', '-']).next())
}

/// Whether a word in lower case has the ending of a medication or a disease.
pub(super) fn has_stem(word: &[u8]) -> bool {
    stem_class(word).is_some()
}

fn stem_class(word: &[u8]) -> Option<Class> {
    let ends = |stems: &[&str]| stems.iter().any(|stem| word.ends_with(stem.as_bytes()));
    if word.len() < 7
        || !matches!(word[word.len() - 1], b'n' | b'e' | b'l' | b'm' | b'b' | b's' | b'a' | b'y')
    {
        return None;
    }
    if ends(&DRUG_STEMS) {
        return Some(Class::Medication);
    }
    let is_disease = ends(&DISEASE_STEMS) && !NO_DISEASES.iter().any(|it| it.as_bytes() == word);
    is_disease.then_some(Class::Condition)
}

/// Finds the terms.
pub(super) fn find(finder: &mut Finder<'_>) {
    for at in 0..finder.tokens.len() {
        if finder.tokens.has(at, TERM)
            && let Some((class, last)) = term_at(finder, at)
        {
            let first = first_of(finder, at);
            finder.add(first, last, class);
        }
    }
}

fn term_at(finder: &Finder<'_>, at: usize) -> Option<(Class, usize)> {
    let tokens = &finder.tokens;
    let folded = tokens.text(at).to_lowercase();
    let word = TERMS
        .get_key_value(folded.as_str())
        .or_else(|| TERMS.get_key_value(folded.trim_end_matches("'s")))
        .or_else(|| TERMS.get_key_value(folded.strip_suffix('s')?));
    let Some((_, terms)) = word else {
        return stem_class(folded.as_bytes()).map(|class| (class, at));
    };
    let matches = |term: &&Term| {
        let mut last = at;
        for word in &term.rest {
            last += 1 + usize::from(tokens.is_mark(last + 1, b'-'));
            let is_equal = last < tokens.len() && tokens.text(last).eq_ignore_ascii_case(word);
            if !is_equal {
                return None;
            }
        }
        Some((term.class, last))
    };
    terms
        .iter()
        .find_map(|term| matches(&term))
        .or_else(|| stem_class(folded.as_bytes()).map(|class| (class, at)))
}

/// Includes the words before a term that specify it, such as `type 2` or `breast`.
fn first_of(finder: &Finder<'_>, at: usize) -> usize {
    let tokens = &finder.tokens;
    let is_kind = |at: usize| {
        tokens.is_word(at) && KINDS.iter().any(|kind| tokens.text(at).eq_ignore_ascii_case(kind))
    };
    let is_number = |at: usize| tokens.is_digits(at) || tokens.has(at, words::DIGIT);
    if at >= 2 && is_number(at - 1) && is_kind(at - 2) {
        return at - 2;
    }
    if at >= 1 && is_kind(at - 1) { at - 1 } else { at }
}
