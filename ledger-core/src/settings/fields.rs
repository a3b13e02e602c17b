//! Strict reading of JSON values: every fault names its field by a JSON pointer without the first
//! `/`, and never the value.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::invalid::InvalidSetting;
use crate::text::check_line;

/// A JSON object whose fields are taken one by one.
pub(crate) struct Fields {
    path: String,
    fields: BTreeMap<String, Value>,
}

/// A value and its place.
pub(crate) struct Field {
    path: String,
    value: Value,
}

impl Fields {
    /// The object at the top.
    pub(crate) fn root(fields: BTreeMap<String, Value>) -> Self {
        Self { path: String::new(), fields }
    }

    /// Takes a field; `None` if it is absent or null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Field> {
        let value = self.fields.remove(name).filter(|value| !value.is_null())?;
        Some(Field { path: join(&self.path, name), value })
    }

    /// Takes a field that must be there.
    pub(crate) fn require(&mut self, name: &str) -> Result<Field, InvalidSetting> {
        let path = join(&self.path, name);
        self.take(name).ok_or_else(|| invalid(path, "it is missing"))
    }

    /// Rejects remaining fields. The name is repeated only if it looks like one.
    pub(crate) fn finish(self) -> Result<(), InvalidSetting> {
        let Some(name) = self.fields.into_keys().next() else { return Ok(()) };
        let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let field = if is_name { join(&self.path, &name) } else { self.path };
        let detail = "the setting has no such field".to_owned();
        Err(InvalidSetting { field, detail, is_unknown: true })
    }
}

impl Field {
    /// The fault of this field.
    pub(crate) fn invalid(&self, detail: impl Into<String>) -> InvalidSetting {
        invalid(self.path.clone(), detail)
    }

    /// Reads an object.
    pub(crate) fn object(self) -> Result<Fields, InvalidSetting> {
        match self.value {
            Value::Object(fields) => {
                Ok(Fields { path: self.path, fields: fields.into_iter().collect() })
            }
            _ => Err(invalid(self.path, "it is not an object")),
        }
    }

    /// Reads a list with at most `max` entries.
    pub(crate) fn list(self, max: usize) -> Result<Vec<Self>, InvalidSetting> {
        let Value::Array(entries) = self.value else {
            return Err(invalid(self.path, "it is not a list"));
        };
        if entries.len() > max {
            return Err(invalid(self.path, format!("it has more than {max} entries")));
        }
        let entry = |(nth, value): (usize, Value)| {
            let path = join(&self.path, &nth.to_string());
            Self { path, value }
        };
        Ok(entries.into_iter().enumerate().map(entry).collect())
    }

    /// Reads a whole number in a range.
    pub(crate) fn whole(&self, range: RangeInclusive<u32>) -> Result<u32, InvalidSetting> {
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let (from, to) = range.into_inner();
            self.invalid(format!("it is not a whole number from {from} to {to}"))
        })
    }

    /// Reads an integer in a range.
    pub(crate) fn signed(&self, range: RangeInclusive<i64>) -> Result<i64, InvalidSetting> {
        let number = self.value.as_i64().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (from, to) = range.into_inner();
            self.invalid(format!("it is not a whole number from {from} to {to}"))
        })
    }

    /// Reads an object with names of its own, at most `max`, as its fields without null. Faults name the
    /// object: a name may be anything.
    pub(crate) fn entries(self, max: usize) -> Result<Vec<(String, Self)>, InvalidSetting> {
        let Value::Object(fields) = self.value else {
            return Err(invalid(self.path, "it is not an object"));
        };
        if fields.len() > max {
            return Err(invalid(self.path, format!("it has more than {max} entries")));
        }
        let path = &self.path;
        let given = fields.into_iter().filter(|(_, value)| !value.is_null());
        Ok(given.map(|(name, value)| (name, Self { path: path.clone(), value })).collect())
    }

    /// The value as a 64-bit integer, if it is one.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&self) -> Result<bool, InvalidSetting> {
        self.value.as_bool().ok_or_else(|| self.invalid("it is not true or false"))
    }

    /// Reads a text of one line with 1 to `max` characters, without the blanks around it.
    pub(crate) fn text(&self, max: usize) -> Result<String, InvalidSetting> {
        let text = self.value.as_str().ok_or_else(|| self.invalid("it is not a text"))?;
        check_line(text, max).map_err(|fault| self.invalid(fault.to_string()))?;
        Ok(text.trim().to_owned())
    }

    /// Reads a text that `parse` accepts.
    pub(crate) fn parse<T>(
        &self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, InvalidSetting> {
        let parsed = self.value.as_str().and_then(parse);
        parsed.ok_or_else(|| self.invalid(format!("it is not {expected}")))
    }
}

fn invalid(field: String, detail: impl Into<String>) -> InvalidSetting {
    InvalidSetting { field, detail: detail.into(), is_unknown: false }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
