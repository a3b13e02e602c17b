//! The root keys of an installation: the one that wraps new keys, and the one before it while a
//! rotation is in progress.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::file::FileRootKey;
use super::transit::Transit;
use super::{RootKey, RootKeyError};

/// Where the root keys are. Nothing is read before it is needed, and nothing is cached, so that a
/// removed, exchanged or restored file takes effect without a restart.
///
/// ```text
/// root.key            the root key
/// root.key.next       during a rotation: wraps new keys, and becomes root.key
/// root.key.former     during a rotation: the one before, until no key file needs it
/// ```
#[derive(Debug, Clone)]
pub struct Roots {
    file: PathBuf,
    transit: Option<Transit>,
}

impl Roots {
    /// The root key in a file.
    #[must_use]
    pub fn in_file(file: PathBuf) -> Self {
        Self { file, transit: None }
    }

    /// A root key in Vault. Key files that were wrapped by the root key in `former`, if that file
    /// exists, open as well.
    #[must_use]
    pub fn in_vault(transit: Transit, former: PathBuf) -> Self {
        Self { file: former, transit: Some(transit) }
    }

    /// Returns the place of the root key, for messages: a path, or a URL.
    #[must_use]
    pub fn place(&self) -> String {
        self.transit.as_ref().map_or_else(|| self.file.display().to_string(), Transit::url)
    }

    /// Whether the root key is in Vault.
    #[must_use]
    pub fn is_in_vault(&self) -> bool {
        self.transit.is_some()
    }

    /// Returns the root key that wraps new keys.
    ///
    /// # Errors
    /// [`RootKeyError`] when its file cannot be used.
    pub fn current(&self) -> Result<Box<dyn RootKey>, RootKeyError> {
        if let Some(transit) = &self.transit {
            return Ok(Box::new(transit.clone()));
        }
        let main = FileRootKey::open(&self.file)?;
        match optional(&self.next())? {
            Some(next) => Ok(Box::new(next)),
            None => Ok(Box::new(main)),
        }
    }

    /// Wraps and opens a key, to check that the root key can be used now.
    ///
    /// # Errors
    /// [`RootKeyError`] with the cause.
    pub async fn test(&self) -> Result<(), RootKeyError> {
        let (root, key, aad) = (self.current()?, Zeroizing::new([7; 32]), b"CLK1 test");
        let wrapped = root.wrap(aad, &key).await?;
        match root.unwrap(aad, &wrapped).await? {
            opened if opened == key => Ok(()),
            _ => Err(RootKeyError::DoesNotOpen),
        }
    }

    /// Returns the root key with an id; `None` when no key at hand has it.
    ///
    /// # Errors
    /// [`RootKeyError`] when a file cannot be used, and no other root key has the id.
    pub(crate) fn by_id(&self, id: [u8; 8]) -> Result<Option<Box<dyn RootKey>>, RootKeyError> {
        if let Some(transit) = &self.transit {
            if transit.id() == id {
                return Ok(Some(Box::new(transit.clone())));
            }
            let former = optional(&self.file)?.filter(|former| former.id() == id);
            return Ok(former.map(|former| Box::new(former) as _));
        }
        let main = FileRootKey::open(&self.file);
        for candidate in [optional(&self.next()), optional(&self.former())] {
            if let Ok(Some(candidate)) = candidate
                && candidate.id() == id
            {
                return Ok(Some(Box::new(candidate)));
            }
        }
        Ok(Some(main?).filter(|main| main.id() == id).map(|main| Box::new(main) as _))
    }

    /// Returns the file of the root key; `None` for a root key in Vault.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.transit.is_none().then_some(self.file.as_path())
    }

    /// Returns the file of the root key to be.
    pub(crate) fn next(&self) -> PathBuf {
        with_suffix(&self.file, ".next")
    }

    /// Returns the file of the root key before the last rotation.
    pub(crate) fn former(&self) -> PathBuf {
        with_suffix(&self.file, ".former")
    }
}

/// Opens a root key whose file may be absent.
fn optional(path: &Path) -> Result<Option<FileRootKey>, RootKeyError> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    FileRootKey::open(path).map(Some)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
