//! Tenants that the database does not let on: their rows are held by somebody, or something is wrong
//! with them. They are tried again in a while, in a turn of their own, so that nobody shares their
//! trouble.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use tokio::time::Instant;

/// How long a tenant is passed over at first, and at most: each failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// SQLSTATE classes, and codes of class 57, that speak of the connection or of the whole database:
/// 08 and 57 (connections and servers that end), 25 (read-only), 53 and 58 (nothing left, a broken disk).
const EVERYBODYS: [&str; 5] = ["08", "25", "53", "57", "58"];
/// A statement that took too long, which is of class 57 as well.
const CANCELLED: &str = "57014";

/// Who is passed over by the workers of a lane. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Postponed(Arc<Mutex<HashMap<TenantId, Until>>>);

struct Until {
    at: Instant,
    wait: Duration,
}

impl Postponed {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Until>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, tenant_id: TenantId) {
        let mut postponed = self.lock();
        let again = postponed.get(&tenant_id).map(|known| (known.wait * 2).min(LONGEST));
        let wait = again.unwrap_or(FIRST);
        postponed.insert(tenant_id, Until { at: Instant::now() + wait, wait });
    }

    /// All of them, for everybody else's turns.
    pub(super) fn all(&self) -> Vec<TenantId> {
        self.lock().keys().copied().collect()
    }

    /// One whose turn has come again. Nobody else gets it meanwhile.
    pub(super) fn due(&self) -> Option<TenantId> {
        let now = Instant::now();
        let mut postponed = self.lock();
        let (tenant_id, until) = postponed.iter_mut().find(|(_, until)| until.at <= now)?;
        until.at = now + LONGEST;
        Some(*tenant_id)
    }

    /// It is one of many again.
    pub(super) fn clear(&self, tenant_id: TenantId) {
        self.lock().remove(&tenant_id);
    }
}

/// Whether an error speaks of the rows that were being written, and not of the database as such.
pub(super) fn is_about_rows(error: &sqlx::Error) -> bool {
    match error {
        // A checkpoint that somebody else moved.
        sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code == CANCELLED || !EVERYBODYS.iter().any(|class| code.starts_with(class))
        }
        _ => false,
    }
}
