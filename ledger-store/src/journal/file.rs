//! File operations of the journal, in the calling thread.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use ledger_core::event::HexDigest;
use ledger_core::ids::{ErasureId, TenantId};
use ledger_core::note::NoteKey;

use super::reader::{Entries, Place};
use super::{Journal, JournalEntry, JournalError, JournalHead, JournaledErasure, line};

/// What was verified of a file.
#[derive(Default)]
pub(super) struct Known {
    /// The file as it was after the last look.
    seen: Option<Seen>,
    end: Place,
    /// Begin and digest of each line.
    lines: Vec<(u64, HexDigest)>,
    entries: HashMap<(TenantId, ErasureId), u64>,
    /// Whether a torn line was reported, which is done once.
    is_torn: bool,
}

/// What tells that a file was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    inode: (u64, u64),
    len: u64,
    modified: (i64, i64),
}

impl Seen {
    fn of(file: &File) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            inode: (meta.dev(), meta.ino()),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

impl Known {
    pub(super) fn head(&self) -> Option<JournalHead> {
        let Place { entry, digest, .. } = self.end;
        (entry > 0).then_some(JournalHead { entry, digest })
    }

    pub(super) fn entry_of(&self, tenant_id: TenantId, erasure_id: ErasureId) -> Option<u64> {
        self.entries.get(&(tenant_id, erasure_id)).copied()
    }

    pub(super) fn digests(&self) -> Vec<HexDigest> {
        self.lines.iter().map(|(_, digest)| *digest).collect()
    }

    fn add(&mut self, entry: &JournalEntry, end: Place) {
        let erasure = &entry.erasure;
        self.entries.insert((erasure.tenant_id, erasure.erasure_id()), entry.entry);
        self.lines.push((self.end.offset, entry.digest));
        self.end = end;
    }

    /// The place before an entry.
    fn before(&self, entry: u64) -> Place {
        let nth = usize::try_from(entry - 1).expect("a line in memory");
        let digest = nth.checked_sub(1).map_or(HexDigest([0; 32]), |last| self.lines[last].1);
        Place { offset: self.lines[nth].0, entry: entry - 1, digest }
    }
}

impl Journal {
    fn io(&self) -> impl Fn(std::io::Error) -> JournalError {
        let path = self.path();
        move |source| JournalError::Io { path: path.clone(), source }
    }

    /// Verifies what was added since the last look; everything if the file was replaced, cut or
    /// written in place.
    pub(super) fn look(&self, known: &mut Known) -> Result<(), JournalError> {
        match File::open(self.path()) {
            Ok(file) => self.verify(&file, known),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                *known = Known::default();
                Ok(())
            }
            Err(error) => Err(self.io()(error)),
        }
    }

    fn verify(&self, file: &File, known: &mut Known) -> Result<(), JournalError> {
        let io = self.io();
        let seen = Seen::of(file).map_err(&io)?;
        match known.seen {
            Some(before) if before == seen => return Ok(()),
            Some(before) if before.inode == seen.inode && before.len < seen.len => {}
            _ => *known = Known::default(),
        }
        // Until all lines are verified, the next look verifies them again.
        known.seen = None;
        if seen.len > 0 {
            let key = self.signing().key()?.note_key().clone();
            let file = file.try_clone().map_err(&io)?;
            let mut entries = Entries::open(file, self.path(), key, known.end).map_err(&io)?;
            while let Some(entry) = entries.next() {
                known.add(&entry?, entries.place());
            }
            if entries.is_torn() && !known.is_torn {
                let path = self.path();
                tracing::warn!(path = %path.display(), line = known.end.entry + 1, "journal.torn_line");
            }
            known.is_torn = entries.is_torn();
        }
        known.seen = Some(seen);
        Ok(())
    }

    pub(super) fn open_entries(&self, place: Place) -> Result<Option<Entries>, JournalError> {
        if !self.has_lines() {
            return Ok(None);
        }
        let key = self.signing().key()?.note_key().clone();
        self.open_with(key, place)
    }

    pub(super) fn open_with(
        &self,
        key: NoteKey,
        place: Place,
    ) -> Result<Option<Entries>, JournalError> {
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io()(error)),
        };
        Entries::open(file, self.path(), key, place).map(Some).map_err(self.io())
    }

    /// Reads a verified entry again, by its number.
    pub(super) fn read_at(&self, known: &Known, entry: u64) -> Result<JournalEntry, JournalError> {
        let gone = || self.io()(std::io::Error::other("it was changed while it was read"));
        let entries = self.open_entries(known.before(entry))?;
        entries.ok_or_else(gone)?.next().ok_or_else(gone)?
    }

    pub(super) fn append_now(
        &self,
        erasure: &JournaledErasure,
    ) -> Result<JournalEntry, JournalError> {
        let io = self.io();
        let mut known = self.lock();
        let key = self.signing().key()?;
        let (mut file, dir) = self.open_to_write().map_err(&io)?;
        // The file is unlocked when it is closed, also by the end of the process.
        file.lock().map_err(&io)?;
        self.verify(&file, &mut known)?;
        let (found, applied) = (known.end.entry, self.applied());
        if found < applied {
            return Err(JournalError::Behind { path: self.path(), found, applied });
        }
        let journaled = known.entry_of(erasure.tenant_id, erasure.erasure_id());
        if let Some(entry) = journaled {
            // The process that wrote it may have ended before it was durable.
            sync(&file, &dir, entry).map_err(&io)?;
            return self.read_at(&known, entry);
        }
        let Place { offset, entry, digest } = known.end;
        let line = line::write(erasure, entry + 1, digest, &key)? + "\n";
        let written = file
            .set_len(offset)
            .and_then(|()| file.seek(SeekFrom::Start(offset)).map(drop))
            .and_then(|()| file.write_all(line.as_bytes()))
            .and_then(|()| sync(&file, &dir, entry + 1));
        if let Err(error) = written {
            // What was written of the line is removed; if that fails too, the next append does it.
            let _ = file.set_len(offset).and_then(|()| file.sync_all());
            return Err(io(error));
        }
        self.verify(&file, &mut known)?;
        self.read_at(&known, entry + 1)
    }

    /// Opens the file, and its directory, after creating what is missing.
    fn open_to_write(&self) -> std::io::Result<(File, File)> {
        let dir = self.directory();
        if !dir.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
        }
        let path = self.path();
        if fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok((file, File::open(dir)?))
    }
}

/// Makes the file durable, and its name in the directory with the first entry.
fn sync(file: &File, dir: &File, entry: u64) -> std::io::Result<()> {
    file.sync_all()?;
    if entry == 1 { dir.sync_all() } else { Ok(()) }
}
