//! Checks the log of a tenant: positions and stream versions are dense, and every leaf hash matches
//! the stored bytes.

use std::collections::HashMap;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{PageSize, full_after};
use ledger_store::{Store, StoreError, TenantTx};
use uuid::Uuid;

/// Page size of the check, which bounds its memory.
const PAGE: PageSize = PageSize { rows: 2_000, bytes: 4 << 20 };

/// Result of the check of a tenant's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedLog {
    /// Number of events before the first bad one, or of all.
    pub size: i64,
    /// The first position that fails.
    pub first_bad: Option<i64>,
}

/// Checks a whole log; stops at the first position that fails.
///
/// # Errors
/// The database did not answer.
pub async fn check_log(store: &Store, tenant_id: TenantId) -> Result<CheckedLog, StoreError> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut size = 0;
    loop {
        let page = full_after(&mut tx, Position(size), PAGE).await?;
        if page.is_empty() {
            return Ok(CheckedLog { size, first_bad: None });
        }
        for row in page {
            let version = versions.entry(row.event.stream_id).or_default();
            *version += 1;
            let is_sound = row.event.position == size + 1
                && row.event.stream_version == *version
                && row.is_intact(tenant_id);
            if !is_sound {
                return Ok(CheckedLog { size, first_bad: Some(size + 1) });
            }
            size += 1;
        }
    }
}
