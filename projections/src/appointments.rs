//! `appointments`: one row per appointment, folded from the stream of the appointment.
//!
//! The person's data is a copy of sealed bytes. Nothing of calls is in the rows; a query joins the
//! call of an appointment.

mod list;
mod of_call;
mod past;
mod row;
mod write;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

pub use list::{After, AppointmentFilter, ListedAppointment, find, list};
pub use of_call::of_calls;
pub use past::up_to;
pub use row::{Appointment, HistoryEntry};
use write::AppointmentKey;

use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantKeys,
    WriteMode,
};

/// The projector of the `appointments` read model.
pub struct Appointments;

#[async_trait]
impl Projector for Appointments {
    fn name(&self) -> &'static str {
        "appointments"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, stream_kind: &str) -> bool {
        stream_kind == "appointment"
    }

    fn reads_meta(&self) -> bool {
        true
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let known = write::load(conn, wanted).await?;
        Ok(Box::new(AppointmentBatch { known, changed: BTreeMap::new() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        sqlx::query!(
            "delete from appointments where tenant_id = $1 and appointment_id = $2",
            one.tenant.tenant_id.0,
            one.event.stream(),
        )
        .execute(conn)
        .await?;
        Ok(Again::Key)
    }
}

/// A batch of events, folded as they arrive.
struct AppointmentBatch {
    /// Stored rows without events in the batch so far.
    known: HashMap<AppointmentKey, Appointment>,
    /// Rows with events in the batch; `None` while the booking is not among its events.
    changed: BTreeMap<AppointmentKey, Option<Appointment>>,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for AppointmentBatch {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let key = (tenant_id, event.stream());
        let known = &mut self.known;
        let row = self.changed.entry(key).or_insert_with(|| known.remove(&key));
        Appointment::evolve(row, event)
    }

    async fn write(&mut self, conn: &mut PgConnection, _: WriteMode) -> Result<(), ProjectError> {
        let changed = std::mem::take(&mut self.changed);
        let rows: Vec<_> =
            changed.into_iter().filter_map(|((tenant, _), row)| Some((tenant, row?))).collect();
        write::upsert(conn, &rows).await
    }
}
