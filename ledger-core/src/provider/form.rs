//! Forms and queries (`application/x-www-form-urlencoded`), as pairs and as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::TranslateError;

/// Maximum number of fields in a form. Captured ones have at most 40.
pub const MAX_FIELDS: usize = 500;

/// A field of a form, decoded: name and value.
pub type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Parses a form or a query into its fields, in order, with repetitions and blank values. A percent
/// sign that begins no escape is kept as it is.
///
/// # Errors
/// [`TranslateError::TooMany`] beyond [`MAX_FIELDS`].
pub fn fields(text: &[u8]) -> Result<Vec<Field<'_>>, TranslateError> {
    let mut fields = Vec::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if fields.len() == MAX_FIELDS {
            return Err(TranslateError::TooMany { limit: MAX_FIELDS });
        }
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        fields.push((decoded(name), decoded(value)));
    }
    Ok(fields)
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|digits| {
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok().map(|()| byte[0])
        });
        match (first, escaped) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &rest[2..];
            }
            (b'+', None) => bytes.push(b' '),
            (other, None) => bytes.push(*other),
        }
    }
    Cow::Owned(bytes)
}

/// Converts a form or a query to a JSON object of strings, with sorted names. A repeated name has an
/// array of its values, in order.
///
/// # Errors
/// [`TranslateError::TooMany`] beyond [`MAX_FIELDS`], [`TranslateError::NotUtf8`].
pub fn to_json(text: &[u8]) -> Result<Vec<u8>, TranslateError> {
    let text_of = |bytes: Cow<'_, [u8]>| {
        let at = |error: &std::str::Utf8Error| error.valid_up_to();
        String::from_utf8(bytes.into_owned())
            .map_err(|error| TranslateError::NotUtf8 { at: at(&error.utf8_error()) })
    };
    let mut object: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields(text)? {
        object.entry(text_of(name)?).or_default().push(text_of(value)?);
    }
    let value = |values: Vec<String>| match <[String; 1]>::try_from(values) {
        Ok([only]) => serde_json::Value::from(only),
        Err(several) => several.into(),
    };
    let object: serde_json::Map<_, _> =
        object.into_iter().map(|(name, values)| (name, value(values))).collect();
    Ok(serde_json::Value::Object(object).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(form: &str) -> String {
        String::from_utf8(to_json(form.as_bytes()).expect("a form")).expect("UTF-8")
    }

    #[test]
    fn a_form_becomes_an_object_of_its_decoded_fields() {
        assert_eq!(
            json("To=%2B15550100123&From=S%C3%A3o+Paulo&Zip=&Flag&a=1=2"),
            r#"{"Flag":"","From":"São Paulo","To":"+15550100123","Zip":"","a":"1=2"}"#
        );
        assert_eq!(json(""), "{}");
        assert_eq!(json("&&"), "{}");
    }

    #[test]
    fn a_repeated_name_keeps_all_its_values() {
        assert_eq!(json("a=2&b=x&a=1&a=2"), r#"{"a":["2","1","2"],"b":"x"}"#);
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        assert_eq!(json("a=100%&b=%zz&c=%4"), r#"{"a":"100%","b":"%zz","c":"%4"}"#);
    }

    #[test]
    fn a_form_that_no_provider_sends_is_refused() {
        let many = "a=1&".repeat(MAX_FIELDS + 1);
        assert_eq!(to_json(many.as_bytes()), Err(TranslateError::TooMany { limit: MAX_FIELDS }));
        assert_eq!(to_json(b"a=%ff"), Err(TranslateError::NotUtf8 { at: 0 }));
    }
}
