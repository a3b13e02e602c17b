//! Parser from text to tree. `serde_json` checks the grammar in one pass and reports where it
//! fails; a second pass builds the tree. (Nested `RawValue`s would scan a body once for each
//! level.)

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Json, MAX_DEPTH, MAX_VALUES};
use crate::provider::TranslateError;

pub(super) fn read(text: &str) -> Result<Json<'_>, TranslateError> {
    within_bounds(text.as_bytes())?;
    // Skipping to a `RawValue` checks everything except surrogate pairs, and does not recurse.
    serde_json::from_str::<&RawValue>(text)
        .map_err(|error| TranslateError::NotJson { line: error.line(), column: error.column() })?;
    Ok(Reader { text, at: 0 }.value())
}

/// Checks depth and number of values before the parser recurses or allocates, because a value of
/// one byte of text takes about fifty bytes of memory. Brackets and commas inside strings are not
/// counted. A bracket that is not empty holds one value more than it has commas.
fn within_bounds(bytes: &[u8]) -> Result<(), TranslateError> {
    let (mut depth, mut values) = (0_usize, 1_usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut is_opened = false;
    for byte in bytes {
        if is_opened && !byte.is_ascii_whitespace() {
            values += usize::from(!matches!(byte, b'}' | b']'));
            is_opened = false;
        }
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => (depth, is_opened) = (depth + 1, true),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(TranslateError::TooDeep { limit: MAX_DEPTH });
        }
    }
    if values > MAX_VALUES {
        return Err(TranslateError::TooMany { limit: MAX_VALUES });
    }
    Ok(())
}

/// Reader of text that is known to be valid JSON, and therefore without errors of its own.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Json<'a> {
        match self.peek() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => Json::String(self.string()),
            _ => match self.word() {
                "null" => Json::Null,
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                number => Json::Number(number),
            },
        }
    }

    fn object(&mut self) -> Json<'a> {
        let mut fields = Vec::new();
        self.at += 1;
        while self.peek() != b'}' {
            let key = self.string();
            self.expect(b':');
            fields.push((key, self.value()));
            self.skip_comma();
        }
        self.at += 1;
        Json::Object(fields)
    }

    fn array(&mut self) -> Json<'a> {
        let mut items = Vec::new();
        self.at += 1;
        while self.peek() != b']' {
            items.push(self.value());
            self.skip_comma();
        }
        self.at += 1;
        Json::Array(items)
    }

    fn string(&mut self) -> Cow<'a, str> {
        self.expect(b'"');
        let rest = &self.text[self.at..];
        let (mut end, mut has_escapes) = (0, false);
        let bytes = rest.as_bytes();
        while bytes[end] != b'"' {
            let is_escape = bytes[end] == b'\\';
            has_escapes |= is_escape;
            end += 1 + usize::from(is_escape);
        }
        self.at += end + 1;
        let raw = &rest[..end];
        if has_escapes { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    /// Reads a number or a literal: everything up to the next delimiter.
    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let is_end = |c: char| matches!(c, ',' | '}' | ']') || c.is_ascii_whitespace();
        let word = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Returns the next byte that is not white space, without consuming it.
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        bytes[self.at]
    }

    fn expect(&mut self, byte: u8) {
        debug_assert_eq!(self.peek(), byte, "the grammar was checked");
        self.peek();
        self.at += 1;
    }

    fn skip_comma(&mut self) {
        if self.peek() == b',' {
            self.at += 1;
        }
    }
}

/// Resolves the escapes of a JSON string. Half a surrogate pair becomes U+FFFD.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let (c, taken) = unicode(rest);
                text.push(c);
                rest = &rest[taken..];
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    text
}

/// Decodes the four hex digits after `\u`, or two such groups. Returns the character and the number
/// of bytes consumed.
fn unicode(after_u: &str) -> (char, usize) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let high = unit(after_u).unwrap_or(0xFFFD);
    let low = after_u.get(4..6).filter(|next| *next == "\\u").and_then(|_| unit(&after_u[6..]));
    let pair = [high, low.unwrap_or(0)];
    match char::decode_utf16(pair).next() {
        Some(Ok(c)) => (c, if u32::from(c) > 0xFFFF { 10 } else { 4 }),
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn text_of(json: &str) -> String {
        let value = Json::parse(json.as_bytes()).expect("JSON");
        value.as_str().expect("a string").to_owned()
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(text_of(r#""a\"\\\/\b\f\n\r\tb""#), "a\"\\/\u{8}\u{c}\n\r\tb");
        assert_eq!(text_of(r#""\u0041\u00e9\ud83d\ude00!""#), "Aé😀!");
        assert_eq!(text_of(r#""a\u0000b""#), "a\0b");
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_not_refused() {
        assert_eq!(text_of(r#""a\ud800b""#), "a\u{FFFD}b");
        assert_eq!(text_of(r#""\ude00\ud83d""#), "\u{FFFD}\u{FFFD}");
        assert_eq!(text_of(r#""\ud83d\u0041""#), "\u{FFFD}A");
        assert_eq!(text_of(r#""\ud83d\n""#), "\u{FFFD}\n");
    }

    #[test]
    fn numbers_keep_their_text() {
        let text = "[0.10,1E+2,-0,123456789012345678901234567890,1e400]";
        let numbers = ["0.10", "1E+2", "-0", "123456789012345678901234567890", "1e400"];
        assert_eq!(
            Json::parse(text.as_bytes()),
            Ok(Json::Array(numbers.into_iter().map(Json::Number).collect()))
        );
    }

    #[test]
    fn a_syntax_error_is_reported_with_its_place() {
        assert_eq!(Json::parse(b"{\"a\": \xff}"), Err(TranslateError::NotUtf8 { at: 6 }));
        assert_eq!(
            Json::parse(b"{\n\"a\": oops}"),
            Err(TranslateError::NotJson { line: 2, column: 6 })
        );
        for text in ["", " ", "{", "[1,]", "{\"a\":1,}", "01", "1 2", "\"\\x\"", "\"\u{1}\"", "nul"]
        {
            let result = Json::parse(text.as_bytes());
            assert!(matches!(result, Err(TranslateError::NotJson { .. })), "{text}: {result:?}");
        }
    }

    #[test]
    fn depth_is_refused_before_anything_recurses() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        let too_deep = Err(TranslateError::TooDeep { limit: MAX_DEPTH });
        assert_eq!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()), too_deep);
        let begun = Instant::now();
        assert_eq!(Json::parse(nested(100_000).as_bytes()), too_deep);
        assert_eq!(Json::parse("{\"a\":".repeat(100_000).as_bytes()), too_deep);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn an_empty_array_or_object_counts_as_one_value() {
        for empty in ["[]", "{}", "[ \n ]", "{\t}"] {
            let items = |count: usize| format!("[{}]", vec![empty; count].join(","));
            assert!(Json::parse(items(MAX_VALUES - 1).as_bytes()).is_ok(), "{empty}");
            let too_many = Err(TranslateError::TooMany { limit: MAX_VALUES });
            assert_eq!(Json::parse(items(MAX_VALUES).as_bytes()), too_many, "{empty}");
        }
        let fields = |count: usize| format!("{{{}}}", vec!["\"a\":[[]]"; count].join(","));
        assert!(Json::parse(fields(MAX_VALUES / 2 - 1).as_bytes()).is_ok());
        assert!(Json::parse(fields(MAX_VALUES / 2).as_bytes()).is_err());
    }

    #[test]
    fn more_values_than_any_body_has_are_refused_before_they_take_memory() {
        let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(Json::parse(zeros(MAX_VALUES - 1).as_bytes()).is_ok());
        let too_many = Err(TranslateError::TooMany { limit: MAX_VALUES });
        assert_eq!(Json::parse(zeros(MAX_VALUES).as_bytes()), too_many);
        assert_eq!(Json::parse(format!("[{}]", "[],".repeat(MAX_VALUES)).as_bytes()), too_many);
        let commas = format!("[\"{}\"]", ",".repeat(MAX_VALUES));
        assert!(Json::parse(commas.as_bytes()).is_ok());
    }

    #[test]
    fn brackets_inside_strings_are_no_depth() {
        let text = format!("[\"\\\"{}\"]", "[".repeat(1000));
        assert!(Json::parse(text.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn reading_agrees_with_serde_json(text in "[\\[\\]{}:,\"\\\\a0-9.eEu \\-ntrl]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let ours = Json::parse(text.as_bytes());
            if let Ok(theirs) = theirs {
                prop_assert_eq!(ours.map(|ours| ours.to_value()), Ok(theirs));
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Json::parse(&bytes);
        }
    }
}
