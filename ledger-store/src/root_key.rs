//! The root key: the one secret that wraps all others. A file today; Vault and cloud KMS are
//! further implementations of [`RootKey`]. It never touches PostgreSQL.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::seal::KeyBytes;

/// Why the root key cannot be used. None of these is mended by making a new key: what the old one
/// wraps would be lost.
#[derive(Debug, Error)]
pub enum RootKeyError {
    /// The file is not there.
    #[error("no root key at {path}: put the key file back, or point --root-key at it")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not a root key.
    #[error("{path} is no root key: put the file back that holds its 64 hexadecimal digits")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("{path} can be read by others (mode {mode:o}): chmod 600 it")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("the root key at {path} cannot be read or written: check the path and who may use it")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What was wrapped does not open: another root key wrapped it, or it was altered.
    #[error("a wrapped key does not open under this root key")]
    DoesNotOpen,
}

/// Wraps and unwraps the keys below the root.
#[async_trait]
pub trait RootKey: Send + Sync {
    /// A short public name of the key, stored beside what it wraps.
    fn id(&self) -> [u8; 8];
    /// Wraps a key, bound to `place`.
    async fn wrap(&self, place: &[u8], key: &KeyBytes) -> Result<Vec<u8>, RootKeyError>;
    /// Unwraps what [`RootKey::wrap`] made for the same place.
    async fn unwrap(&self, place: &[u8], wrapped: &[u8]) -> Result<KeyBytes, RootKeyError>;
}

/// A root key in a file: 64 hexadecimal digits, readable by its owner only.
pub struct FileRootKey {
    key: RandomizedNonceKey,
    id: [u8; 8],
}

impl FileRootKey {
    /// Reads the key.
    ///
    /// # Errors
    /// [`RootKeyError`] by what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        let contents = match read_small(path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(RootKeyError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(io(error)),
        };
        let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(RootKeyError::TooOpen { path: path.to_owned(), mode });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(contents.trim_ascii(), bytes.as_mut_slice())
            .map_err(|_| RootKeyError::Malformed { path: path.to_owned() })?;
        Ok(Self::from_bytes(&bytes))
    }

    /// Makes a new key where there is none.
    ///
    /// # Errors
    /// [`RootKeyError::Io`] when the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice()).expect("the operating system gives randomness");
        let text = Zeroizing::new(format!("{}\n", hex::encode(bytes.as_slice())));
        write_new(path, text.as_bytes()).map_err(io)?;
        Ok(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &KeyBytes) -> Self {
        let fingerprint = digest(&SHA256, &[b"cl/root/1", bytes.as_slice()].concat());
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice())
            .expect("32 bytes is a valid AES-256 key");
        Self { key, id: fingerprint.as_ref()[..8].try_into().expect("SHA-256 is longer") }
    }

    /// [`RootKey::unwrap`] for those who cannot wait: a file's key is at hand.
    pub(crate) fn open_wrapped(&self, place: &[u8], wrapped: &[u8]) -> Option<KeyBytes> {
        unwrap(&self.key, place, wrapped)
    }
}

#[async_trait]
impl RootKey for FileRootKey {
    fn id(&self) -> [u8; 8] {
        self.id
    }

    async fn wrap(&self, place: &[u8], key: &KeyBytes) -> Result<Vec<u8>, RootKeyError> {
        Ok(wrap(&self.key, place, key))
    }

    async fn unwrap(&self, place: &[u8], wrapped: &[u8]) -> Result<KeyBytes, RootKeyError> {
        self.open_wrapped(place, wrapped).ok_or(RootKeyError::DoesNotOpen)
    }
}

/// The largest file that is read for a key; all of them are far smaller.
const MAX_FILE: u64 = 4_096;

/// A key's file, whole. Only a regular file is opened: a pipe would keep us waiting for ever.
pub(crate) fn read_small(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut contents = Zeroizing::new(Vec::with_capacity(256));
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Writes a file that must not exist yet, durably, whole or not at all: a reader never sees half a
/// key, and a crash leaves at most a stray temporary file.
pub(crate) fn write_new(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let mut nonce = [0; 8];
    rand::fill(&mut nonce).expect("the operating system gives randomness");
    let temporary = parent.join(format!(".{}.tmp", hex::encode(nonce)));
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file
        .write_all(contents)
        .and_then(|()| file.sync_all())
        // Unlike a rename, a link never replaces what is there.
        .and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    written?;
    fs::File::open(parent)?.sync_all()
}

/// One key under another: a fresh nonce, then ciphertext and tag, bound to `place`.
pub(crate) fn wrap(under: &RandomizedNonceKey, place: &[u8], key: &KeyBytes) -> Vec<u8> {
    seal_small(under, place, key.as_slice())
}

/// The key that was wrapped; `None` when it was altered, moved or is under another key.
pub(crate) fn unwrap(under: &RandomizedNonceKey, place: &[u8], wrapped: &[u8]) -> Option<KeyBytes> {
    let plain = open_small(under, place, wrapped)?;
    plain.as_slice().try_into().ok().map(Zeroizing::new)
}

/// Any small secret under a key.
pub(crate) fn seal_small(under: &RandomizedNonceKey, place: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut body = secret.to_vec();
    let nonce = under
        .seal_in_place_append_tag(Aad::from(place), &mut body)
        .expect("a small secret is within the limits of the cipher");
    [nonce.as_ref().as_slice(), &body].concat()
}

/// The secret again; `None` when it was altered, moved or is under another key.
pub(crate) fn open_small(
    under: &RandomizedNonceKey,
    place: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_at_checked(12)?;
    let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = Zeroizing::new(body.to_vec());
    let len = under.open_in_place(nonce, Aad::from(place), &mut body).ok()?.len();
    body.truncate(len);
    Some(body)
}
