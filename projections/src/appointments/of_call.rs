//! The appointment of a call: the one booked last in it.

use std::collections::HashMap;

use ledger_core::ids::Position;
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::write::history;
use crate::calls::LinkedAppointment;

/// Returns the appointment booked last in each of these calls, as it was at a position of the log.
/// Calls without one are absent.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row is not what the projector wrote.
pub async fn of_calls(
    tx: &mut TenantTx,
    call_ids: &[Uuid],
    until: Option<Position>,
) -> Result<HashMap<Uuid, LinkedAppointment>, StoreError> {
    if call_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let tenant_id = tx.tenant_id();
    let until = until.map_or(i64::MAX, |position| position.0);
    let rows = sqlx::query!(
        r#"
        select k.call_id as "call_id!", a.appointment_id as "appointment_id!", a.service,
               a.history as "history!"
          from unnest($2::uuid[]) as k (call_id)
         cross join lateral (
               select appointment_id, service, history
                 from read.appointments
                where tenant_id = $1 and call_id = k.call_id and booked_position <= $3
                order by booked_position desc
                limit 1) a
        "#,
        tenant_id.0,
        call_ids,
        until,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut linked = HashMap::with_capacity(rows.len());
    for row in rows {
        let history = history(&row.history)?;
        let Some(last) = history.iter().rfind(|entry| entry.position <= until) else { continue };
        let appointment = LinkedAppointment {
            appointment_id: row.appointment_id,
            scheduled_at: last.scheduled_at,
            status: last.status,
            service: row.service,
        };
        linked.insert(row.call_id, appointment);
    }
    Ok(linked)
}
