//! Removes a call from the rows and sums, so that its remaining events can be folded again.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::{RollupChange, load};
use super::{carriers, derived_tables, rollup};
use crate::projector::{ProjectError, TenantContext, TenantKeys, WriteMode};

/// Deletes the row of a call and its rows in the derived tables, and subtracts its contribution
/// from the sums. A carrier's call that was a part of it becomes a record of its own.
pub(super) async fn remove(
    conn: &mut PgConnection,
    tenant: TenantContext,
    call_id: Uuid,
) -> Result<(), ProjectError> {
    let tenant_id = tenant.tenant_id;
    let known = load(conn, &[TenantKeys { tenant, keys: vec![call_id] }]).await?;
    let changes: Vec<RollupChange> = known
        .into_iter()
        .map(|(key, folded)| {
            let before = Some(Contribution::of(tenant_id, &folded.call));
            RollupChange { key, before, now: None, was_part: folded.is_part }
        })
        .collect();
    sqlx::query!("delete from calls where tenant_id = $1 and call_id = $2", tenant_id.0, call_id,)
        .execute(&mut *conn)
        .await?;
    carriers::delete_parts(conn, &[(tenant_id, call_id)]).await?;
    let changes = carriers::join(conn, changes, WriteMode::Upsert).await?;
    derived_tables::write(conn, &changes, WriteMode::Upsert).await?;
    let zones = HashMap::from([(tenant_id, tenant.zone)]);
    rollup::write(conn, &zones, &changes, WriteMode::Upsert).await
}
