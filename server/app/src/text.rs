//! The form of texts that every entrance accepts: names, ids and notes.

/// Maximum length of a name or id, in characters.
pub const MAX_SHORT: usize = 200;

/// Checks a short text: not blank, at most [`MAX_SHORT`] characters, no control characters.
///
/// # Errors
/// A sentence that describes the fault, without the text.
pub fn check_short(text: &str) -> Result<(), String> {
    check(text, MAX_SHORT, char::is_control)
}

/// Checks a text of at most `longest` characters, which may have line breaks and tabs.
///
/// # Errors
/// As [`check_short`].
pub fn check_long(text: &str, longest: usize) -> Result<(), String> {
    check(text, longest, |c: char| c.is_control() && !"\n\r\t".contains(c))
}

fn check(text: &str, longest: usize, is_refused: impl Fn(char) -> bool) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.chars().count() > longest {
        return Err(format!("it is longer than {longest} characters"));
    }
    if text.chars().any(is_refused) {
        return Err("it holds a control character".to_owned());
    }
    Ok(())
}
