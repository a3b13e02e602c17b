//! The keyring: each tenant's epoch keys and digest key, in files outside PostgreSQL, wrapped by
//! the root key.
//!
//! ```text
//! keyring/<tenant>/<epoch>.tek   the epoch key: destroying this file erases all it wraps, in backups too
//! keyring/<tenant>/digest.key    names contents (deduplication) without revealing them; never rolled
//! ```
//! Each file is `CLK1`, the root key's id, and the wrapped key bound to tenant and name: a file
//! moved to another tenant does not open. Files are created, never overwritten.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{hmac, rand};
use ledger_core::ids::TenantId;
use moka::sync::Cache;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::root_key::{FileRootKey, RootKey, RootKeyError, open_small, seal_small, write_new};
use crate::seal::KeyBytes;

const MAGIC: &[u8; 4] = b"CLK1";
/// Keys are read from disk again after this: a keyring that is gone is noticed.
const LIFETIME: Duration = Duration::from_mins(1);

/// Why a tenant's keys cannot be had. While this lasts no webhook of the tenant is taken.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The root key itself.
    #[error("the keyring cannot be opened")]
    Root(#[from] RootKeyError),
    /// The key file is not there.
    #[error("key file {path} is missing: restore the keyring from its own backup")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The key file is truncated, altered, or belongs to another tenant or epoch.
    #[error("key file {path} does not open: truncated, altered, or of another tenant")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another root key wrapped the key file.
    #[error("key file {path} was wrapped by another root key")]
    OtherRoot {
        /// The file.
        path: PathBuf,
    },
    /// The key is not the one the database remembers.
    #[error("key file {path} is not the key that tenant {tenant_id} epoch {epoch} was made with")]
    NotTheKey {
        /// The file.
        path: PathBuf,
        /// The tenant.
        tenant_id: TenantId,
        /// The epoch.
        epoch: i32,
    },
    /// The file system refused.
    #[error("cannot use key file {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A tenant's keys of one epoch, ready for use.
pub struct EpochKeys {
    /// Which epoch.
    pub epoch: i32,
    wrapping: RandomizedNonceKey,
    misc: RandomizedNonceKey,
    lookup: hmac::Key,
    check_value: [u8; 16],
}

impl EpochKeys {
    fn derive(epoch: i32, key: &KeyBytes) -> Self {
        let aead = |label: &[u8]| {
            RandomizedNonceKey::new(&AES_256_GCM, expand(key, label).as_slice())
                .expect("32 bytes is a valid AES-256 key")
        };
        let check = hmac::Key::new(hmac::HMAC_SHA256, expand(key, b"cl/check/1").as_slice());
        Self {
            epoch,
            wrapping: aead(b"cl/wrap/1"),
            misc: aead(b"cl/misc/1"),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, expand(key, b"cl/lookup/1").as_slice()),
            check_value: first16(&hmac::sign(&check, b"check")),
        }
    }

    /// What the database remembers of the key, to know it again.
    #[must_use]
    pub fn check_value(&self) -> [u8; 16] {
        self.check_value
    }

    /// Wraps subject keys.
    #[must_use]
    pub fn wrapping(&self) -> &RandomizedNonceKey {
        &self.wrapping
    }

    /// A blind index: finds a value without storing it. `kind` keeps a number and an id apart.
    #[must_use]
    pub fn blind_index(&self, kind: &str, normalised: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(normalised.as_bytes());
        first16(&context.sign())
    }

    /// Seals a secret that is not about a person, such as a webhook secret.
    #[must_use]
    pub fn seal_secret(&self, place: &[u8], secret: &[u8]) -> Vec<u8> {
        seal_small(&self.misc, place, secret)
    }

    /// Opens what [`EpochKeys::seal_secret`] made for the same place.
    #[must_use]
    pub fn open_secret(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open_small(&self.misc, place, sealed)
    }
}

/// Names contents: the same bytes get the same name, and nobody without the key can test a guess.
pub struct DigestKey(hmac::Key);

impl DigestKey {
    /// The keyed digest of some content.
    #[must_use]
    pub fn digest(&self, content: &[u8]) -> [u8; 32] {
        hmac::sign(&self.0, content).as_ref().try_into().expect("HMAC-SHA-256 is 32 bytes")
    }
}

/// The directory of key files.
pub struct Keyring {
    dir: PathBuf,
    root_path: PathBuf,
    root: Mutex<Option<Arc<dyn RootKey>>>,
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
            root: Mutex::new(None),
            epochs: Cache::builder().max_capacity(10_000).time_to_live(LIFETIME).build(),
            digests: Cache::builder().max_capacity(10_000).time_to_live(LIFETIME).build(),
        }
    }

    /// Makes the root key when this is a new installation: no key file exists yet. Call it only
    /// when the database remembers no epoch either.
    ///
    /// # Errors
    /// [`KeyringError::Root`] when keys exist whose root key is gone: that is never mended by a new one.
    pub fn ensure_root(&self) -> Result<(), KeyringError> {
        let has_keys = fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some());
        if self.root_path.exists() || has_keys {
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

    /// Whether the root key can be used and the key files are there right now, whatever is cached.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong.
    pub fn check(&self) -> Result<(), KeyringError> {
        FileRootKey::open(&self.root_path)?;
        // The installation's own keys are made first and stay as long as there is a keyring.
        let path = self.path(TenantId::INSTALLATION, "1.tek");
        match fs::metadata(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(KeyringError::Missing { path })
            }
            Err(source) => Err(KeyringError::Io { path, source }),
        }
    }

    /// The keys a tenant begins with, epoch 1 and the digest key, made where there are none yet: an
    /// interrupted set-up goes on. Durable when it returns. Only for tenants the database does not
    /// remember keys of.
    ///
    /// # Errors
    /// [`KeyringError`] by what is wrong.
    pub async fn ensure_tenant(&self, tenant_id: TenantId) -> Result<Arc<EpochKeys>, KeyringError> {
        let dir = self.dir.join(tenant_id.to_string());
        let io = |source| KeyringError::Io { path: dir.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io)?;
        for name in ["digest.key", "1.tek"] {
            if !dir.join(name).exists() {
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
            let path = self.path(tenant_id, &format!("{epoch}.tek"));
            return Err(KeyringError::NotTheKey { path, tenant_id, epoch });
        }
        Ok(keys)
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
        let key = Arc::new(DigestKey(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice())));
        self.digests.insert(tenant_id, Arc::clone(&key));
        Ok(key)
    }

    fn root(&self) -> Result<Arc<dyn RootKey>, KeyringError> {
        let mut root = self.root.lock().expect("nothing panics while holding it");
        if let Some(root) = &*root {
            return Ok(Arc::clone(root));
        }
        let opened: Arc<dyn RootKey> = Arc::new(FileRootKey::open(&self.root_path)?);
        *root = Some(Arc::clone(&opened));
        Ok(opened)
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
        let path = self.path(tenant_id, name);
        let contents = match fs::read(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyringError::Missing { path });
            }
            Err(source) => return Err(KeyringError::Io { path, source }),
        };
        let Some((head, wrapped)) = contents.split_at_checked(12) else {
            return Err(KeyringError::Damaged { path });
        };
        if &head[..4] != MAGIC {
            return Err(KeyringError::Damaged { path });
        }
        let root = self.root()?;
        if head[4..] != root.id() {
            return Err(KeyringError::OtherRoot { path });
        }
        root.unwrap(&place(tenant_id, name), wrapped)
            .await
            .map_err(|_| KeyringError::Damaged { path })
    }
}

/// What a key file is bound to.
fn place(tenant_id: TenantId, name: &str) -> Vec<u8> {
    [b"CLK1".as_slice(), tenant_id.0.as_bytes(), name.as_bytes()].concat()
}

fn first16(tag: &hmac::Tag) -> [u8; 16] {
    tag.as_ref()[..16].try_into().expect("HMAC-SHA-256 is longer")
}

/// A key of its own for one purpose.
fn expand(key: &KeyBytes, label: &[u8]) -> KeyBytes {
    struct Len32;
    impl KeyType for Len32 {
        fn len(&self) -> usize {
            32
        }
    }
    let mut bytes = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, b"call-ledger")
        .extract(key.as_slice())
        .expand(&[label], Len32)
        .and_then(|okm| okm.fill(bytes.as_mut_slice()))
        .expect("32 bytes is a valid HKDF length");
    bytes
}

#[cfg(test)]
mod tests;
