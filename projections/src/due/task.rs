//! The row of a task, and its fold.

use chrono::{DateTime, Utc};
use ledger_core::envelope::Recorded;
use ledger_core::event::{TaskEvent, TaskKind, TaskOrigin, TaskStatus};
use ledger_core::ids::Position;
use ledger_store::StoreError;
use uuid::Uuid;

/// A task, as its events tell it. Its text is sealed in the event that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Id of the task, and of its stream.
    pub task_id: Uuid,
    /// What it asks for.
    pub kind: TaskKind,
    /// Current status.
    pub status: TaskStatus,
    /// Time at which it is due.
    pub due_at: DateTime<Utc>,
    /// The person that it is about.
    pub contact_id: Option<Uuid>,
    /// The call that it is about.
    pub call_id: Option<Uuid>,
    /// The appointment that it is about.
    pub appointment_id: Option<Uuid>,
    /// What made it.
    pub origin: TaskOrigin,
    /// Position of the event that made it.
    pub created_position: i64,
    /// Position of its last event.
    pub position: i64,
    /// Time at which it was made.
    pub created_at: DateTime<Utc>,
    /// Time at which it was done or cancelled.
    pub closed_at: Option<DateTime<Utc>>,
}

impl Task {
    /// Applies an event. Events before `task.created`, which is left out then, make no row.
    pub(super) fn evolve(row: &mut Option<Self>, recorded: &Recorded, event: &TaskEvent) {
        let Position(position) = recorded.position;
        if let TaskEvent::Created(created) = event {
            *row = Some(Self {
                task_id: recorded.stream_id.0,
                kind: created.kind,
                status: TaskStatus::Open,
                due_at: created.due_at,
                contact_id: created.contact_id.map(|contact| contact.0),
                call_id: created.call_id.map(|call| call.0),
                appointment_id: created.appointment_id.map(|appointment| appointment.0),
                origin: created.origin,
                created_position: position,
                position,
                created_at: recorded.occurred_at,
                closed_at: None,
            });
            return;
        }
        let Some(row) = row else { return };
        row.status = match event {
            TaskEvent::Created(_) => TaskStatus::Open,
            TaskEvent::Done(_) => TaskStatus::Done,
            TaskEvent::Cancelled(_) => TaskStatus::Cancelled,
        };
        row.closed_at = Some(recorded.occurred_at);
        row.position = position;
    }
}

/// The columns of a stored task.
pub(super) struct StoredTask {
    pub(super) task_id: Uuid,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) due_at: DateTime<Utc>,
    pub(super) contact_id: Option<Uuid>,
    pub(super) call_id: Option<Uuid>,
    pub(super) appointment_id: Option<Uuid>,
    pub(super) origin: String,
    pub(super) created_position: i64,
    pub(super) position: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
}

impl StoredTask {
    /// Decodes the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a word is not one that this code writes.
    pub(super) fn open(self) -> Result<Task, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "tasks", column };
        let status = TaskStatus::ALL.into_iter().find(|known| known.as_str() == self.status);
        let origin = TaskOrigin::ALL.into_iter().find(|known| known.as_str() == self.origin);
        Ok(Task {
            task_id: self.task_id,
            kind: TaskKind::parse(&self.kind).ok_or_else(|| corrupt("kind"))?,
            status: status.ok_or_else(|| corrupt("status"))?,
            due_at: self.due_at,
            contact_id: self.contact_id,
            call_id: self.call_id,
            appointment_id: self.appointment_id,
            origin: origin.ok_or_else(|| corrupt("origin"))?,
            created_position: self.created_position,
            position: self.position,
            created_at: self.created_at,
            closed_at: self.closed_at,
        })
    }
}
