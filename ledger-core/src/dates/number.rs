//! Numbers in words: cardinals and ordinals below one hundred, and years from two thousand.

use super::token::{Kind, Number, Token};

const UNITS: [(&str, &str); 20] = [
    ("zero", "zeroth"),
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("four", "fourth"),
    ("five", "fifth"),
    ("six", "sixth"),
    ("seven", "seventh"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("ten", "tenth"),
    ("eleven", "eleventh"),
    ("twelve", "twelfth"),
    ("thirteen", "thirteenth"),
    ("fourteen", "fourteenth"),
    ("fifteen", "fifteenth"),
    ("sixteen", "sixteenth"),
    ("seventeen", "seventeenth"),
    ("eighteen", "eighteenth"),
    ("nineteen", "nineteenth"),
];

const TENS: [(&str, &str); 8] = [
    ("twenty", "twentieth"),
    ("thirty", "thirtieth"),
    ("forty", "fortieth"),
    ("fifty", "fiftieth"),
    ("sixty", "sixtieth"),
    ("seventy", "seventieth"),
    ("eighty", "eightieth"),
    ("ninety", "ninetieth"),
];

/// Returns the tokens with the words of each number as one token: `twenty fourth`, `24 th`,
/// `two thousand and twenty seven`.
pub(super) fn joined(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        if token.kind == Kind::Word
            && let Some(number) = word(&token.text)
        {
            token.kind = Kind::Number(number);
        }
        if !join_ordinal_suffix(&mut out, &token) && !join_unit(&mut out, &token) {
            out.push(token);
        }
    }
    join_thousands(out)
}

fn word(text: &str) -> Option<Number> {
    let found = |table: &[(&str, &str)], value: &dyn Fn(u64) -> u64| {
        let nth =
            table.iter().position(|(cardinal, ordinal)| *cardinal == text || *ordinal == text)?;
        let is_ordinal = table[nth].1 == text;
        Some(Number { value: value(u64::try_from(nth).ok()?), digits: 0, is_ordinal })
    };
    found(&UNITS, &|nth| nth).or_else(|| found(&TENS, &|nth| 20 + 10 * nth))
}

/// `24` and a glued `th`.
fn join_ordinal_suffix(out: &mut [Token], token: &Token) -> bool {
    let is_suffix = token.is_glued && matches!(token.text.as_str(), "st" | "nd" | "rd" | "th");
    match out.last_mut() {
        Some(Token { kind: Kind::Number(number), text, .. }) if is_suffix && number.digits > 0 => {
            number.is_ordinal = true;
            text.push_str(&token.text);
            true
        }
        _ => false,
    }
}

/// `twenty` and `four` or `fourth`, with or without a hyphen.
fn join_unit(out: &mut Vec<Token>, token: &Token) -> bool {
    let Kind::Number(unit @ Number { value: 1..=9, digits: 0, .. }) = token.kind else {
        return false;
    };
    let has_hyphen = token.is_glued
        && out.last().is_some_and(|last| last.kind == Kind::Sign('-') && last.is_glued);
    let before = out.len().checked_sub(if has_hyphen { 2 } else { 1 });
    let Some(Token { kind: Kind::Number(tens), text, .. }) =
        before.and_then(|nth| out.get_mut(nth))
    else {
        return false;
    };
    if tens.digits > 0 || tens.is_ordinal || tens.value < 20 || !tens.value.is_multiple_of(10) {
        return false;
    }
    tens.value += unit.value;
    tens.is_ordinal = unit.is_ordinal;
    text.push('-');
    text.push_str(&token.text);
    if has_hyphen {
        out.pop();
    }
    true
}

/// `two thousand`, and what follows it. The result has four digits, as a written year has.
fn join_thousands(tokens: Vec<Token>) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let mut token = tokens[at].clone();
        at += 1;
        let is_two =
            matches!(token.kind, Kind::Number(Number { value: 2, digits: 0, is_ordinal: false }));
        if is_two && tokens.get(at).is_some_and(|next| next.text == "thousand") {
            at += 1;
            let rest = at + usize::from(tokens.get(at).is_some_and(|next| next.text == "and"));
            let mut value = 2000;
            if let Some(Kind::Number(Number {
                value: more @ 1..=99,
                digits: 0,
                is_ordinal: false,
            })) = tokens.get(rest).map(|token| &token.kind)
            {
                value += more;
                at = rest + 1;
            }
            token.kind = Kind::Number(Number { value, digits: 4, is_ordinal: false });
        }
        out.push(token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    fn numbers(phrase: &str) -> Vec<(u64, bool)> {
        let numbers =
            tokens(phrase).expect("tokens").into_iter().filter_map(|token| match token.kind {
                Kind::Number(number) => Some((number.value, number.is_ordinal)),
                _ => None,
            });
        numbers.collect()
    }

    #[test]
    fn the_words_of_one_number_are_one_token() {
        assert_eq!(numbers("twenty-fourth"), [(24, true)]);
        assert_eq!(numbers("twenty four thirty five"), [(24, false), (35, false)]);
        assert_eq!(numbers("two twenty five"), [(2, false), (25, false)]);
        assert_eq!(numbers("ten four"), [(10, false), (4, false)]);
        assert_eq!(numbers("two thousand and twenty seven"), [(2027, false)]);
        assert_eq!(numbers("the 1st and 2 nd"), [(1, true), (2, false)]);
        assert_eq!(numbers("twenty twenty six"), [(20, false), (26, false)]);
    }
}
