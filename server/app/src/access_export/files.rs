//! The directory of the files of exports: `<dir>/<tenant_id>/<export_id>.age`.
//!
//! Servers that share a database share this directory, as they share the keyring. Files are readable
//! by the user of the server only.

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_core::ids::{ExportId, TenantId};
use ledger_store::{Store, StoreError};
use tokio::fs;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::fault::chain;
use crate::workers::StopSignal;

/// Interval of the looks for expired files.
const LOOK: Duration = Duration::from_mins(10);
/// Age of a file without a row, or of a part, after which it is deleted: it was left by a process
/// that was killed.
const LEFT_OVER: Duration = Duration::from_hours(24);

/// The directory of the files.
#[derive(Debug, Clone)]
pub struct ExportFiles {
    dir: PathBuf,
}

impl ExportFiles {
    /// Files in a directory, which is made with the first export.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Returns the path of the file of an export.
    #[must_use]
    pub fn path(&self, tenant_id: TenantId, export_id: ExportId) -> PathBuf {
        self.dir.join(tenant_id.0.to_string()).join(format!("{}.age", export_id.0))
    }

    /// Returns the path of a new file, and makes its directory.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn prepare(&self, tenant_id: TenantId, export_id: ExportId) -> io::Result<PathBuf> {
        let path = self.path(tenant_id, export_id);
        let dir = path.parent().unwrap_or(&self.dir);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(path)
    }

    /// Returns whether the file of an export is in this directory.
    pub async fn has(&self, tenant_id: TenantId, export_id: ExportId) -> bool {
        fs::try_exists(self.path(tenant_id, export_id)).await.unwrap_or(false)
    }

    /// Deletes the file of an export, and what a process that was killed left of it. A file that is
    /// not there is deleted.
    ///
    /// # Errors
    /// The file is there and cannot be deleted.
    pub async fn delete(&self, tenant_id: TenantId, export_id: ExportId) -> io::Result<()> {
        let path = self.path(tenant_id, export_id);
        for path in [path.with_extension("part"), path] {
            match fs::remove_file(&path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes expired files and left-over parts until it is told to stop.
    pub async fn run(&self, store: &Store, mut stop: StopSignal) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = async {
            // A dropped sender is a stop too.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let looking = async {
            loop {
                looks.tick().await;
                self.delete_expired(store).await;
            }
        };
        tokio::select! {
            () = looking => {}
            () = stopped => {}
        }
    }

    /// Deletes expired files of all tenants that have a directory. A fault is logged, and the next
    /// look tries again.
    pub async fn delete_expired(&self, store: &Store) {
        for tenant_id in names(&self.dir).await.into_iter().map(TenantId) {
            if let Err(error) = self.delete_expired_of(store, tenant_id).await {
                tracing::warn!(error = chain(&error), "export.expiry_failed");
            }
            self.delete_left_over(store, tenant_id).await;
        }
    }

    async fn delete_expired_of(
        &self,
        store: &Store,
        tenant_id: TenantId,
    ) -> Result<(), StoreError> {
        for row in store.expired_exports(tenant_id).await? {
            match self.delete(tenant_id, row.export_id).await {
                Ok(()) => store.export_deleted(tenant_id, row.export_id).await?,
                Err(error) => tracing::warn!(error = %error, "export.file_not_deleted"),
            }
        }
        Ok(())
    }

    /// Deletes old parts, and files that no row names.
    async fn delete_left_over(&self, store: &Store, tenant_id: TenantId) {
        let dir = self.dir.join(tenant_id.0.to_string());
        for export_id in names(&dir).await.into_iter().map(ExportId) {
            let path = self.path(tenant_id, export_id);
            if is_old(&path.with_extension("part")).await {
                let _ = fs::remove_file(path.with_extension("part")).await;
            }
            if !is_old(&path).await {
                continue;
            }
            let row = store.export_row(tenant_id, export_id).await;
            if matches!(&row, Ok(None)) || matches!(&row, Ok(Some(row)) if row.deleted_at.is_some())
            {
                let _ = fs::remove_file(&path).await;
            }
        }
    }
}

/// The ids that name entries of a directory, each once.
async fn names(dir: &Path) -> Vec<Uuid> {
    let mut names = Vec::new();
    let Ok(mut entries) = fs::read_dir(dir).await else { return names };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        names.extend(stem.and_then(|stem| Uuid::try_parse(stem).ok()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

async fn is_old(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path).await else { return false };
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > LEFT_OVER)
}
