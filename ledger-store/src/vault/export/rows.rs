//! Rows in the binary format of PostgreSQL's `copy`, from bytes that arrive in parts.
//!
//! Layout: a signature of 11 bytes, flags and the length of an extension (4 bytes each), then rows:
//! the number of columns (2 bytes) and each column as length (4 bytes, -1 for null) and bytes. A
//! number of columns of -1 ends them.

use super::VaultExportError;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEAD: usize = SIGNATURE.len() + 8;

/// The values of one row; `None` is null.
pub(super) type Row = Vec<Option<Vec<u8>>>;

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct Rows {
    waiting: Vec<u8>,
    is_begun: bool,
    is_ended: bool,
}

/// The bytes are not in this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Rows {
    /// Takes the next bytes, and passes each row that is complete by now to `each`.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Row) -> Result<(), VaultExportError>,
    ) -> Result<Result<(), Malformed>, VaultExportError> {
        self.waiting.extend_from_slice(bytes);
        let mut at = 0;
        if !self.is_begun {
            if self.waiting.len() < HEAD {
                return Ok(Ok(()));
            }
            // No flag is defined that this format would have to follow.
            if !self.waiting.starts_with(SIGNATURE) || self.waiting[11..HEAD] != [0; 8] {
                return Ok(Err(Malformed));
            }
            self.is_begun = true;
            at = HEAD;
        }
        while let Some(part) = row(&self.waiting[at..]) {
            match part {
                Ok(_) if self.is_ended => return Ok(Err(Malformed)),
                Ok((Some(row), len)) => {
                    at += len;
                    each(row)?;
                }
                Ok((None, len)) => {
                    at += len;
                    self.is_ended = true;
                }
                Err(malformed) => return Ok(Err(malformed)),
            }
        }
        self.waiting.drain(..at);
        Ok(Ok(()))
    }

    /// Whether all rows were complete, with the mark of their end.
    pub(super) fn is_complete(&self) -> bool {
        self.is_ended && self.waiting.is_empty()
    }
}

/// The row at the begin of `bytes` with its length; `None` as a row is the mark of the end. `None`
/// when bytes are missing.
fn row(bytes: &[u8]) -> Option<Result<(Option<Row>, usize), Malformed>> {
    let (columns, _) = bytes.split_first_chunk::<2>()?;
    let columns = match i16::from_be_bytes(*columns) {
        -1 => return Some(Ok((None, 2))),
        columns => match usize::try_from(columns) {
            Ok(columns) => columns,
            Err(_) => return Some(Err(Malformed)),
        },
    };
    let mut at = 2;
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        let (len, rest) = bytes[at..].split_first_chunk::<4>()?;
        at += 4;
        match i32::from_be_bytes(*len) {
            -1 => row.push(None),
            len => {
                let Ok(len) = usize::try_from(len) else { return Some(Err(Malformed)) };
                row.push(Some(rest.get(..len)?.to_vec()));
                at += len;
            }
        }
    }
    Some(Ok((Some(row), at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(rows: &[Row]) -> Vec<u8> {
        let mut bytes = [SIGNATURE.as_slice(), &[0; 8]].concat();
        for row in rows {
            bytes.extend(i16::try_from(row.len()).unwrap().to_be_bytes());
            for value in row {
                match value {
                    None => bytes.extend((-1_i32).to_be_bytes()),
                    Some(value) => {
                        bytes.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                        bytes.extend(value);
                    }
                }
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    fn decoded(parts: &[&[u8]]) -> Result<Vec<Row>, Malformed> {
        let (mut rows, mut found) = (Rows::default(), Vec::new());
        for part in parts {
            let taken = rows.take(part, |row| {
                found.push(row);
                Ok(())
            });
            taken.expect("nothing else fails")?;
        }
        if rows.is_complete() { Ok(found) } else { Err(Malformed) }
    }

    #[test]
    fn rows_are_the_same_however_their_bytes_are_divided() {
        let rows = vec![vec![Some(vec![1, 2]), None], vec![Some(vec![]), Some(vec![255; 300])]];
        let bytes = encoded(&rows);
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert_eq!(decoded(&[before, after]), Ok(rows.clone()), "divided at {at}");
        }
    }

    #[test]
    fn rows_that_end_early_or_go_on_are_refused() {
        let bytes = encoded(&[vec![Some(vec![1, 2, 3])]]);
        for len in 0..bytes.len() {
            assert_eq!(decoded(&[&bytes[..len]]), Err(Malformed), "cut at {len}");
        }
        assert_eq!(decoded(&[&bytes, &[0, 0]]), Err(Malformed), "a row after the end");
        let mut negative = bytes.clone();
        negative[HEAD + 2..HEAD + 6].copy_from_slice(&(-2_i32).to_be_bytes());
        assert_eq!(decoded(&[&negative]), Err(Malformed));
    }
}
