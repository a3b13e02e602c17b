//! Pages that are limited by rows and by bytes, so that a reader's memory is bounded for rows of
//! any size.

use futures_util::{Stream, TryStreamExt};

/// Maximum size of a page. A first row larger than `bytes` is returned as a page of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    /// Maximum number of rows.
    pub rows: usize,
    /// Maximum sum of the rows' sizes in bytes.
    pub bytes: usize,
}

impl PageSize {
    /// Returns the number of rows to query: one more than the page holds, to detect whether it is
    /// the last page.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX).saturating_add(1)
    }
}

/// Rows of one page, and whether more rows follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the order of the query.
    pub rows: Vec<T>,
    /// Whether rows follow that did not fit.
    pub has_more: bool,
}

/// Collects rows as they arrive until the page is full.
///
/// # Errors
/// Those of the stream of rows.
pub async fn page_of<T, E>(
    mut rows: impl Stream<Item = Result<T, E>> + Unpin,
    size: PageSize,
    weight: impl Fn(&T) -> usize,
) -> Result<Page<T>, E> {
    let (mut page, mut left) = (Vec::new(), size.bytes);
    while let Some(row) = rows.try_next().await? {
        let bytes = weight(&row);
        if page.len() >= size.rows || (bytes > left && !page.is_empty()) {
            return Ok(Page { rows: page, has_more: true });
        }
        left = left.saturating_sub(bytes);
        page.push(row);
    }
    Ok(Page { rows: page, has_more: false })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    async fn page(rows: &[usize], size: PageSize) -> (usize, bool) {
        let rows = stream::iter(rows.iter().map(|row| Ok::<_, Infallible>(*row)));
        let Ok(page) = page_of(rows, size, |row| *row).await;
        (page.rows.len(), page.has_more)
    }

    #[tokio::test]
    async fn a_page_ends_by_rows_or_by_bytes_and_holds_one_row_at_least() {
        let size = PageSize { rows: 3, bytes: 10 };
        assert_eq!(page(&[], size).await, (0, false));
        assert_eq!(page(&[1, 1, 1], size).await, (3, false));
        assert_eq!(page(&[1, 1, 1, 1], size).await, (3, true));
        assert_eq!(page(&[5, 5], size).await, (2, false));
        assert_eq!(page(&[5, 6], size).await, (1, true));
        assert_eq!(page(&[50, 1], size).await, (1, true));
    }
}
