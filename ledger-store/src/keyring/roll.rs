//! Key files in the roll of an epoch: new ones, and the destruction of the old one.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use serde_json::{Value, json};

use super::derived::{IndexScheme, check_values, lookup_key};
use super::{EpochKeys, Keyring, KeyringError, LOOKUP_KEY, may_exist};

/// Name of the list of destroyed epoch keys.
const DESTROYED: &str = "destroyed.log";

impl Keyring {
    /// Returns the keys of the epoch after `old`, with blind indexes of scheme 2, after creating the key
    /// files that are missing. Files of an interrupted roll are used. The files are durable on return.
    ///
    /// After an epoch of scheme 1, its lookup key becomes the one of all epochs, so that blind indexes are
    /// computed from the old ones.
    ///
    /// # Errors
    /// [`KeyringError::Damaged`] when the file of the lookup key has another one.
    pub(crate) async fn create_epoch(
        &self,
        tenant_id: TenantId,
        old: &EpochKeys,
    ) -> Result<Arc<EpochKeys>, KeyringError> {
        if !old.has_encrypted_indexes() {
            let key = self.read(tenant_id, &format!("{}.tek", old.epoch)).await?;
            self.store(tenant_id, LOOKUP_KEY, &lookup_key(&key)).await?;
        }
        let epoch = old.epoch + 1;
        let name = format!("{epoch}.tek");
        if !may_exist(&self.path(tenant_id, &name)) {
            self.create(tenant_id, &name).await?;
        }
        let key = self.read(tenant_id, &name).await?;
        let lookup = self.read(tenant_id, LOOKUP_KEY).await?;
        let made = EpochKeys::derive(epoch, &key, IndexScheme::Encrypted(&lookup));
        if made.value_digest("", "") != old.value_digest("", "") {
            return Err(KeyringError::Damaged { path: self.path(tenant_id, LOOKUP_KEY) });
        }
        Ok(Arc::new(made))
    }

    /// Destroys the key file of an epoch: overwrites it, removes it, and appends a line to the list of
    /// destroyed keys. Durable on return; a repetition changes nothing.
    ///
    /// # Errors
    /// [`KeyringError::WrongKey`] when the file has another key; nothing is destroyed then.
    pub(crate) async fn destroy_epoch(
        &self,
        tenant_id: TenantId,
        epoch: i32,
        check_value: &[u8],
        at: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        // A rotation of the root key would write the file again.
        let _lock = self.lock()?;
        let name = format!("{epoch}.tek");
        let path = self.path(tenant_id, &name);
        match self.read(tenant_id, &name).await {
            Ok(key) if !check_values(&key).iter().any(|value| value == check_value) => {
                return Err(self.wrong_key(tenant_id, epoch));
            }
            // A file whose overwriting was interrupted does not open.
            Ok(_) | Err(KeyringError::Damaged { .. }) => {
                overwrite(&path)
                    .and_then(|()| fs::remove_file(&path))
                    .map_err(|source| KeyringError::Io { path: path.clone(), source })?;
            }
            Err(KeyringError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        self.epochs.invalidate(&(tenant_id, epoch));
        let list = self.path(tenant_id, DESTROYED);
        let line = json!({
            "epoch": epoch,
            "check_value": hex::encode(check_value),
            "destroyed_at": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        });
        append_line(&list, epoch, &line)
            .map_err(|source| KeyringError::Io { path: list.clone(), source })
    }
}

/// Overwrites a file with random bytes of the same length, durably. Disks that write elsewhere keep the
/// old bytes, which are wrapped by the root key.
fn overwrite(path: &Path) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut random = vec![0; len.min(4_096)];
    rand::fill(&mut random).expect("the operating system gives randomness");
    file.write_all(&random)?;
    file.sync_all()
}

/// Appends a line about an epoch unless there is one, and makes the directory durable.
fn append_line(path: &Path, epoch: i32, line: &Value) -> std::io::Result<()> {
    let known = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let is_listed = known
        .lines()
        .any(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["epoch"] == epoch));
    let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if !is_listed {
        // A line that a crash has cut off is not continued.
        let begin = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
        file.write_all(format!("{begin}{line}\n").as_bytes())?;
    }
    file.sync_all()?;
    path.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())
}
