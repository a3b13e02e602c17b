//! Changes of webhook sources that have a rule beside those of the store.

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::ids::{SourceId, TenantId};
use ledger_store::Store;
use ledger_store::admin_events::Attribution;
use ledger_store::source::SourceError;
use ledger_store::source::change::Changed;

/// Maximum time during which two secrets are accepted, in seconds: 30 days.
pub const MAX_OVERLAP_S: i64 = 30 * 24 * 3600;

/// Replaces the secret of a source. The previous one is accepted for `overlap_s` more seconds, at most
/// [`MAX_OVERLAP_S`]; 0 refuses it at once. `tenant_id` limits the change to sources of this tenant.
///
/// # Errors
/// [`SourceError`], also for a secret that is too weak.
pub async fn rotate_secret(
    store: &Store,
    by: &Attribution,
    tenant_id: Option<TenantId>,
    source_id: SourceId,
    (secret, overlap_s): (&str, i64),
) -> Result<Changed, SourceError> {
    let until = old_secret_until(store.clock().now_micros(), overlap_s);
    store.rotate_source_secret(by, tenant_id, source_id, secret, until).await
}

/// Expiry of the previous secret; `None` without an overlap.
fn old_secret_until(now: DateTime<Utc>, overlap_s: i64) -> Option<DateTime<Utc>> {
    (overlap_s > 0).then(|| now + TimeDelta::seconds(overlap_s.min(MAX_OVERLAP_S)))
}
