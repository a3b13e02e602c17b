//! Backoff of tenants with failing events: their rows are locked, or their data is at fault.
//!
//! A postponed tenant is retried alone in its own cycle, so that its failure does not affect other
//! tenants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use tokio::time::Instant;

/// First and longest delay of a tenant; each failure doubles it.
const MIN_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);
/// SQLSTATE classes of errors that concern the connection or the whole server: 08 and 57
/// (connection or server shut down), 25 (read-only), 53 (insufficient resources) and 58 (system
/// error).
const SERVER_ERROR_CLASSES: [&str; 5] = ["08", "25", "53", "57", "58"];
/// SQLSTATE of a statement timeout, which is in class 57 but concerns the statement.
const STATEMENT_TIMEOUT: &str = "57014";

/// Tenants postponed by the workers of a lane. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Backoff(Arc<Mutex<HashMap<TenantId, Delay>>>);

struct Delay {
    at: Instant,
    wait: Duration,
}

impl Backoff {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Delay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, tenant_id: TenantId) {
        let mut postponed = self.lock();
        let again = postponed.get(&tenant_id).map(|known| (known.wait * 2).min(MAX_DELAY));
        let wait = again.unwrap_or(MIN_DELAY);
        postponed.insert(tenant_id, Delay { at: Instant::now() + wait, wait });
    }

    /// Returns all postponed tenants, to exclude them from other cycles.
    pub(super) fn all(&self) -> Vec<TenantId> {
        self.lock().keys().copied().collect()
    }

    /// Returns a tenant that is due for a retry, and reserves it for the caller for `MAX_DELAY`.
    pub(super) fn due(&self) -> Option<TenantId> {
        let now = Instant::now();
        let mut postponed = self.lock();
        let (tenant_id, until) = postponed.iter_mut().find(|(_, until)| until.at <= now)?;
        until.at = now + MAX_DELAY;
        Some(*tenant_id)
    }

    /// Removes a tenant from the backoff after a success.
    pub(super) fn clear(&self, tenant_id: TenantId) {
        self.lock().remove(&tenant_id);
    }
}

/// Returns whether an error concerns the written rows, and not the connection or the server.
pub(super) fn is_about_rows(error: &sqlx::Error) -> bool {
    match error {
        // Another worker moved the checkpoint (compare-and-set failed).
        sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code == STATEMENT_TIMEOUT
                || !SERVER_ERROR_CLASSES.iter().any(|class| code.starts_with(class))
        }
        _ => false,
    }
}
