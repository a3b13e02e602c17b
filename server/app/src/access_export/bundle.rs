//! The file of an export: a zip with a manifest, encrypted as it is written.
//!
//! Compression, encryption and disk are on a thread that may block. Its queue is bounded, so the
//! reader of the log waits for the disk, and memory does not grow with the export.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use ledger_core::event::HexDigest;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::age::Encryptor;
use super::passphrase::Passphrase;

/// Number of pieces that wait for the disk. A piece is at most a section of an event.
const QUEUE: usize = 8;

/// The name of the manifest in the zip.
pub(super) const MANIFEST: &str = "manifest.json";

/// What the writer is told, in order.
enum Piece {
    /// A file begins, and the one before it ends.
    File(String),
    /// Bytes of the file.
    Bytes(Vec<u8>),
    /// The export is complete.
    End,
}

/// A finished file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Size of the encrypted file.
    pub(super) bytes: u64,
    /// SHA-256 of the manifest.
    pub(super) digest: HexDigest,
}

/// The writer of an export. Dropping it without [`Bundle::finish`] leaves no file.
pub(super) struct Bundle {
    pieces: mpsc::Sender<Piece>,
    writer: JoinHandle<io::Result<Written>>,
}

/// The digests of the files, with the export that they belong to.
#[derive(Serialize)]
struct Manifest<'a> {
    manifest_version: u32,
    export_id: Uuid,
    files: &'a [ManifestFile],
}

#[derive(Serialize)]
struct ManifestFile {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Bundle {
    /// Begins the file at `path`, which is there only once it is complete.
    pub(super) fn begin(path: PathBuf, export_id: Uuid, passphrase: Passphrase) -> Self {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let writer = tokio::task::spawn_blocking(move || {
            let part = path.with_extension("part");
            let written = write(&part, &path, export_id, &passphrase, queue);
            if written.is_err() {
                // A part that stays is deleted with the expired files.
                let _ = fs::remove_file(&part);
            }
            written
        });
        Self { pieces, writer }
    }

    /// Begins a file of the zip.
    pub(super) async fn file(&self, name: impl Into<String>) -> io::Result<()> {
        self.send(Piece::File(name.into())).await
    }

    /// Adds bytes to the file.
    pub(super) async fn write(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.send(Piece::Bytes(bytes)).await
    }

    async fn send(&self, piece: Piece) -> io::Result<()> {
        self.pieces.send(piece).await.map_err(|_| io::Error::other("the writer has ended"))
    }

    /// Writes the manifest and ends the file.
    pub(super) async fn finish(self) -> io::Result<Written> {
        let _ = self.send(Piece::End).await;
        self.writer.await.map_err(io::Error::other)?
    }

    /// The error of a writer that has ended, for a caller whose piece was not accepted.
    pub(super) async fn error(self) -> io::Error {
        drop(self.pieces);
        match self.writer.await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => io::Error::other("the writer has ended"),
            Err(error) => io::Error::other(error),
        }
    }
}

type Zip = ZipWriter<StreamWriter<Encryptor<BufWriter<File>>>>;

fn write(
    part: &Path,
    path: &Path,
    export_id: Uuid,
    passphrase: &Passphrase,
    mut queue: mpsc::Receiver<Piece>,
) -> io::Result<Written> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part)?;
    let mut zip = ZipWriter::new_stream(Encryptor::new(BufWriter::new(file), passphrase)?);
    let mut files: Vec<ManifestFile> = Vec::new();
    let mut current: Option<(ManifestFile, Context)> = None;
    loop {
        match queue.blocking_recv() {
            Some(Piece::File(name)) => {
                files.extend(current.take().map(ended));
                start(&mut zip, &name)?;
                let file = ManifestFile { name, bytes: 0, sha256: String::new() };
                current = Some((file, Context::new(&SHA256)));
            }
            Some(Piece::Bytes(bytes)) => {
                let (file, digest) =
                    current.as_mut().ok_or_else(|| io::Error::other("bytes before a file"))?;
                zip.write_all(&bytes)?;
                digest.update(&bytes);
                file.bytes += bytes.len() as u64;
            }
            Some(Piece::End) => break,
            None => return Err(io::Error::other("the export was given up")),
        }
    }
    files.extend(current.take().map(ended));
    let manifest = Manifest { manifest_version: 1, export_id, files: &files };
    let manifest = serde_json::to_vec_pretty(&manifest)?;
    start(&mut zip, MANIFEST)?;
    zip.write_all(&manifest)?;
    let digest = aws_lc_rs::digest::digest(&SHA256, &manifest);
    let digest = digest.as_ref().try_into().map_err(io::Error::other)?;
    let encryptor = zip.finish().map_err(io::Error::other)?.into_inner();
    let file = encryptor.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    fs::rename(part, path)?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(Written { bytes, digest: HexDigest(digest) })
}

fn start(zip: &mut Zip, name: &str) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(true);
    zip.start_file(name, options).map_err(io::Error::other)
}

fn ended((mut file, digest): (ManifestFile, Context)) -> ManifestFile {
    file.sha256 = hex::encode(digest.finish());
    file
}
