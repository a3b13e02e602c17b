//! Fields of JSON request bodies: the deserializer of the request types, and the forms that fields share. Errors
//! name the field and quote no value, since it may be a secret; those of `serde_json` quote it.

mod free_text;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use uuid::Uuid;

pub use free_text::{
    Change, long_text, phone, phone_change, required_raw_text, required_text, text, visible_line,
};

use crate::http::times::is_rfc3339;
use crate::problem::ApiError;

const MISSING: &str = "it is missing";

/// Deserializes an optional list of distinct texts.
///
/// # Errors
/// For another type, or a repeated text.
pub fn texts<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<String>>, D::Error> {
    let texts = value::<Vec<String>, D>(field, "it is not a list of texts")?;
    let is_repeated = |texts: &Vec<String>| {
        texts.iter().enumerate().any(|(nth, text)| texts[..nth].contains(text))
    };
    if texts.as_ref().is_some_and(is_repeated) {
        return Err(D::Error::custom("it names something twice"));
    }
    Ok(texts)
}

/// Deserializes an optional boolean.
///
/// # Errors
/// For another type.
pub fn flag<'de, D: Deserializer<'de>>(field: D) -> Result<Option<bool>, D::Error> {
    value(field, "it is neither true nor false")
}

/// Deserializes an optional RFC 3339 time.
///
/// # Errors
/// For a malformed time.
pub fn time<'de, D: Deserializer<'de>>(field: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let parse = |text: String| text.parse().ok().filter(|time| is_rfc3339(*time));
    let not_a_time = || D::Error::custom("it is not an RFC 3339 time");
    text(field)?.map(|text| parse(text).ok_or_else(not_a_time)).transpose()
}

/// Deserializes an RFC 3339 time that must be there.
///
/// # Errors
/// For a malformed time, and for null.
pub fn required_time<'de, D: Deserializer<'de>>(field: D) -> Result<DateTime<Utc>, D::Error> {
    time(field)?.ok_or_else(|| D::Error::custom(MISSING))
}

/// Deserializes an optional id.
///
/// # Errors
/// For a text that is no UUID.
pub fn id<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Uuid>, D::Error> {
    let parse = |text: String| Uuid::try_parse(&text);
    text(field)?
        .map(|text| parse(text).map_err(|_| D::Error::custom("it is not an id")))
        .transpose()
}

/// Deserializes an optional whole number within the range, bounds included.
///
/// # Errors
/// For another type, or a number outside the range.
pub fn number<'de, D: Deserializer<'de>>(
    field: D,
    range: &RangeInclusive<i64>,
) -> Result<Option<i64>, D::Error> {
    let detail = format!("it is not a whole number from {} to {}", range.start(), range.end());
    let number = value::<i64, D>(field, &detail)?;
    if number.is_some_and(|number| !range.contains(&number)) {
        return Err(D::Error::custom(detail));
    }
    Ok(number)
}

/// Deserializes a field in which null means absent; `detail` describes the fault of another type.
fn value<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    field: D,
    detail: &str,
) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(field).map_err(|_| D::Error::custom(detail))
}

/// A fault of a body. Contains the name of the field and never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    field: String,
    detail: String,
    is_unknown: bool,
}

impl Fault {
    fn of(field: &str, detail: impl Into<String>) -> Self {
        Self { field: field.to_owned(), detail: detail.into(), is_unknown: false }
    }

    /// Sets the name of the field, or puts it before that of a field of the object in it.
    fn in_field(self, field: &str) -> Self {
        let inner = if self.field.is_empty() { String::new() } else { format!("/{}", self.field) };
        Self { field: format!("{field}{inner}"), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self::of("", detail.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("", format!("it is not {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("", format!("it is not {expected}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(field, MISSING)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        let is_name =
            field.len() <= 40 && field.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        // A misplaced value may be personal, so only a name is repeated.
        let shown = if is_name { field } else { "" };
        let detail = "it is not known; see /docs for what may be said";
        Self { is_unknown: true, ..Self::of(shown, detail) }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let error = Self::field(&fault.field, fault.detail);
        if fault.is_unknown { Self { code: "unknown-field", ..error } } else { error }
    }
}

/// A JSON object with distinct field names. A repeated name is rejected: silently choosing one value would
/// hide the mistake.
#[derive(Debug, Default)]
pub(crate) struct Object(BTreeMap<String, Value>);

impl Object {
    /// Deserializes a request type. A null in a field that the type does not have is ignored.
    ///
    /// # Errors
    /// [`Fault`] for the first field that is not of its form, in the order of the type, and then for a field
    /// that the type does not have.
    pub(crate) fn into_request<T: DeserializeOwned>(self) -> Result<T, Fault> {
        T::deserialize(self)
    }

    /// Removes the fields with these names, in this order.
    fn take(&mut self, names: &'static [&'static str]) -> Vec<(String, Value)> {
        names.iter().filter_map(|name| self.0.remove_entry(*name)).collect()
    }
}

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

impl<'de> Deserializer<'de> for Object {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let given = self.0.into_iter().filter(|(_, value)| !value.is_null());
        visitor.visit_map(NamedFields { fields: given.collect::<Vec<_>>().into_iter(), next: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let known = self.take(names).into_iter();
        let request = visitor.visit_map(NamedFields { fields: known, next: None })?;
        match self.0.iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => Err(Fault::unknown_field(name, names)),
            None => Ok(request),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Fields with their names, which the faults of their values get.
struct NamedFields {
    fields: std::vec::IntoIter<(String, Value)>,
    next: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for NamedFields {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next = self.fields.next();
        let Some((name, _)) = &self.next else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.next.take().expect("serde reads a key before its value");
        seed.deserialize(FieldValue(value)).map_err(|fault| fault.in_field(&name))
    }
}

/// A value of a field.
struct FieldValue(Value);

impl<'de> Deserializer<'de> for FieldValue {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => visitor.visit_i64(number),
                (None, Some(number)) => visitor.visit_u64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(FieldValue)))
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, FieldValue(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
        }
    }

    /// Deserializes a nested object, as [`Object`] does.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Object(fields) => {
                Object(fields.into_iter().collect()).deserialize_struct(name, names, visitor)
            }
            _ => Err(Fault::of("", "it is not an object")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for FieldValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
