//! Removes a call or an appointment from the rows and sums, so that its remaining events can be folded
//! again.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::{BookingsChange, CallUpdate, RollupChange, load_keys};
use super::{bookings, carriers, settle};
use crate::projector::{ProjectError, TenantContext, WriteMode};

/// Deletes the row of a call and its rows in the derived tables, and subtracts its contribution
/// from the sums. A carrier's call that was a part of it becomes a record of its own. The states of
/// its appointments stay.
pub(super) async fn remove(
    conn: &mut PgConnection,
    tenant: TenantContext,
    call_id: Uuid,
) -> Result<(), ProjectError> {
    let tenant_id = tenant.tenant_id;
    let mut known = load_keys(conn, vec![(tenant_id, call_id)]).await?;
    let changes: Vec<RollupChange> = known
        .calls
        .into_iter()
        .map(|(key, folded)| {
            let bookings = known.bookings.remove(&key).unwrap_or_default();
            let before = Some(Contribution::of(tenant_id, &folded.call, &bookings));
            RollupChange { key, before, now: None, was_part: folded.is_part }
        })
        .collect();
    sqlx::query!("delete from calls where tenant_id = $1 and call_id = $2", tenant_id.0, call_id,)
        .execute(&mut *conn)
        .await?;
    carriers::delete_parts(conn, &[(tenant_id, call_id)]).await?;
    settle(conn, &zones(tenant), changes, WriteMode::Upsert).await
}

/// Deletes the state of an appointment, and takes it from the call that it was booked in.
pub(super) async fn remove_booking(
    conn: &mut PgConnection,
    tenant: TenantContext,
    appointment_id: Uuid,
) -> Result<(), ProjectError> {
    let tenant_id = tenant.tenant_id;
    let Some(call_id) = bookings::call_of(conn, (tenant_id, appointment_id)).await? else {
        return Ok(());
    };
    let key = (tenant_id, call_id);
    let mut known = load_keys(conn, vec![key]).await?;
    bookings::delete(conn, (tenant_id, appointment_id)).await?;
    let before = known.bookings.remove(&key).unwrap_or_default();
    let mut now = before.clone();
    now.remove(appointment_id);
    let bookings = BookingsChange { before, now };
    let update = CallUpdate { key, before: known.calls.remove(&key), bookings, events: Vec::new() };
    if update.before.is_none() {
        return Ok(());
    }
    let changes = vec![update.fold().1];
    settle(conn, &zones(tenant), changes, WriteMode::Upsert).await
}

fn zones(tenant: TenantContext) -> HashMap<ledger_core::ids::TenantId, chrono_tz::Tz> {
    HashMap::from([(tenant.tenant_id, tenant.zone)])
}
