//! The file of an export: frames, each a kind (1 byte), a length (4 bytes, big-endian) and contents.
//!
//! | Kind | Contents |
//! |---|---|
//! | `H` | the [`Head`], as JSON; once, first |
//! | `T` | the [`TableHead`] of the table whose rows follow, as JSON |
//! | `R` | rows in the binary format of PostgreSQL's `copy`, divided anywhere |
//! | `Z` | SHA-256 of everything before; once, last |

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::VaultExportError;

const MAGIC: &[u8; 8] = b"CLVAULT1";
/// Contents of a frame: limits the memory of a reader, whatever the file states.
const MAX_FRAME: usize = 1 << 20;
const BUFFER: usize = 1 << 18;
/// End of the name of a file that is being written.
const UNFINISHED: &str = ".export.tmp";

/// What an export says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The format, 1.
    pub(super) format: u32,
    /// Time of the snapshot.
    pub(super) created_at: DateTime<Utc>,
}

/// The table of the following rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableHead {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: u64,
}

/// A frame of an export.
#[derive(Debug)]
pub(super) enum Frame {
    Head(Head),
    Table(TableHead),
    Rows(Vec<u8>),
}

/// Size and SHA-256 of a complete file.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Writes a file under a temporary name.
pub(super) struct Writer {
    path: PathBuf,
    unfinished: PathBuf,
    file: BufWriter<File>,
    digest: digest::Context,
    bytes: u64,
}

impl Writer {
    /// Creates the file with mode 0600, and its directory with mode 0700 if that is missing.
    pub(super) fn create(path: PathBuf) -> Result<Self, VaultExportError> {
        let dir = dir_of(&path).to_owned();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(VaultExportError::io("create", &dir))?;
        let unfinished = path.with_extension("export.tmp");
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(VaultExportError::io("create", &unfinished))?;
        let mut writer = Self {
            path,
            unfinished,
            file: BufWriter::with_capacity(BUFFER, file),
            digest: digest::Context::new(&digest::SHA256),
            bytes: 0,
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), VaultExportError> {
        match frame {
            Frame::Head(head) => self.frame(b'H', &json(head)),
            Frame::Table(table) => self.frame(b'T', &json(table)),
            Frame::Rows(rows) => {
                rows.chunks(MAX_FRAME).try_for_each(|chunk| self.frame(b'R', chunk))
            }
        }
    }

    /// Writes the checksum, makes the file durable and gives it its name.
    pub(super) fn finish(mut self) -> Result<Written, VaultExportError> {
        let checksum = self.digest.clone().finish();
        self.frame(b'Z', checksum.as_ref())?;
        let failed = VaultExportError::io("write", &self.unfinished);
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(failed)?;
        fs::rename(&self.unfinished, &self.path)
            .map_err(VaultExportError::io("rename", &self.unfinished))?;
        sync_dir(dir_of(&self.path))?;
        Ok(Written { bytes: self.bytes, sha256: hex::encode(self.digest.clone().finish()) })
    }

    fn frame(&mut self, kind: u8, contents: &[u8]) -> Result<(), VaultExportError> {
        let len = u32::try_from(contents.len()).expect("frames are at most MAX_FRAME");
        self.put(&[kind])?;
        self.put(&len.to_be_bytes())?;
        self.put(contents)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), VaultExportError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(VaultExportError::io("write", &self.unfinished))
    }
}

impl Drop for Writer {
    /// Removes a file that was not finished; after a rename there is none.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// Reads a file frame by frame.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    digest: digest::Context,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, VaultExportError> {
        let file = File::open(path).map_err(VaultExportError::io("read", path))?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(BUFFER, file),
            digest: digest::Context::new(&digest::SHA256),
        };
        let mut magic = [0; 8];
        reader.take(&mut magic)?;
        reader.digest.update(&magic);
        if magic != *MAGIC {
            return Err(reader.damaged("it does not begin like one"));
        }
        Ok(reader)
    }

    /// The next frame; `None` after the last one, when the checksum is right and nothing follows.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, VaultExportError> {
        let mut head = [0; 5];
        self.take(&mut head)?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if len > MAX_FRAME {
            return Err(self.damaged("a frame is longer than any that is written"));
        }
        let mut contents = vec![0; len];
        self.take(&mut contents)?;
        if head[0] == b'Z' {
            let checksum = self.digest.clone().finish();
            if checksum.as_ref() != contents {
                return Err(self.damaged("its checksum is another one"));
            }
            let more =
                self.file.read(&mut head).map_err(VaultExportError::io("read", &self.path))?;
            return if more == 0 { Ok(None) } else { Err(self.damaged("bytes follow its end")) };
        }
        self.digest.update(&head);
        self.digest.update(&contents);
        match head[0] {
            b'H' => Ok(Some(Frame::Head(self.json(&contents)?))),
            b'T' => Ok(Some(Frame::Table(self.json(&contents)?))),
            b'R' => Ok(Some(Frame::Rows(contents))),
            _ => Err(self.damaged("a frame has an unknown kind")),
        }
    }

    pub(super) fn damaged(&self, what: &str) -> VaultExportError {
        VaultExportError::damaged(&self.path, what)
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, contents: &[u8]) -> Result<T, VaultExportError> {
        serde_json::from_slice(contents).map_err(|_| self.damaged("a frame is not readable"))
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<(), VaultExportError> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => VaultExportError::io("read", &self.path)(error),
        })
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers")
}

/// Flushes a directory, so that its entries survive a crash of the machine.
pub(super) fn sync_dir(dir: &Path) -> Result<(), VaultExportError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(VaultExportError::io("flush", dir))
}

/// Removes what interrupted exports left in a directory. Call it while none is written.
pub(super) fn remove_unfinished(dir: &Path) -> Result<(), VaultExportError> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_unfinished = name.to_str().is_some_and(|name| name.ends_with(UNFINISHED));
        if is_unfinished {
            let path = entry.path();
            fs::remove_file(&path).map_err(VaultExportError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn dir_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
