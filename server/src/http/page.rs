//! Pages of a list: the parameters `limit` and `cursor`, and the cursor of the next page.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cursor::{decode_cursor, encode_cursor};
use super::params::Params;
use crate::problem::ApiError;

/// The number of rows of a page, 1 to 200.
#[derive(Debug, Clone, Copy)]
pub struct PageLimit(i64);

impl PageLimit {
    /// The number of rows of the page.
    #[must_use]
    pub fn rows(self) -> usize {
        usize::try_from(self.0).expect("at most 200")
    }

    /// The number of rows to read: one more than the page has, to know whether another page follows.
    #[must_use]
    pub const fn rows_to_read(self) -> i64 {
        self.0 + 1
    }

    /// Removes the row that is beyond the page. Returns the cursor of the next page, from the last row that is left;
    /// `None` on the last page.
    pub fn cut<T, C: Serialize>(
        self,
        rows: &mut Vec<T>,
        cursor_of: impl Fn(&T) -> C,
    ) -> Option<String> {
        let has_more = rows.len() > self.rows();
        rows.truncate(self.rows());
        next_cursor(rows, has_more, cursor_of)
    }
}

/// Removes `limit` and `cursor` from the parameters. Returns the limit, and the row after which the page
/// begins.
///
/// # Errors
/// 400 for a limit outside its range, and for a cursor that this server did not issue.
pub fn page_params<C: Serialize + DeserializeOwned>(
    params: &mut Params,
    is_possible: impl Fn(&C) -> bool,
) -> Result<(PageLimit, Option<C>), ApiError> {
    let limit = PageLimit(params.limit()?);
    let cursor = params.optional("cursor")?;
    let after = cursor.map(|cursor| decode_cursor(&cursor, is_possible)).transpose()?;
    Ok((limit, after))
}

/// The cursor of the next page, from the last row of this one; `None` on the last page.
pub fn next_cursor<T, C: Serialize>(
    rows: &[T],
    has_more: bool,
    cursor_of: impl Fn(&T) -> C,
) -> Option<String> {
    rows.last().filter(|_| has_more).map(|last| encode_cursor(&cursor_of(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_cursor_exactly_if_another_row_follows() {
        for (read, cursor) in [(0, None), (2, None), (3, Some(encode_cursor(&1)))] {
            let mut rows: Vec<i64> = (0..read).collect();
            assert_eq!(PageLimit(2).cut(&mut rows, |last| *last), cursor, "{read} rows");
            assert!(rows.len() <= 2);
        }
    }
}
