//! Parser for JSON request bodies: fields are removed by name, and remaining ones are unknown. Errors quote
//! no value, since it may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use ledger_core::json::without_bom;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use uuid::Uuid;

use crate::http::body::read_body;
use crate::http::times::is_rfc3339;
use crate::problem::ApiError;

/// Maximum size of a body, in bytes; no command needs more.
pub(crate) const MAX_BODY: usize = 64 << 10;
/// Timeout of the body.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a name or id, in characters.
const MAX_TEXT: usize = 200;

/// The fields of a request that were not read yet, and the names of those with the value null.
#[derive(Debug)]
pub struct BodyFields(BTreeMap<String, Value>, Vec<String>);

impl BodyFields {
    /// Reads the body. Handlers call this after the authorization check.
    ///
    /// # Errors
    /// 400 if the body is not a JSON object with each field once; 408 and 413 if it is too slow or too large.
    pub async fn read(body: Body) -> Result<Self, ApiError> {
        let body = read_body(body, MAX_BODY, TIMEOUT).await?;
        Self::parse(&body)
    }

    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Object(fields) = serde_json::from_slice(without_bom(body)).map_err(|_| {
            let detail = "send one JSON object that names each field once";
            ApiError::new(StatusCode::BAD_REQUEST, "body-not-json", detail)
        })?;
        Ok(Self::of(fields))
    }

    fn of(fields: BTreeMap<String, Value>) -> Self {
        // Null counts as absent, except for [`BodyFields::change`], where it removes the value.
        let (null, given): (BTreeMap<_, _>, _) =
            fields.into_iter().partition(|(_, value)| value.is_null());
        Self(given, null.into_keys().collect())
    }

    /// Reads an optional body; an empty one has no fields.
    ///
    /// # Errors
    /// Those of [`BodyFields::read`].
    pub async fn read_any(body: Body) -> Result<Self, ApiError> {
        let body = read_body(body, MAX_BODY, TIMEOUT).await?;
        if without_bom(&body).is_empty() {
            return Ok(Self(BTreeMap::new(), Vec::new()));
        }
        Self::parse(&body)
    }

    /// Removes a short text without control characters.
    ///
    /// # Errors
    /// 422 for another type, or a text that is empty, too long or has control characters.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => text_of(name, text).map(Some),
            Some(_) => Err(ApiError::field(name, "it is not a text")),
        }
    }

    /// Removes a text of at most `longest` characters, which may have line breaks.
    ///
    /// # Errors
    /// 422 for another type, or a text that is empty, too long or has other control characters.
    pub fn long_text(&mut self, name: &str, longest: usize) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                check_text(name, &text, longest, |c| c.is_control() && !"\n\r\t".contains(c))?;
                Ok(Some(text))
            }
            Some(_) => Err(ApiError::field(name, "it is not a text")),
        }
    }

    /// Removes an object, to be read by its fields. Their faults are those of [`ApiError::within`].
    ///
    /// # Errors
    /// 422 for another type.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self::of(fields.into_iter().collect()))),
            Some(_) => Err(ApiError::field(name, "it is not an object")),
        }
    }

    /// Removes an id.
    ///
    /// # Errors
    /// 422 for a text that is no UUID, and for another type.
    pub fn id(&mut self, name: &str) -> Result<Option<Uuid>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let id = Uuid::try_parse(&text).map_err(|_| ApiError::field(name, "it is not an id"))?;
        Ok(Some(id))
    }

    /// Removes a list of distinct texts.
    ///
    /// # Errors
    /// 422 for another type, or a repeated text.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let not_texts = || ApiError::field(name, "it is not a list of texts");
        let values = match self.0.remove(name) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(not_texts()),
        };
        let mut texts = Vec::new();
        for value in values {
            let Value::String(text) = value else { return Err(not_texts()) };
            if texts.contains(&text) {
                return Err(ApiError::field(name, "it names something twice"));
            }
            texts.push(text);
        }
        Ok(Some(texts))
    }

    /// Removes a boolean.
    ///
    /// # Errors
    /// 422 for another type.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(ApiError::field(name, "it is neither true nor false")),
        }
    }

    /// Removes an RFC 3339 time.
    ///
    /// # Errors
    /// 422 for a malformed time.
    pub fn time(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = text.parse().ok().filter(|time| is_rfc3339(*time));
        time.map(Some).ok_or_else(|| ApiError::field(name, "it is not an RFC 3339 time"))
    }

    /// Removes a whole number within the range, bounds included.
    ///
    /// # Errors
    /// 422 for another type, or a number outside the range.
    pub fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let number = value.as_i64().filter(|number| range.contains(number));
        let detail =
            || format!("it is not a whole number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| ApiError::field(name, detail()))
    }

    /// Removes a short text that may be reset: the inner `None` is a `null` that was sent.
    ///
    /// # Errors
    /// 422 for another type.
    pub fn change(&mut self, name: &str) -> Result<Option<Option<String>>, ApiError> {
        if self.1.iter().any(|null| null == name) {
            return Ok(Some(None));
        }
        Ok(self.text(name)?.map(Some))
    }

    /// Returns the remaining fields, for a parser with a schema of its own. Those with the value null are
    /// left out.
    #[must_use]
    pub fn into_values(self) -> BTreeMap<String, Value> {
        self.0
    }

    /// Rejects remaining fields.
    ///
    /// # Errors
    /// 422 `unknown-field` if a field was not read.
    pub fn reject_unknown(self) -> Result<(), ApiError> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let is_name =
                    name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let detail = "it is not known; see /docs for what may be said";
                let shown = if is_name { name.as_str() } else { "" };
                Err(ApiError { code: "unknown-field", ..ApiError::field(shown, detail) })
            }
        }
    }
}

fn text_of(name: &str, text: String) -> Result<String, ApiError> {
    check_text(name, &text, MAX_TEXT, char::is_control)?;
    Ok(text)
}

fn check_text(
    name: &str,
    text: &str,
    longest: usize,
    is_refused: impl Fn(char) -> bool,
) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::field(name, "it is empty"));
    }
    if text.chars().count() > longest {
        return Err(ApiError::field(name, format!("it is longer than {longest} characters")));
    }
    if text.chars().any(is_refused) {
        return Err(ApiError::field(name, "it holds a control character"));
    }
    Ok(())
}

/// A JSON object with distinct field names. A repeated name is rejected: silently choosing one value would
/// hide the mistake.
struct Object(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a field is named twice"));
                    }
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: &str) -> Result<BodyFields, ApiError> {
        BodyFields::read(Body::from(body.to_owned())).await
    }

    #[tokio::test]
    async fn what_is_no_object_with_each_field_once_is_refused() {
        for body in ["", "[]", "7", "{", "{\"a\":1,\"a\":2}", "{\"a\":1} {", "\"a\""] {
            assert_eq!(read(body).await.map(|_| ()).unwrap_err().code, "body-not-json", "{body}");
        }
        assert!(read("{\"a\":null}").await.is_ok_and(|fields| fields.reject_unknown().is_ok()));
    }

    #[tokio::test]
    async fn each_fault_names_its_field_and_quotes_no_value() {
        let mut fields = read(r#"{"name":"a\u0000secret","flag":"secret","list":["x","x"]}"#)
            .await
            .expect("an object");
        for refused in [
            fields.text("name").map(|_| ()),
            fields.flag("flag").map(|_| ()),
            fields.texts("list").map(|_| ()),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code), (422, "invalid-field"));
            assert!(!refused.detail.contains("secret"), "{}", refused.detail);
        }
        let left =
            read(r#"{"nmae":"secret"}"#).await.expect("an object").reject_unknown().unwrap_err();
        assert_eq!((left.code, left.errors[0].pointer.as_str()), ("unknown-field", "/nmae"));
    }
}
