//! Rows as the text that `COPY` takes: the fastest way into a table when there is much of it.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Fewer rows than this are not worth a `COPY`.
pub const WORTH_A_COPY: usize = 64;

/// Rows on their way into a table.
#[derive(Default)]
pub struct Rows {
    text: String,
    has_field: bool,
}

impl Rows {
    /// Ends a row.
    pub fn end(&mut self) {
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
        for c in value.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                c => self.text.push(c),
            }
        }
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

    /// Sends them.
    ///
    /// # Errors
    /// The database did not answer, or a row is none of the table's.
    pub async fn send(self, conn: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
        let mut copy = conn.copy_in_raw(statement).await?;
        if let Err(error) = copy.send(self.text.as_bytes()).await {
            copy.abort("the rows could not be sent").await?;
            return Err(error);
        }
        copy.finish().await?;
        Ok(())
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
