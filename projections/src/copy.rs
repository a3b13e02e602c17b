//! Rows as the text that `COPY` takes: the fastest way into a table when there is much of it.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::caught::caught_now;
use crate::projector::ProjectError;

/// Fewer rows than this are not worth a `COPY`.
pub const WORTH_A_COPY: usize = 64;

/// This much is sent at once, so that the database takes in rows while the next ones are written.
const SENT_AT_ONCE: usize = 64 << 10;

/// Writes a row for each item into a table; `statement` is a `copy ... from stdin`. A row that panics
/// ends it all, without leaving the connection in the middle of it.
///
/// # Errors
/// The database did not answer, or a row is none of the table's; [`ProjectError::Poison`]: a panic.
pub async fn copy_in<T>(
    conn: &mut PgConnection,
    statement: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut RowText),
) -> Result<(), ProjectError> {
    let mut copy = conn.copy_in_raw(statement).await?;
    let mut row = RowText::default();
    for item in items {
        if let Err(panic) = caught_now(|| write(item, &mut row)) {
            copy.abort("a row cannot be written").await?;
            return Err(ProjectError::Poison(format!("the projector panicked: {panic}")));
        }
        row.end();
        if row.text.len() >= SENT_AT_ONCE {
            copy.send(row.text.as_bytes()).await?;
            row.text.clear();
        }
    }
    copy.send(row.text.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// A row as `COPY` takes it, field by field.
#[derive(Default)]
pub struct RowText {
    text: String,
    has_field: bool,
}

impl RowText {
    /// The row itself, to be written later.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// All fields of a row.
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

    /// A text, or null.
    pub fn text(&mut self, value: Option<&str>) {
        self.begin_field();
        let Some(value) = value else { return self.text.push_str("\\N") };
        // Without a way out of the loop, so that it looks at many bytes at once: hardly any text has one.
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

    /// What is written without any of the characters that mean something here, or null: numbers, ids,
    /// booleans.
    pub fn plain(&mut self, value: Option<impl std::fmt::Display>) {
        self.begin_field();
        match value {
            Some(value) => write!(self.text, "{value}").expect("a string takes all"),
            None => self.text.push_str("\\N"),
        }
    }

    /// A time, or null.
    pub fn time(&mut self, value: Option<DateTime<Utc>>) {
        // As serde writes it, so that what one way refuses the other does, too.
        self.plain(value.map(|at| format!("{at:?}")));
    }

    /// An array of texts.
    pub fn texts<T: AsRef<str>>(&mut self, values: &[T]) {
        self.text(Some(&array_of_texts(values)));
    }

    /// An array of numbers.
    pub fn numbers<T: std::fmt::Display>(&mut self, values: impl Iterator<Item = T>) {
        self.text(Some(&array_of_numbers(values)));
    }
}

/// An array of texts as PostgreSQL reads it.
#[must_use]
pub fn array_of_texts<T: AsRef<str>>(values: &[T]) -> String {
    let quote =
        |value: &T| format!("\"{}\"", value.as_ref().replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", values.iter().map(quote).collect::<Vec<_>>().join(","))
}

/// An array of numbers as PostgreSQL reads it.
#[must_use]
pub fn array_of_numbers<T: std::fmt::Display>(values: impl Iterator<Item = T>) -> String {
    format!("{{{}}}", values.map(|value| value.to_string()).collect::<Vec<_>>().join(","))
}
