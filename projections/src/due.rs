//! `due`: tasks, and the reminders of appointments that are still to take place.
//!
//! A reminder is derived from the events of its appointment: each booking and each move has the offsets
//! that applied then, so a rebuild makes the same reminders whatever the settings are now. Texts of
//! tasks are not in the rows; they are read from the log at the position of `task.created`.

mod appointment;
mod list;
mod load;
mod task;
mod task_list;
mod write;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ledger_core::event::Event;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use self::appointment::{OpenAppointment, Reminded};
pub use self::list::{AfterDue, Due, DueFilter, DueKind, Work, due};
pub use self::task::Task;
pub use self::task_list::{AfterTask, TaskFilter, task_up_to, tasks};
use crate::projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantKeys,
    WriteMode,
};

/// Key of a row: tenant id, and id of the task or the appointment.
type Key = (TenantId, Uuid);

/// The projector of the `due` read model.
pub struct DueWork;

#[async_trait]
impl Projector for DueWork {
    fn name(&self) -> &'static str {
        "due"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, stream_kind: &str) -> bool {
        matches!(stream_kind, "appointment" | "task")
    }

    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError> {
        let tasks = load::tasks(conn, wanted).await?;
        let appointments = load::appointments(conn, wanted).await?;
        Ok(Box::new(DueBatch { known: Known { tasks, appointments }, ..DueBatch::default() }))
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        let key = (one.tenant.tenant_id, one.event.stream());
        write::remove_appointments(conn, &[key]).await?;
        sqlx::query!(
            "delete from tasks where tenant_id = $1 and task_id = $2",
            one.tenant.tenant_id.0,
            one.event.stream(),
        )
        .execute(conn)
        .await?;
        Ok(Again::Key)
    }
}

/// Stored rows without events in the batch so far.
#[derive(Default)]
struct Known {
    tasks: HashMap<Key, Task>,
    appointments: HashMap<Key, OpenAppointment>,
}

/// A batch of events, folded as they arrive.
#[derive(Default)]
struct DueBatch {
    known: Known,
    /// Tasks with events in the batch; `None` while `task.created` is not among the events.
    tasks: BTreeMap<Key, Option<Task>>,
    /// Appointments with events in the batch; `None` for one that is closed or was never booked.
    appointments: BTreeMap<Key, Option<Reminded>>,
}

#[async_trait]
impl<'e> ProjectionBatch<'e> for DueBatch {
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let recorded = event.recorded()?;
        let key = (tenant_id, event.stream());
        let known = &mut self.known;
        match &recorded.event {
            Event::Task(change) => {
                let row = self.tasks.entry(key).or_insert_with(|| known.tasks.remove(&key));
                Task::evolve(row, recorded, change);
            }
            Event::Appointment(change) => {
                let stored = || known.appointments.remove(&key).map(Reminded::stored);
                let row = self.appointments.entry(key).or_insert_with(stored);
                Reminded::evolve(row, recorded, change);
            }
            _ => {}
        }
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection, _: WriteMode) -> Result<(), ProjectError> {
        let tasks = std::mem::take(&mut self.tasks);
        let tasks: Vec<_> =
            tasks.into_iter().filter_map(|((tenant, _), row)| Some((tenant, row?))).collect();
        write::tasks(conn, &tasks).await?;
        write::appointments(conn, &std::mem::take(&mut self.appointments)).await
    }
}
