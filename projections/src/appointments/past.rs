//! An appointment folded from the log, up to the event of a command: the answer to that command does
//! not wait for the read model, and a repetition gets the same one.

use ledger_core::ids::{Position, StreamId};
use ledger_store::read::{metadata, stream_between};
use ledger_store::{StoreError, TenantTx};

use super::list::ListedAppointment;
use super::row::Appointment;
use crate::calls::point_in_time::{self, PointInTime};
use crate::projector::{LogEvent, ProjectError};

/// Returns the appointment as its events up to a position tell it; `None` for the end of the log.
///
/// # Errors
/// [`StoreError::Database`] if a statement fails, [`StoreError::Corrupt`] if an event cannot be
/// decoded.
pub async fn up_to(
    tx: &mut TenantTx,
    stream_id: StreamId,
    until: Option<Position>,
) -> Result<Option<ListedAppointment>, StoreError> {
    let tenant_id = tx.tenant_id();
    let until = until.unwrap_or(Position(i64::MAX));
    let events = stream_between(tx.conn(), tenant_id, stream_id.0, Position(1), until).await?;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    let mut metas = metadata(tx.conn(), tenant_id, &positions).await?;
    let mut row = None;
    for event in events {
        let (at, meta) = (event.recorded_at, metas.remove(&event.position));
        Appointment::evolve(&mut row, &LogEvent::new(event, at).with_meta(meta)).map_err(store)?;
    }
    let Some(appointment) = row else { return Ok(None) };
    let provider_call_id = match appointment.call_id {
        Some(call_id) => {
            let moment = PointInTime::Position(until.0);
            let call = point_in_time::find(tx, call_id, moment).await?;
            call.map(|found| found.call.provider_call_id).filter(|id| !id.is_empty())
        }
        None => None,
    };
    Ok(Some(ListedAppointment { appointment, provider_call_id }))
}

fn store(error: ProjectError) -> StoreError {
    match error {
        ProjectError::Database(error) => error.into(),
        ProjectError::Poison(_) => StoreError::Corrupt { table: "ledger.events", column: "facts" },
    }
}
