//! A write-only JSON tree. Members keep their order, and numbers are kept as text, so that money is
//! never converted to a float.

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// One JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Flag(bool),
    /// Digits exactly as they are written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
}

impl Json {
    /// Appends a member to an object. Values of other types are returned unchanged.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Self>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((name, value.into()));
        }
        self
    }

    /// Appends a member if there is a value for it.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Into<Self>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Returns the value as compact JSON text.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (nth, item) in items.iter().enumerate() {
                    separate(nth, out);
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (nth, (name, value)) in members.iter().enumerate() {
                    separate(nth, out);
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn separate(nth: usize, out: &mut String) {
    if nth > 0 {
        out.push(',');
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("every string has a JSON form"));
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Uuid> for Json {
    fn from(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }
}

/// ISO 8601 in UTC with milliseconds.
impl From<DateTime<Utc>> for Json {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Text(time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

/// Builds an object in JSON-like notation: `object! { "role" => "user", "turn" => 3 }`. Needs
/// [`Json`] in scope.
macro_rules! object {
    ($($name:literal => $value:expr),* $(,)?) => {
        Json::Object(vec![$(($name, Json::from($value))),*])
    };
}
pub(crate) use object;
