//! Reads a journal line by line and verifies each one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use ledger_core::event::HexDigest;
use ledger_core::note::NoteKey;

use super::{JournalEntry, JournalError, line};

/// Longest line that is read, in bytes: about 300,000 keys.
const MAX_LINE: u64 = 64 << 20;

/// How far a journal was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes of the verified lines.
    pub(super) offset: u64,
    /// Number of the last line; 0 before the first one.
    pub(super) entry: u64,
    /// Digest of the last line; zero before the first one.
    pub(super) digest: HexDigest,
}

impl Default for Place {
    fn default() -> Self {
        Self { offset: 0, entry: 0, digest: HexDigest([0; 32]) }
    }
}

/// The entries of a journal from a place on. Ends with an error at the first line that is not
/// valid, and without one before a torn last line.
pub struct Entries {
    file: BufReader<File>,
    path: PathBuf,
    key: NoteKey,
    place: Place,
    torn: bool,
    ended: bool,
}

impl Entries {
    pub(super) fn open(
        mut file: File,
        path: PathBuf,
        key: NoteKey,
        place: Place,
    ) -> std::io::Result<Self> {
        file.seek(SeekFrom::Start(place.offset))?;
        Ok(Self { file: BufReader::new(file), path, key, place, torn: false, ended: false })
    }

    /// The end of the lines that were read.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether a torn line follows the last one: a write that was not completed, and not
    /// acknowledged.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    fn read(&mut self) -> Result<Option<JournalEntry>, JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(io)?;
        if read == 0 {
            return Ok(None);
        }
        let nth = self.place.entry + 1;
        let invalid = |reason| JournalError::Invalid { path: self.path.clone(), line: nth, reason };
        let is_last = self.file.fill_buf().map_err(io)?.is_empty();
        let Some(text) = bytes.strip_suffix(b"\n") else {
            self.torn = is_last;
            return if is_last { Ok(None) } else { Err(invalid("it is too long")) };
        };
        // After a loss of power, blocks that were not written are zero.
        if is_last && text.contains(&0) {
            self.torn = true;
            return Ok(None);
        }
        let text = std::str::from_utf8(text).map_err(|_| invalid("it is not UTF-8"))?;
        let entry =
            line::read(text, (self.place.entry, self.place.digest), &self.key).map_err(invalid)?;
        self.place = Place {
            offset: self.place.offset + read as u64,
            entry: entry.entry,
            digest: entry.digest,
        };
        Ok(Some(entry))
    }
}

impl Iterator for Entries {
    type Item = Result<JournalEntry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        read
    }
}
