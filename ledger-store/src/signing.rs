//! The signing key of the installation: Ed25519, in a file beside the root key. It signs the entries
//! of the erasure journal and the certificates.
//!
//! ```text
//! signing.key    64 hexadecimal digits, the seed; readable by its owner only
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ledger_core::note::NoteKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::root_key::{read_small, write_new};

/// The reason why the signing key cannot be used. A new key is never the remedy: journal and
/// certificates would not verify with it.
#[derive(Debug, Error)]
pub enum SigningKeyError {
    /// The file does not exist.
    #[error("no signing key at {path}: put the key file back, from the backup of the keyring")]
    Missing {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file does not hold a signing key.
    #[error("{path} is no signing key: put the file back that holds its 64 hexadecimal digits")]
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
    #[error(
        "the signing key at {path} cannot be read or written: check the path and who may use it"
    )]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// Where the signing key is. The key is read when it is used, so a restored file takes effect
/// without a restart.
#[derive(Debug, Clone)]
pub struct Signing {
    path: PathBuf,
}

impl Signing {
    /// The signing key in a file. Reads nothing.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`SigningKeyError`]
    pub fn key(&self) -> Result<SigningKey, SigningKeyError> {
        let path = || self.path.clone();
        let io = |source| SigningKeyError::Io { path: path(), source };
        let contents = match read_small(&self.path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SigningKeyError::Missing { path: path() });
            }
            Err(error) => return Err(io(error)),
        };
        let mode = fs::metadata(&self.path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SigningKeyError::TooOpen { path: path(), mode });
        }
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(contents.trim_ascii(), seed.as_mut_slice())
            .map_err(|_| SigningKeyError::Malformed { path: path() })?;
        Ok(SigningKey::from_seed(&seed))
    }

    /// Creates the key unless there is a file. Call it only for an installation without a journal
    /// and without certificates.
    pub(crate) fn ensure(&self) -> Result<SigningKey, SigningKeyError> {
        match self.key() {
            Err(SigningKeyError::Missing { .. }) => {}
            known => return known,
        }
        let io = |source| SigningKeyError::Io { path: self.path.clone(), source };
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut_slice()).expect("the operating system gives randomness");
        let text = Zeroizing::new(format!("{}\n", hex::encode(seed.as_slice())));
        match write_new(&self.path, text.as_bytes()) {
            // Another process created it first; that key is used.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            written => written.map_err(io)?,
        }
        self.key()
    }
}

/// The signing key of an installation.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    note_key: NoteKey,
}

impl SigningKey {
    fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed");
        let public_key = pair.public_key().as_ref().try_into().expect("an Ed25519 key is 32 bytes");
        Self { pair, note_key: NoteKey::of_installation(public_key) }
    }

    /// The public key, with the name that is in signed notes.
    #[must_use]
    pub fn note_key(&self) -> &NoteKey {
        &self.note_key
    }

    /// Signs a message. The same message has the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature is 64 bytes")
    }

    /// Returns a signed note of a text that ends with a line break.
    #[must_use]
    pub fn note(&self, text: &str) -> String {
        self.note_key.note(text, &self.sign(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_created_once_and_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let signing = Signing::new(dir.path().join("new/signing.key"));
        assert!(matches!(signing.key(), Err(SigningKeyError::Missing { .. })));
        let created = signing.ensure().expect("a new key");
        let again = signing.ensure().expect("the same key");
        assert_eq!(created.note_key(), again.note_key());
        let note = created.note("text\n");
        assert_eq!(signing.key().expect("a key").note_key().verify(&note), Ok("text\n"));
        let mode = fs::metadata(signing.path()).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_or_readable_file_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let signing = Signing::new(dir.path().join("signing.key"));
        signing.ensure().expect("a new key");
        fs::set_permissions(signing.path(), fs::Permissions::from_mode(0o644)).expect("our file");
        assert!(matches!(signing.ensure(), Err(SigningKeyError::TooOpen { mode: 0o644, .. })));
        fs::write(signing.path(), "abc").expect("our file");
        fs::set_permissions(signing.path(), fs::Permissions::from_mode(0o600)).expect("our file");
        assert!(matches!(signing.ensure(), Err(SigningKeyError::Malformed { .. })));
        assert_eq!(fs::read(signing.path()).expect("our file"), b"abc");
    }
}
