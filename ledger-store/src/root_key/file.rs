//! A root key in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{RootKey, RootKeyError, read_small, unwrap, wrap, write_new};
use crate::seal::KeyBytes;

/// A root key in a file: 64 hexadecimal digits, readable by its owner only.
pub struct FileRootKey {
    key: RandomizedNonceKey,
    id: [u8; 8],
}

impl FileRootKey {
    /// Reads the key from its file.
    ///
    /// # Errors
    /// [`RootKeyError`] with the cause.
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

    /// Creates a new random key in a file that does not exist yet.
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
}

#[async_trait]
impl RootKey for FileRootKey {
    fn id(&self) -> [u8; 8] {
        self.id
    }

    async fn wrap(&self, aad: &[u8], key: &KeyBytes) -> Result<Vec<u8>, RootKeyError> {
        Ok(wrap(&self.key, aad, key))
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<KeyBytes, RootKeyError> {
        unwrap(&self.key, aad, wrapped).ok_or(RootKeyError::DoesNotOpen)
    }
}
