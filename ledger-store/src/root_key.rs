//! The root key, which wraps every other key: in a file, or in a Vault server. Never stored in
//! PostgreSQL.

mod file;
mod roots;
mod transit;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::aead::{Aad, RandomizedNonceKey};
use aws_lc_rs::rand;
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::file::FileRootKey;
pub use self::roots::Roots;
pub use self::transit::{Transit, TransitUrlError};

use crate::seal::KeyBytes;

/// The reason why the root key cannot be used. A new key is never the remedy: everything wrapped by
/// the old one would be lost.
#[derive(Debug, Error)]
pub enum RootKeyError {
    /// The file does not exist.
    #[error("no root key at {path}: put the key file back, or point --root-key at it")]
    Missing {
        /// The configured path.
        path: PathBuf,
    },
    /// The file does not hold a root key.
    #[error("{path} is no root key: put the file back that holds its 64 hexadecimal digits")]
    Malformed {
        /// Path of the file.
        path: PathBuf,
    },
    /// Users other than the owner have permissions on the file.
    #[error("{path} can be read by others (mode {mode:o}): chmod 600 it")]
    TooOpen {
        /// Path of the file.
        path: PathBuf,
        /// Permission bits of the file.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("the root key at {path} cannot be read or written: check the path and who may use it")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A wrapped key does not open: it was altered, or wrapped by another root key.
    #[error("a wrapped key does not open under this root key")]
    DoesNotOpen,
    /// The Vault server did not answer in time, or is sealed.
    #[error(
        "the Vault server at {url} is not available ({reason}): check that it runs and is unsealed"
    )]
    Unavailable {
        /// URL of the key, without a token.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The file does not hold a token.
    #[error("{path} holds no token: put the token of the Vault server there")]
    Token {
        /// Path of the file.
        path: PathBuf,
    },
    /// The Vault server refused the request.
    #[error(
        "the Vault server refused the key {url} with status {status}: check the token, its policy \
         and the name of the key"
    )]
    Refused {
        /// URL of the key, without a token.
        url: String,
        /// The HTTP status.
        status: u16,
    },
}

/// Wraps and unwraps the epoch and digest keys.
#[async_trait]
pub trait RootKey: Send + Sync {
    /// A short public id of the key, stored together with everything it wraps.
    fn id(&self) -> [u8; 8];
    /// Wraps a key, with `aad` as associated data.
    async fn wrap(&self, aad: &[u8], key: &KeyBytes) -> Result<Vec<u8>, RootKeyError>;
    /// Unwraps the result of [`RootKey::wrap`] with the same `aad`.
    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<KeyBytes, RootKeyError>;
}

/// Maximum number of bytes read from a key file; every valid one is far smaller.
const MAX_FILE: u64 = 4_096;

/// Reads a key file. Opens only a regular file, since reading a pipe would block forever.
pub(crate) fn read_small(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut contents = Zeroizing::new(Vec::with_capacity(256));
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Whether the path may exist. True also for a dangling link and for a path that cannot be
/// examined, so that nothing is created over them.
pub(crate) fn may_exist(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Writes a new file durably and atomically: a reader never sees a partial key, and a crash leaves
/// at most a stray temporary file. Fails if the file exists.
pub(crate) fn write_new(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let parent = parent_of(path);
    let temporary = write_temporary(parent, contents)?;
    // A hard link fails if the path exists; a rename would replace it.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    fs::File::open(parent)?.sync_all()
}

fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Writes a temporary file durably and returns its path. The file does not exist after an error.
fn write_temporary(dir: &Path, contents: &[u8]) -> std::io::Result<PathBuf> {
    let mut nonce = [0; 8];
    rand::fill(&mut nonce).expect("the operating system gives randomness");
    let path = dir.join(format!(".{}.tmp", hex::encode(nonce)));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    if let Err(error) = file.write_all(contents).and_then(|()| file.sync_all()) {
        fs::remove_file(&path)?;
        return Err(error);
    }
    Ok(path)
}

/// Replaces the contents of a file durably and atomically: a reader sees the former or the new
/// contents.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let parent = parent_of(path);
    let temporary = write_temporary(parent, contents)?;
    if let Err(error) = fs::rename(&temporary, path) {
        fs::remove_file(&temporary)?;
        return Err(error);
    }
    fs::File::open(parent)?.sync_all()
}

/// Encrypts a key under another one, with `aad` as associated data: a fresh nonce, then
/// ciphertext and tag.
pub(crate) fn wrap(under: &RandomizedNonceKey, aad: &[u8], key: &KeyBytes) -> Vec<u8> {
    seal_small(under, aad, key.as_slice())
}

/// Decrypts a wrapped key; `None` when key or `aad` differ, or the bytes were altered.
pub(crate) fn unwrap(under: &RandomizedNonceKey, aad: &[u8], wrapped: &[u8]) -> Option<KeyBytes> {
    let plain = open_small(under, aad, wrapped)?;
    plain.as_slice().try_into().ok().map(Zeroizing::new)
}

/// Encrypts a small secret, with `aad` as associated data: a fresh nonce, then ciphertext and
/// tag.
pub(crate) fn seal_small(under: &RandomizedNonceKey, aad: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut body = secret.to_vec();
    let nonce = under
        .seal_in_place_append_tag(Aad::from(aad), &mut body)
        .expect("a small secret is within the limits of the cipher");
    [nonce.as_ref().as_slice(), &body].concat()
}

/// Decrypts a small secret; `None` when key or `aad` differ, or the bytes were altered.
pub(crate) fn open_small(
    under: &RandomizedNonceKey,
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_at_checked(12)?;
    let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = Zeroizing::new(body.to_vec());
    let len = under.open_in_place(nonce, Aad::from(aad), &mut body).ok()?.len();
    body.truncate(len);
    Some(body)
}
