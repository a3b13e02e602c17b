//! Free texts in options, with the form that requests have.

use ledger_core::text::{MAX_SHORT, check_line};

/// Parses a text of one line; for `value_parser`.
///
/// # Errors
/// A message with the fault.
pub(super) fn short(text: &str) -> Result<String, String> {
    check_line(text, MAX_SHORT).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_takes_a_line_of_visible_characters() {
        assert_eq!(short("Zo\u{eb} Dental").as_deref(), Ok("Zo\u{eb} Dental"));
        for text in ["", " ", "a\nb", "a\u{202e}b", "a\u{200b}b", &"x".repeat(MAX_SHORT + 1)] {
            assert!(short(text).is_err(), "{text:?}");
        }
    }
}
