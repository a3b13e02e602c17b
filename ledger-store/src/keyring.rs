//! The keyring: each tenant's epoch keys and digest key, in files outside PostgreSQL, wrapped by
//! the root key.
//!
//! ```text
//! keyring/<tenant>/<epoch>.tek   the epoch key: destroying this file erases all it wraps, in backups too
//! keyring/<tenant>/digest.key    names contents (deduplication) without revealing them; never rolled
//! ```
//! Each file is `CLK1`, the root key's id, and the wrapped key bound to tenant and name: a file
//! moved to another tenant does not open. Files are created, never overwritten, and no key is made
//! where one should be: see [`Keyring::ensure_tenant`].

mod derived;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use ledger_core::ids::TenantId;
use moka::sync::Cache;
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::derived::{DigestKey, EpochKeys};
use crate::root_key::{FileRootKey, RootKey, RootKeyError, read_small, write_new};
use crate::seal::KeyBytes;

const MAGIC: &[u8; 4] = b"CLK1";
/// Keys are read from disk again after this. The vault keeps what it got here as long once more, so
/// a key file that is gone serves nobody after a minute.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30);

/// Why a tenant's keys cannot be had. While this lasts no webhook of the tenant is taken.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The root key itself.
    #[error(transparent)]
    Root(#[from] RootKeyError),
    /// The key file is not there.
    #[error("key file {path} is missing: mount the keyring, or restore it from its own backup")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The key file is truncated, altered, or belongs to another tenant or epoch.
    #[error(
        "key file {path} does not open: truncated, altered, or of another tenant or epoch; \
             restore it from the keyring's own backup"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another root key wrapped the key file.
    #[error("key file {path} was wrapped by another root key: point --root-key at that one")]
    OtherRoot {
        /// The file.
        path: PathBuf,
    },
    /// The key is not the one the database remembers.
    #[error(
        "key file {path} is not the key that tenant {tenant_id} epoch {epoch} was made with: \
             restore the keyring that belongs to this database"
    )]
    NotTheKey {
        /// The file.
        path: PathBuf,
        /// The tenant.
        tenant_id: TenantId,
        /// The epoch.
        epoch: i32,
    },
    /// The file system refused.
    #[error(
        "key file {path} cannot be read or written: check the path, who may use it, and the \
             space left"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The directory of key files.
pub struct Keyring {
    dir: PathBuf,
    root_path: PathBuf,
    epochs: Cache<(TenantId, i32), Arc<EpochKeys>>,
    digests: Cache<TenantId, Arc<DigestKey>>,
}

impl Keyring {
    /// A keyring in `dir` under the root key in the file `root_path`. Nothing is read yet: a server
    /// without its keyring starts, says so, and takes no webhooks.
    #[must_use]
    pub fn new(dir: PathBuf, root_path: PathBuf) -> Self {
        Self {
            dir,
            root_path,
            epochs: Cache::builder().max_capacity(10_000).time_to_live(LIFETIME).build(),
            digests: Cache::builder().max_capacity(10_000).time_to_live(LIFETIME).build(),
        }
    }

    /// Where the key files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// Makes the root key when this is a new installation: no key file exists yet. Call it only
    /// when the database remembers no epoch either.
    ///
    /// # Errors
    /// [`KeyringError::Root`] when keys exist whose root key is gone: that is never mended by a new
    /// one. [`KeyringError::Io`] when it cannot be told whether keys exist.
    pub fn ensure_root(&self) -> Result<(), KeyringError> {
        if is_there(&self.root_path) || self.has_keys()? {
            return self.root().map(|_| ());
        }
        let io = |source| KeyringError::Io { path: self.root_path.clone(), source };
        if let Some(parent) = self.root_path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        match FileRootKey::create(&self.root_path) {
            Ok(_) => {}
            // Another process was faster; its key is as good.
            Err(RootKeyError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        self.root().map(|_| ())
    }

    /// Whether the root key can be used and opens the installation's own key files right now,
    /// whatever is cached. A tenant's files are that tenant's trouble.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong.
    pub fn check(&self) -> Result<(), KeyringError> {
        self.installation().map(|_| ())
    }

    /// The installation's own keys, from their files. They are made first and stay as long as there
    /// is a keyring.
    pub(crate) fn installation(&self) -> Result<EpochKeys, KeyringError> {
        let root = self.root()?;
        let read = |name| {
            let file = self.load(TenantId::INSTALLATION, name)?;
            if file.root_id != root.id() {
                return Err(KeyringError::OtherRoot { path: file.path });
            }
            let place = place(TenantId::INSTALLATION, name);
            let key = root.open_wrapped(&place, &file.wrapped);
            key.ok_or(KeyringError::Damaged { path: file.path })
        };
        read("digest.key")?;
        Ok(EpochKeys::derive(1, &read("1.tek")?))
    }

    /// The keys a tenant begins with, epoch 1 and the digest key, made where there are none yet: an
    /// interrupted set-up goes on. Durable when it returns. Only for tenants the database does not
    /// remember keys of. Nothing is made in a keyring whose first keys, the installation's, are
    /// not there or do not open: it is the wrong one, or its volume is not mounted.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong.
    pub async fn ensure_tenant(&self, tenant_id: TenantId) -> Result<Arc<EpochKeys>, KeyringError> {
        if tenant_id != TenantId::INSTALLATION {
            self.check()?;
        }
        let dir = self.dir.join(tenant_id.to_string());
        let io = |source| KeyringError::Io { path: dir.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io)?;
        for name in ["digest.key", "1.tek"] {
            if !is_there(&dir.join(name)) {
                self.create(tenant_id, name).await?;
            }
        }
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        self.epoch(tenant_id, 1).await
    }

    /// A tenant's keys of one epoch.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong with the file.
    pub async fn epoch(
        &self,
        tenant_id: TenantId,
        epoch: i32,
    ) -> Result<Arc<EpochKeys>, KeyringError> {
        if let Some(keys) = self.epochs.get(&(tenant_id, epoch)) {
            return Ok(keys);
        }
        let key = self.read(tenant_id, &format!("{epoch}.tek")).await?;
        let keys = Arc::new(EpochKeys::derive(epoch, &key));
        self.epochs.insert((tenant_id, epoch), Arc::clone(&keys));
        Ok(keys)
    }

    /// A tenant's keys of one epoch, checked against what the database remembers of them.
    ///
    /// # Errors
    /// [`KeyringError::NotTheKey`] besides those of [`Keyring::epoch`].
    pub async fn checked_epoch(
        &self,
        tenant_id: TenantId,
        epoch: i32,
        check_value: &[u8],
    ) -> Result<Arc<EpochKeys>, KeyringError> {
        let keys = self.epoch(tenant_id, epoch).await?;
        if keys.check_value() != check_value {
            self.epochs.invalidate(&(tenant_id, epoch));
            return Err(self.not_the_key(tenant_id, epoch));
        }
        Ok(keys)
    }

    pub(crate) fn not_the_key(&self, tenant_id: TenantId, epoch: i32) -> KeyringError {
        let path = self.path(tenant_id, &format!("{epoch}.tek"));
        KeyringError::NotTheKey { path, tenant_id, epoch }
    }

    /// The key that names a tenant's contents.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong with the file.
    pub async fn digest_key(&self, tenant_id: TenantId) -> Result<Arc<DigestKey>, KeyringError> {
        if let Some(key) = self.digests.get(&tenant_id) {
            return Ok(key);
        }
        let bytes = self.read(tenant_id, "digest.key").await?;
        let key = Arc::new(DigestKey::new(&bytes));
        self.digests.insert(tenant_id, Arc::clone(&key));
        Ok(key)
    }

    /// The root key as its file holds it now. It is not kept in memory: a file that is gone or was
    /// exchanged is noticed, and one that is back is used, without a restart.
    fn root(&self) -> Result<FileRootKey, KeyringError> {
        Ok(FileRootKey::open(&self.root_path)?)
    }

    /// Whether any tenant has keys here. What else lies in the directory (a volume's `lost+found`)
    /// is no key.
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
        let root = self.root()?;
        let wrapped = root.wrap(&place(tenant_id, name), &key).await?;
        let contents = [MAGIC.as_slice(), &root.id(), &wrapped].concat();
        let path = self.path(tenant_id, name);
        match write_new(&path, &contents) {
            // Somebody else was faster; their key is the key.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            written => written.map_err(|source| KeyringError::Io { path, source }),
        }
    }

    async fn read(&self, tenant_id: TenantId, name: &str) -> Result<KeyBytes, KeyringError> {
        let KeyFile { path, root_id, wrapped } = self.load(tenant_id, name)?;
        let root = self.root()?;
        if root_id != root.id() {
            return Err(KeyringError::OtherRoot { path });
        }
        root.unwrap(&place(tenant_id, name), &wrapped)
            .await
            .map_err(|_| KeyringError::Damaged { path })
    }

    /// Reads a key file and takes it apart.
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

/// A key file taken apart, not yet opened.
struct KeyFile {
    path: PathBuf,
    /// Which root key wrapped it.
    root_id: [u8; 8],
    wrapped: Vec<u8>,
}

/// Whether anything has this name, a link to nowhere or a thing that cannot be looked at included:
/// where something is, nothing is made.
fn is_there(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// What a key file is bound to.
fn place(tenant_id: TenantId, name: &str) -> Vec<u8> {
    [b"CLK1".as_slice(), tenant_id.0.as_bytes(), name.as_bytes()].concat()
}

#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;
