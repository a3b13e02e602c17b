//! Encodes rows as text for `COPY`, the fastest way to write many rows.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::panic_guard::catch_panic_sync;
use crate::projector::ProjectError;

/// Minimum number of rows for which `COPY` is used instead of statements.
pub const MIN_COPY_ROWS: usize = 64;

/// Bytes per message, so that the database reads rows while the next ones are encoded.
const CHUNK_BYTES: usize = 64 << 10;

/// Writes one row per item into a table; `statement` is a `copy ... from stdin`. If `write` panics,
/// the `COPY` is aborted properly, so the connection stays usable.
///
/// # Errors
/// Fails if the database does not answer or rejects a row. [`ProjectError::Poison`] if `write`
/// panics.
pub async fn copy_in<T>(
    conn: &mut PgConnection,
    statement: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut RowText),
) -> Result<(), ProjectError> {
    let mut copy = conn.copy_in_raw(statement).await?;
    let mut row = RowText::default();
    for item in items {
        if let Err(panic) = catch_panic_sync(|| write(item, &mut row)) {
            copy.abort("a row cannot be written").await?;
            return Err(ProjectError::Poison(format!("the projector panicked: {panic}")));
        }
        row.end();
        if row.text.len() >= CHUNK_BYTES {
            copy.send(row.text.as_bytes()).await?;
            row.text.clear();
        }
    }
    copy.send(row.text.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// Builds a row for `COPY`, field by field, in column order.
#[derive(Default)]
pub struct RowText {
    text: String,
    has_field: bool,
}

impl RowText {
    /// Returns the encoded row, to be written later by [`RowText::whole`].
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Appends all fields of an encoded row.
    pub fn whole(&mut self, row: &str) {
        self.text.push_str(row);
        self.has_field = true;
    }

    fn end(&mut self) {
        self.text.push('\n');
        self.has_field = false;
    }

    fn begin_field(&mut self) {
        if self.has_field {
            self.text.push('\t');
        }
        self.has_field = true;
    }

    /// Appends a text field, or null.
    pub fn text(&mut self, value: Option<&str>) {
        self.begin_field();
        let Some(value) = value else { return self.text.push_str("\\N") };
        // The fold has no early exit, so the compiler can vectorize it; special characters are
        // rare.
        let is_special = |byte: u8| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r');
        if !value.bytes().fold(false, |found, byte| found | is_special(byte)) {
            return self.text.push_str(value);
        }
        let mut plain = 0;
        for (at, byte) in value.bytes().enumerate() {
            let escaped = match byte {
                b'\\' => "\\\\",
                b'\t' => "\\t",
                b'\n' => "\\n",
                b'\r' => "\\r",
                _ => continue,
            };
            self.text.push_str(&value[plain..at]);
            self.text.push_str(escaped);
            plain = at + 1;
        }
        self.text.push_str(&value[plain..]);
    }

    /// Appends a value whose text never contains a special character of `COPY` (numbers, ids,
    /// booleans), or null.
    pub fn plain(&mut self, value: Option<impl std::fmt::Display>) {
        self.begin_field();
        match value {
            Some(value) => write!(self.text, "{value}").expect("a string takes all"),
            None => self.text.push_str("\\N"),
        }
    }

    /// Appends a timestamp field, or null.
    pub fn time(&mut self, value: Option<DateTime<Utc>>) {
        // The format serde uses, so that both write modes accept the same values.
        self.plain(value.map(|at| format!("{at:?}")));
    }

    /// Appends an array of texts.
    pub fn texts<T: AsRef<str>>(&mut self, values: &[T]) {
        self.text(Some(&array_of_texts(values)));
    }

    /// Appends an array of numbers.
    pub fn numbers<T: std::fmt::Display>(&mut self, values: impl Iterator<Item = T>) {
        self.text(Some(&array_of_numbers(values)));
    }
}

/// Formats an array literal of texts for PostgreSQL.
#[must_use]
pub fn array_of_texts<T: AsRef<str>>(values: &[T]) -> String {
    let quote =
        |value: &T| format!("\"{}\"", value.as_ref().replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", values.iter().map(quote).collect::<Vec<_>>().join(","))
}

/// Formats an array literal of numbers for PostgreSQL.
#[must_use]
pub fn array_of_numbers<T: std::fmt::Display>(values: impl Iterator<Item = T>) -> String {
    format!("{{{}}}", values.map(|value| value.to_string()).collect::<Vec<_>>().join(","))
}

/// Formats bytes as a hexadecimal `bytea` literal.
pub(crate) fn bytea(bytes: &[u8]) -> String {
    let mut text = vec![b'\\', b'x'];
    text.resize(2 + 2 * bytes.len(), 0);
    hex::encode_to_slice(bytes, &mut text[2..]).expect("two digits a byte");
    String::from_utf8(text).expect("digits are ASCII")
}
