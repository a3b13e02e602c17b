//! Rules for values that are stored unsealed, of fields that a tenant names: the custom fields of contacts and the
//! fields of the context of a call. All other fields are sealed.
//!
//! The rules recognize forms, not meanings: a first name is a word like any other. The list of clear fields is
//! therefore the decision of the tenant, and the rules refuse what is personal by its form.

use unicode_normalization::UnicodeNormalization;

use crate::annotation::words::is_word;

/// Maximum number of names of a list.
pub(crate) const MAX_NAMES: usize = 100;
/// Maximum length of a text in the clear, in characters.
const MAX_TEXT: usize = 40;
/// Greatest number in the clear, whatever its sign. One with more digits may be a telephone number.
const MAX_NUMBER: u64 = 999_999;
/// Description of a name that is refused, for faults.
pub(crate) const PERSONAL: &str = "a field of this name is about a person, so it stays sealed";

/// Parts of names of fields that are about a person.
const PARTS: &[&str] = &[
    "phone",
    "telefon",
    "mobile",
    "email",
    "address",
    "adress",
    "birth",
    "geburt",
    "street",
    "strasse",
    "anschrift",
    "wohnort",
    "rufnummer",
    "krankenkasse",
    "versicherung",
    "postal",
    "postcode",
    "zipcode",
    "passport",
    "socialsecurity",
    "insurancenumber",
    "creditcard",
    "diagnos",
    "symptom",
    "allerg",
    "medica",
];
/// Words of names of fields that are about a person.
const WORDS: &[&str] = &[
    "mail", "tel", "telnr", "cell", "handy", "fax", "zip", "plz", "city", "ort", "dob", "ssn",
    "taxid", "iban",
];

/// Whether the name of a field says that its value is about a person: names, telephone numbers, addresses, dates of
/// birth, numbers of identity and of accounts, and what concerns health. Words are separated by `-`, `_`, other
/// signs, and capital letters.
#[must_use]
pub fn states_personal_data(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat().replace('ß', "ss");
    let is_personal = |word: &String| {
        let word = word.trim_end_matches(char::is_numeric);
        word.starts_with("name") || word.ends_with("name") || WORDS.contains(&word)
    };
    PARTS.iter().any(|part| joined.contains(part)) || words.iter().any(is_personal)
}

/// Whether a text may be stored in the clear: a word of at most 40 characters and six digits, in its case.
#[must_use]
pub fn is_clear_text(text: &str) -> bool {
    is_word(text, MAX_TEXT)
}

/// Whether a whole number may be stored in the clear: at most six digits.
#[must_use]
pub fn is_clear_number(number: i64) -> bool {
    number.unsigned_abs() <= MAX_NUMBER
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.nfkc() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_alphanumeric() && !c.is_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_whose_name_is_about_a_person_is_recognized_in_any_spelling() {
        for name in [
            "name",
            "first_name",
            "lastName",
            "FIRSTNAME",
            "name2",
            "nameOfMother",
            "phone",
            "customer-phone",
            "patientPhone",
            "PhoneNumber",
            "e-mail",
            "email_address",
            "mail",
            "plz",
            "Straße",
            "Wohnort",
            "handy",
            "address",
            "date_of_birth",
            "birthday",
            "patientDOB",
            "dob",
            "zip_code",
            "post-code",
            "ssn",
            "ｎａｍｅ",
            "homeAddress",
            "diagnosis",
            "cell",
        ] {
            assert!(states_personal_data(name), "{name}");
        }
        for name in [
            "plan",
            "visits",
            "newsletter",
            "has_contract",
            "package",
            "tier",
            "tournament",
            "cancelled",
            "telly",
        ] {
            assert!(!states_personal_data(name), "{name}");
        }
    }

    #[test]
    fn a_value_with_room_for_a_number_or_an_address_is_not_clear() {
        for text in ["gold", "Gold", "due-2026", "q4.2026", "\u{fc}ber"] {
            assert!(is_clear_text(text), "{text}");
        }
        for text in [
            "",
            "anna@example.com",
            "+15550100123",
            "5550100",
            "555 0100",
            "Anna Example",
            "2026-11-30",
            "a\u{0}",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
            &"a".repeat(41),
        ] {
            assert!(!is_clear_text(text), "{text:?}");
        }
        assert!(is_clear_number(999_999) && is_clear_number(-999_999) && is_clear_number(0));
        assert!(
            !is_clear_number(5_550_100)
                && !is_clear_number(i64::MIN)
                && !is_clear_number(1_000_000)
        );
    }
}
