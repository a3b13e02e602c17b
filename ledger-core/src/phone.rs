//! Phone numbers: parser from text to E.164.
//!
//! The numbering plans are Google's, through `rlibphonenumber`; a differential test compares each
//! of its releases with Google's own port (`phone/differential_tests.rs`). This module adds only
//! what the plans lack: invisible characters, the URI schemes that platforms prepend, the codes
//! that carriers send for a withheld number, and numbers reserved for examples.

mod tables;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use tables::{EXAMPLES, MISTAKEN_CODES, SCHEMES, WITHHELD_CODES, WITHHELD_WORDS, WITHOUT_NUMBERS};

/// Maximum length of a text that is parsed as a number, in characters; Google's port stops at 250.
const MAX_CHARS: usize = 100;

/// A parsed phone number. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone {
    /// The number without its extension: `+` and digits.
    pub e164: String,
    /// Extension at a private branch exchange, in digits.
    pub extension: Option<String>,
}

// A number is personal data, so `Debug` does not print it.
impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone(..)")
    }
}

/// Returns the E.164 form of a number. `None` if the text is no valid number, or has an extension:
/// a number with an extension is a different handle (see [`parse_phone`]).
///
/// Digits without an international prefix are read in `region` (ISO 3166-1 alpha-2), and rejected
/// without one. Callers keep a rejected value as given and mark it invalid.
#[must_use]
pub fn normalise_phone(raw: &str, region: Option<&str>) -> Option<String> {
    parse_phone(raw, region).filter(|phone| phone.extension.is_none()).map(|phone| phone.e164)
}

/// Parses a number and its extension. `None` if the number is not valid by the numbering plan of
/// its country, if the text has more than a number, or if the number is withheld.
///
/// Numbers reserved for examples (`+1 555 01…`) are valid although no plan contains them.
#[must_use]
pub fn parse_phone(raw: &str, region: Option<&str>) -> Option<Phone> {
    let text = clean(raw)?;
    let text = without_scheme(&text);
    if is_withheld_text(text) {
        return None;
    }
    let region: Option<Region> = region.and_then(|region| region.to_ascii_uppercase().parse().ok());
    let number = read(text, region)?;
    let is_one_number = match text.find(char::is_alphabetic) {
        None => true,
        // Google's port dials letters as digits. Here letters are accepted in an extension only.
        Some(at) => {
            text[at..].starts_with("phone-context=")
                || read(&text[..at], region).is_some_and(|head| head.e164 == number.e164)
        }
    };
    is_one_number.then_some(number)
}

/// Returns whether the code is a country of ISO 3166-1 alpha-2 in upper case, or one of the other
/// codes with telephone numbers (`AC`, `TA`, `XK`).
#[must_use]
pub fn is_country(code: &str) -> bool {
    has_numbers(code) || WITHOUT_NUMBERS.contains(&code)
}

/// Returns whether the country has a numbering plan of its own. Without one, national digits are
/// not read as a number.
#[must_use]
pub fn has_numbers(code: &str) -> bool {
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let region = code.parse().ok().filter(|_| is_code);
    region.is_some_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
}

/// Returns the country code that a common wrong code stands for; `None` for any other code.
#[must_use]
pub fn country_meant(code: &str) -> Option<&'static str> {
    MISTAKEN_CODES.iter().find(|(mistaken, _)| *mistaken == code).map(|(_, meant)| *meant)
}

/// Returns true if the text is what carriers and platforms send for a withheld number, with or
/// without a plus. Such a text identifies no caller.
#[must_use]
pub fn is_withheld(raw: &str) -> bool {
    clean(raw).is_some_and(|text| is_withheld_text(without_scheme(&text)))
}

fn read(text: &str, region: Option<Region>) -> Option<Phone> {
    let number = PHONE_NUMBER_UTIL.parse(text, region).ok()?;
    let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned();
    let is_valid = PHONE_NUMBER_UTIL.is_valid_number(&number) || is_example(&e164);
    let extension = number.extension().to_owned();
    let extension = Some(extension).filter(|extension| !extension.is_empty());
    is_valid.then_some(Phone { e164, extension })
}

fn is_example(e164: &str) -> bool {
    EXAMPLES.iter().any(|(prefix, length)| e164.len() == *length && e164.starts_with(prefix))
}

fn is_withheld_text(text: &str) -> bool {
    let letters: String =
        text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    if !letters.is_empty() {
        return WITHHELD_WORDS.contains(&letters.as_str());
    }
    let digits: String = text.chars().filter_map(|c| decimal(c).map(char::from)).collect();
    let code = digits.trim_start_matches('0');
    !digits.is_empty() && (code.is_empty() || WITHHELD_CODES.contains(&code))
}

/// Removes invisible characters, and replaces blanks, hyphens, digits and plus signs by their ASCII
/// forms. `None` if the text is longer than any number.
fn clean(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len().min(4 * MAX_CHARS));
    for c in raw.chars().filter(|c| !is_invisible(*c)) {
        text.push(match c {
            c if c.is_whitespace() => ' ',
            '\u{207A}' | '\u{2795}' | '\u{FB29}' | '\u{FE62}' | '\u{FF0B}' => '+',
            '\u{2010}'..='\u{2015}'
            | '\u{2043}'
            | '\u{2212}'
            | '\u{FE58}'
            | '\u{FE63}'
            | '\u{FF0D}' => '-',
            c => decimal(c).map_or(c, char::from),
        });
        if text.len() > 4 * MAX_CHARS {
            return None;
        }
    }
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= MAX_CHARS).then(|| text.to_owned())
}

/// Returns true for format characters (Unicode `Cf`), variation selectors, and controls other than
/// white space.
pub(crate) fn is_invisible(c: char) -> bool {
    let is_control = c.is_control() && !c.is_whitespace();
    is_control
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{20E3}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns the value of a decimal digit of any script (Unicode `Nd`), as an ASCII digit.
pub(crate) fn decimal(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c as u8);
    }
    // The port's own table has the digits of all scripts.
    let normal =
        rlibphonenumber::PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut [0; 4]));
    normal.bytes().next().filter(u8::is_ascii_digit)
}

/// Strips a URI scheme that platforms prepend to a number: `tel:`, `whatsapp:`.
fn without_scheme(text: &str) -> &str {
    let Some((scheme, rest)) = text.split_once(':') else { return text };
    let is_scheme = SCHEMES.iter().any(|known| scheme.trim().eq_ignore_ascii_case(known));
    if is_scheme { rest.trim_start_matches(['/', ' ']) } else { text }
}

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod tests;
