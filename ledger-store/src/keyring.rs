//! The keyring: each tenant's epoch keys and digest key, in files outside PostgreSQL, wrapped by
//! the root key.
//!
//! ```text
//! keyring/<tenant>/<epoch>.tek   the epoch key: destroying this file erases all it wraps, in backups too
//! keyring/<tenant>/digest.key    keyed digests of contents, for deduplication; never rotated
//! keyring/<tenant>/lookup.key    keyed digests of what persons are found by, after the first roll
//! keyring/<tenant>/destroyed.log one line per destroyed epoch key
//! ```
//!
//! Each file is `CLK1`, the root key's id, and the wrapped key with tenant and file name as
//! associated data, so a file moved to another tenant does not open. Files are created and never
//! overwritten, and no key is created where one should already exist: see
//! [`Keyring::ensure_tenant`].

mod derived;
mod roll;
mod rotate;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand;
use ledger_core::ids::TenantId;
use moka::sync::Cache;
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::derived::{DigestKey, EpochKeys};
use self::derived::{IndexScheme, check_values};
pub use self::rotate::{Rotation, RotationError};
use crate::caches;
use crate::root_key::{
    FileRootKey, RootKey, RootKeyError, Roots, may_exist, read_small, write_new,
};
use crate::seal::KeyBytes;

const MAGIC: &[u8; 4] = b"CLK1";
/// Name of the key file for digests of values that are found by blind index.
const LOOKUP_KEY: &str = "lookup.key";

/// The reason why a tenant's keys are not available. Until it is resolved, no webhook of the tenant
/// is accepted.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The root key is missing, malformed or not readable.
    #[error(transparent)]
    Root(#[from] RootKeyError),
    /// The key file does not exist.
    #[error("key file {path} is missing: mount the keyring, or restore it from its own backup")]
    Missing {
        /// Path of the key file.
        path: PathBuf,
    },
    /// The key file is truncated, altered, or of another tenant or epoch.
    #[error(
        "key file {path} does not open: truncated, altered, or of another tenant or epoch; \
             restore it from the keyring's own backup"
    )]
    Damaged {
        /// Path of the key file.
        path: PathBuf,
    },
    /// The key file was wrapped by another root key.
    #[error("key file {path} was wrapped by another root key: point --root-key at that one")]
    WrongRootKey {
        /// Path of the key file.
        path: PathBuf,
    },
    /// The key's check value differs from the one stored in the database.
    #[error(
        "key file {path} is not the key that tenant {tenant_id} epoch {epoch} was made with: \
             restore the keyring that belongs to this database"
    )]
    WrongKey {
        /// Path of the key file.
        path: PathBuf,
        /// The tenant of the key.
        tenant_id: TenantId,
        /// Number of the epoch.
        epoch: i32,
    },
    /// A rotation of the root key or an epoch roll uses the key files.
    #[error("{path} is locked by a rotation of the root key or an epoch roll; repeat this later")]
    Locked {
        /// Path of the lock.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error(
        "key file {path} cannot be read or written: check the path, who may use it, and the \
             space left"
    )]
    Io {
        /// Path of the key file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// The key files of all tenants, with caches of the derived keys.
pub struct Keyring {
    dir: PathBuf,
    roots: Roots,
    epochs: Cache<(TenantId, i32), Arc<EpochKeys>>,
    digests: Cache<TenantId, Arc<DigestKey>>,
}

impl Keyring {
    /// A keyring in `dir`, under the root key in the file `root_path`.
    #[must_use]
    pub fn new(dir: PathBuf, root_path: PathBuf) -> Self {
        Self::under(dir, Roots::in_file(root_path))
    }

    /// A keyring in `dir`, under a root key. Reads nothing: a server without its keyring starts,
    /// reports the error, and accepts no webhooks.
    #[must_use]
    pub fn under(dir: PathBuf, roots: Roots) -> Self {
        Self { dir, roots, epochs: caches::KEY_FILES.build(), digests: caches::DIGEST_KEYS.build() }
    }

    /// Directory of the key files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// The root keys of the key files.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Creates the root key's file for a new installation, which is one without any key file. Call it
    /// only when the database has no epoch either. A root key in Vault is not created.
    ///
    /// # Errors
    /// [`KeyringError::Root`] when key files exist and their root key is missing, because a new
    /// root key cannot open them. [`KeyringError::Io`] when the directory cannot be read.
    pub fn ensure_root(&self) -> Result<(), KeyringError> {
        let Some(path) = self.roots.file() else { return Ok(()) };
        if may_exist(path) || self.has_keys()? {
            return self.root().map(|_| ());
        }
        let io = |source| KeyringError::Io { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        match FileRootKey::create(path) {
            Ok(_) => {}
            // Another process created it first; that key is used.
            Err(RootKeyError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        self.root().map(|_| ())
    }

    /// Checks that the root key is usable and opens the installation's own key files, bypassing
    /// caches. Key files of other tenants are not read.
    ///
    /// # Errors
    /// [`KeyringError`] with the cause.
    pub async fn check(&self) -> Result<(), KeyringError> {
        self.installation().await.map(|_| ())
    }

    /// Reads the installation's own keys from their files. Set-up creates these keys first, so
    /// every keyring has them.
    pub(crate) async fn installation(&self) -> Result<EpochKeys, KeyringError> {
        self.read(TenantId::INSTALLATION, "digest.key").await?;
        let key = self.read(TenantId::INSTALLATION, "1.tek").await?;
        Ok(EpochKeys::derive(1, &key, IndexScheme::Plain))
    }

    /// Returns the keys of a tenant's epoch 1, after creating the key files that are missing: epoch
    /// 1 and the digest key. An interrupted set-up can be repeated. The files are durable on
    /// return.
    ///
    /// Only for tenants without an epoch in the database. No key is created unless the
    /// installation's own keys open, since the keyring is otherwise the wrong one, or its volume is
    /// not mounted.
    ///
    /// # Errors
    /// [`KeyringError`] with the cause.
    pub async fn ensure_tenant(&self, tenant_id: TenantId) -> Result<Arc<EpochKeys>, KeyringError> {
        if tenant_id != TenantId::INSTALLATION {
            self.check().await?;
        }
        let dir = self.dir.join(tenant_id.to_string());
        let io = |source| KeyringError::Io { path: dir.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io)?;
        for name in ["digest.key", "1.tek"] {
            if !may_exist(&dir.join(name)) {
                self.create(tenant_id, name).await?;
            }
        }
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        self.epoch(tenant_id, 1).await
    }

    /// Returns a tenant's keys of one epoch with blind indexes of scheme 1, from the cache or the key
    /// file.
    ///
    /// # Errors
    /// [`KeyringError`] with the cause.
    pub async fn epoch(
        &self,
        tenant_id: TenantId,
        epoch: i32,
    ) -> Result<Arc<EpochKeys>, KeyringError> {
        let cached = self.epochs.get(&(tenant_id, epoch));
        if let Some(keys) = cached.filter(|keys| !keys.has_encrypted_indexes()) {
            return Ok(keys);
        }
        let key = self.read(tenant_id, &format!("{epoch}.tek")).await?;
        let keys = Arc::new(EpochKeys::derive(epoch, &key, IndexScheme::Plain));
        self.epochs.insert((tenant_id, epoch), Arc::clone(&keys));
        Ok(keys)
    }

    /// Returns a tenant's keys of one epoch after comparing them with the check value from the
    /// database, which tells the scheme of the blind indexes.
    ///
    /// # Errors
    /// [`KeyringError::WrongKey`] when the values differ, and the errors of [`Keyring::epoch`].
    pub async fn checked_epoch(
        &self,
        tenant_id: TenantId,
        epoch: i32,
        check_value: &[u8],
    ) -> Result<Arc<EpochKeys>, KeyringError> {
        let cached = self.epochs.get(&(tenant_id, epoch));
        if let Some(keys) = cached.filter(|keys| keys.check_value() == check_value) {
            return Ok(keys);
        }
        self.epochs.invalidate(&(tenant_id, epoch));
        let key = self.read(tenant_id, &format!("{epoch}.tek")).await?;
        let [plain, encrypted] = check_values(&key);
        let keys = if check_value == plain {
            EpochKeys::derive(epoch, &key, IndexScheme::Plain)
        } else if check_value == encrypted {
            let lookup = self.read(tenant_id, LOOKUP_KEY).await?;
            EpochKeys::derive(epoch, &key, IndexScheme::Encrypted(&lookup))
        } else {
            return Err(self.wrong_key(tenant_id, epoch));
        };
        let keys = Arc::new(keys);
        self.epochs.insert((tenant_id, epoch), Arc::clone(&keys));
        Ok(keys)
    }

    pub(crate) fn wrong_key(&self, tenant_id: TenantId, epoch: i32) -> KeyringError {
        let path = self.path(tenant_id, &format!("{epoch}.tek"));
        KeyringError::WrongKey { path, tenant_id, epoch }
    }

    /// Returns the tenant's key for digests of contents, from the cache or the key file.
    ///
    /// # Errors
    /// [`KeyringError`] with the cause.
    pub async fn digest_key(&self, tenant_id: TenantId) -> Result<Arc<DigestKey>, KeyringError> {
        if let Some(key) = self.digests.get(&tenant_id) {
            return Ok(key);
        }
        let bytes = self.read(tenant_id, "digest.key").await?;
        let key = Arc::new(DigestKey::new(&bytes));
        self.digests.insert(tenant_id, Arc::clone(&key));
        Ok(key)
    }

    /// Returns the root key that wraps new keys.
    fn root(&self) -> Result<Box<dyn RootKey>, KeyringError> {
        Ok(self.roots.current()?)
    }

    /// Whether the directory holds keys of any tenant. Other entries, such as a volume's
    /// `lost+found`, are ignored.
    fn has_keys(&self) -> Result<bool, KeyringError> {
        let io = |source| KeyringError::Io { path: self.dir.clone(), source };
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(error)),
        };
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            if name.to_str().is_some_and(|name| Uuid::try_parse(name).is_ok()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn path(&self, tenant_id: TenantId, name: &str) -> PathBuf {
        self.dir.join(tenant_id.to_string()).join(name)
    }

    async fn create(&self, tenant_id: TenantId, name: &str) -> Result<(), KeyringError> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice()).expect("the operating system gives randomness");
        self.store(tenant_id, name, &key).await
    }

    /// Writes a key into a new file. A file that exists stays.
    async fn store(
        &self,
        tenant_id: TenantId,
        name: &str,
        key: &KeyBytes,
    ) -> Result<(), KeyringError> {
        let contents = self.wrap(tenant_id, name, key).await?;
        let path = self.path(tenant_id, name);
        match write_new(&path, &contents) {
            // Another process created the file first; its key is used.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            written => written.map_err(|source| KeyringError::Io { path, source }),
        }
    }

    /// The contents of a key file, wrapped under the current root key.
    async fn wrap(
        &self,
        tenant_id: TenantId,
        name: &str,
        key: &KeyBytes,
    ) -> Result<Vec<u8>, KeyringError> {
        let root = self.root()?;
        let wrapped = root.wrap(&aad(tenant_id, name), key).await?;
        Ok([MAGIC.as_slice(), &root.id(), &wrapped].concat())
    }

    async fn read(&self, tenant_id: TenantId, name: &str) -> Result<KeyBytes, KeyringError> {
        self.open(tenant_id, name, self.load(tenant_id, name)?).await
    }

    /// Unwraps a loaded key.
    async fn open(
        &self,
        tenant_id: TenantId,
        name: &str,
        file: KeyFile,
    ) -> Result<KeyBytes, KeyringError> {
        let KeyFile { path, root_id, wrapped } = file;
        let Some(root) = self.roots.by_id(root_id)? else {
            return Err(KeyringError::WrongRootKey { path });
        };
        match root.unwrap(&aad(tenant_id, name), &wrapped).await {
            Err(RootKeyError::DoesNotOpen) => Err(KeyringError::Damaged { path }),
            opened => Ok(opened?),
        }
    }

    /// Reads a key file and splits it into its fields.
    fn load(&self, tenant_id: TenantId, name: &str) -> Result<KeyFile, KeyringError> {
        let path = self.path(tenant_id, name);
        let contents = match read_small(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyringError::Missing { path });
            }
            Err(source) => return Err(KeyringError::Io { path, source }),
        };
        let parts = contents.split_first_chunk::<4>().filter(|(magic, _)| *magic == MAGIC);
        match parts.and_then(|(_, rest)| rest.split_first_chunk::<8>()) {
            Some((root_id, wrapped)) => {
                Ok(KeyFile { path, root_id: *root_id, wrapped: wrapped.to_vec() })
            }
            None => Err(KeyringError::Damaged { path }),
        }
    }
}

/// The fields of a key file, still wrapped.
struct KeyFile {
    path: PathBuf,
    /// Id of the root key that wrapped the file.
    root_id: [u8; 8],
    wrapped: Vec<u8>,
}

/// The associated data of a wrapped key: tenant and file name.
fn aad(tenant_id: TenantId, name: &str) -> Vec<u8> {
    [b"CLK1".as_slice(), tenant_id.0.as_bytes(), name.as_bytes()].concat()
}

#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod roll_tests;
#[cfg(test)]
mod tests;
