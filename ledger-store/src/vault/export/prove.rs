//! Proof of an export: it is read to its end, and every key in it that is not destroyed is opened.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::ids::{SourceId, SubjectId, TenantId};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::VaultExportError;
use super::file::{Frame, Head, Reader, TableHead};
use super::rows::{Malformed, Row, Rows};
use super::tables::table;
use crate::keyring::{EpochKeys, Keyring};
use crate::root_key;
use crate::source::secret_aad;
use crate::vault::keys::wrap_aad;

/// The counts of an export whose keys all open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultProof {
    /// Time of its snapshot.
    pub created_at: DateTime<Utc>,
    /// Number of tenants with an epoch, the installation included.
    pub tenants: u64,
    /// Number of keys that opened: active, restricted and fenced ones.
    pub opened: u64,
    /// Number of destroyed keys.
    pub destroyed: u64,
    /// Number of secrets of sources that opened.
    pub secrets: u64,
}

pub(super) async fn prove(
    keyring: Arc<Keyring>,
    path: PathBuf,
) -> Result<VaultProof, VaultExportError> {
    let handle = Handle::current();
    let proved = spawn_blocking(move || {
        let mut proof = Proof::new(keyring, handle);
        each_row(&path, |head, row| proof.take(&path, head, row))
            .and_then(|head| proof.end(&path, &head))
    });
    proved.await.expect("the proof does not panic")
}

/// Reads an export to its end and passes each row with its table to `each`. Returns its head.
pub(super) fn each_row(
    path: &Path,
    mut each: impl FnMut(&TableHead, Row) -> Result<(), VaultExportError>,
) -> Result<Head, VaultExportError> {
    let mut reader = Reader::open(path)?;
    let mut head = None;
    let mut current: Option<(TableHead, Rows, u64)> = None;
    while let Some(frame) = reader.next()? {
        match frame {
            Frame::Head(found) => head = Some(known(path, found)?),
            Frame::Table(next) => {
                complete(path, current.take())?;
                current = Some((next, Rows::default(), 0));
            }
            Frame::Rows(bytes) => {
                let (table, rows, count) =
                    current.as_mut().ok_or_else(|| reader.damaged("rows without a table"))?;
                let taken = rows.take(&bytes, |row| {
                    *count += 1;
                    if row.len() != table.columns.len() {
                        return Err(VaultExportError::damaged(path, "a row has other columns"));
                    }
                    each(table, row)
                })?;
                taken.map_err(|Malformed| reader.damaged("rows are not readable"))?;
            }
        }
    }
    complete(path, current.take())?;
    head.ok_or_else(|| reader.damaged("it has no head"))
}

/// Checks the format of an export.
pub(super) fn known(path: &Path, head: Head) -> Result<Head, VaultExportError> {
    match head.format {
        1 => Ok(head),
        format => Err(VaultExportError::OtherBuild {
            path: path.to_owned(),
            what: format!("its format is {format}"),
        }),
    }
}

fn complete(path: &Path, table: Option<(TableHead, Rows, u64)>) -> Result<(), VaultExportError> {
    match table {
        Some((head, rows, count)) if !rows.is_complete() || head.rows != count => {
            let what = format!("{} has {count} of {} rows", head.name, head.rows);
            Err(VaultExportError::damaged(path, what))
        }
        _ => Ok(()),
    }
}

struct Proof {
    keyring: Arc<Keyring>,
    handle: Handle,
    /// The epochs of each tenant, with check value and state.
    epochs: HashMap<(TenantId, i32), (Vec<u8>, String)>,
    opened: u64,
    destroyed: u64,
    secrets: u64,
    failed: u64,
    first: Option<String>,
}

impl Proof {
    fn new(keyring: Arc<Keyring>, handle: Handle) -> Self {
        let (opened, destroyed, secrets, failed) = (0, 0, 0, 0);
        let epochs = HashMap::new();
        Self { keyring, handle, epochs, opened, destroyed, secrets, failed, first: None }
    }

    fn take(&mut self, path: &Path, head: &TableHead, row: Row) -> Result<(), VaultExportError> {
        if table(&head.name).is_none() {
            let what = format!("it has the table {}", head.name);
            return Err(VaultExportError::OtherBuild { path: path.to_owned(), what });
        }
        let row = Named { columns: &head.columns, row };
        let unreadable =
            || VaultExportError::damaged(path, format!("a row of {} is not readable", head.name));
        match head.name.as_str() {
            "vault.epochs" => self.epoch(&row).ok_or_else(unreadable),
            "vault.subject_keys" => self.key(&row).ok_or_else(unreadable),
            "ledger.sources" => self.source(&row).ok_or_else(unreadable),
            _ => Ok(()),
        }
    }

    fn epoch(&mut self, row: &Named<'_>) -> Option<()> {
        let key = (TenantId(row.id("tenant_id")?), row.number("epoch")?);
        self.epochs.insert(key, (row.bytes("check_value")?.to_vec(), row.text("state")?));
        Some(())
    }

    fn key(&mut self, row: &Named<'_>) -> Option<()> {
        let (tenant_id, subject_id) =
            (TenantId(row.id("tenant_id")?), SubjectId(row.id("subject_id")?));
        let (generation, epoch) = (row.number("generation")?, row.number("epoch")?);
        let Some(wrapped) = row.bytes("wrapped") else {
            self.destroyed += 1;
            return (row.text("state")? == "destroyed").then_some(());
        };
        let aad = wrap_aad(tenant_id, subject_id, generation, epoch);
        let opened = self.keys(tenant_id, epoch).and_then(|keys| {
            root_key::unwrap(keys.wrapping(), &aad, wrapped)
                .map(drop)
                .ok_or_else(|| "it was altered, or moved".to_owned())
        });
        match opened {
            Ok(()) => self.opened += 1,
            Err(reason) => self.fail(format!(
                "the key of subject {subject_id}, generation {generation}, tenant {tenant_id}: {reason}"
            )),
        }
        Some(())
    }

    fn source(&mut self, row: &Named<'_>) -> Option<()> {
        let (tenant_id, source_id) =
            (TenantId(row.id("tenant_id")?), SourceId(row.id("source_id")?));
        let sealed = row.bytes("secret_sealed")?;
        let aad = secret_aad(tenant_id, source_id);
        let epoch = self
            .epochs
            .iter()
            .filter(|((owner, _), (_, state))| *owner == tenant_id && state == "live")
            .map(|((_, epoch), _)| *epoch)
            .max();
        // The secrets of a tenant whose keys were destroyed open no more.
        let Some(epoch) = epoch else { return Some(()) };
        let opened = self.keys(tenant_id, epoch).and_then(|keys| {
            let opened = keys.open_secret(&aad, sealed).map(drop);
            opened.ok_or_else(|| format!("it does not open under epoch {epoch}"))
        });
        match opened {
            Ok(()) => self.secrets += 1,
            Err(reason) => {
                self.fail(format!(
                    "the secret of source {source_id}, tenant {tenant_id}: {reason}"
                ));
            }
        }
        Some(())
    }

    /// The keys of an epoch, compared with the check value of the export.
    fn keys(&self, tenant_id: TenantId, epoch: i32) -> Result<Arc<EpochKeys>, String> {
        let Some((check_value, _)) = self.epochs.get(&(tenant_id, epoch)) else {
            return Err(format!("epoch {epoch} is not in the export"));
        };
        let keys = self.keyring.checked_epoch(tenant_id, epoch, check_value);
        self.handle.block_on(keys).map_err(|error| error.to_string())
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        self.first.get_or_insert(what);
    }

    fn end(self, path: &Path, head: &Head) -> Result<VaultProof, VaultExportError> {
        let Self { epochs, opened, destroyed, secrets, failed, first, .. } = self;
        if let Some(first) = first {
            let (path, all) = (path.to_owned(), opened + secrets + failed);
            return Err(VaultExportError::DoesNotOpen { path, failed, all, first });
        }
        let mut tenants: Vec<TenantId> =
            epochs.into_keys().map(|(tenant_id, _)| tenant_id).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let (created_at, tenants) = (head.created_at, tenants.len() as u64);
        Ok(VaultProof { created_at, tenants, opened, destroyed, secrets })
    }
}

/// A row whose values are found by the name of their column.
struct Named<'a> {
    columns: &'a [String],
    row: Row,
}

impl Named<'_> {
    fn bytes(&self, column: &str) -> Option<&[u8]> {
        let nth = self.columns.iter().position(|name| name == column)?;
        self.row[nth].as_deref()
    }

    fn id(&self, column: &str) -> Option<Uuid> {
        Uuid::from_slice(self.bytes(column)?).ok()
    }

    fn number(&self, column: &str) -> Option<i32> {
        self.bytes(column)?.try_into().ok().map(i32::from_be_bytes)
    }

    fn text(&self, column: &str) -> Option<String> {
        String::from_utf8(self.bytes(column)?.to_vec()).ok()
    }
}
