//! Pages that end by rows and by bytes, so that what a reader holds is bounded whatever the rows are.

use futures_util::{Stream, TryStreamExt};

/// How large a page may be. One that begins with a larger row holds that row alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    /// Rows.
    pub rows: usize,
    /// Bytes in them.
    pub bytes: usize,
}

impl PageSize {
    /// How many rows to ask for: one more, which tells whether the page is the last.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX).saturating_add(1)
    }
}

/// Some rows, and whether there are more after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether the page ended before the rows did.
    pub has_more: bool,
}

/// Takes rows as they arrive until the page is full.
///
/// # Errors
/// As the rows have them.
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
