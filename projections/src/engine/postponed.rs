//! Tenants that the database does not let on: their rows are held by somebody, or something is wrong
//! with them. Nobody else waits for them, and their turn comes again in a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use tokio::time::Instant;

/// How long a tenant is passed over.
const AWHILE: Duration = Duration::from_secs(5);
/// SQLSTATE classes, and codes of class 57, that speak of the connection or of the whole database:
/// 08 and 57 (connections and servers that end), 25 (read-only), 53 and 58 (nothing left, a broken disk).
const EVERYBODYS: [&str; 5] = ["08", "25", "53", "57", "58"];
/// A statement that took too long, which is of class 57 as well.
const CANCELLED: &str = "57014";

/// Who is passed over by the workers of a lane. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Postponed(Arc<Mutex<HashMap<TenantId, Instant>>>);

impl Postponed {
    pub(super) fn put(&self, tenant_id: TenantId) {
        let until = Instant::now() + AWHILE;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant_id, until);
    }

    /// Those whose turn has not come again.
    pub(super) fn all(&self) -> Vec<TenantId> {
        let mut postponed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        postponed.retain(|_, until| *until > now);
        postponed.keys().copied().collect()
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
