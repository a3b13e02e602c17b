//! JSON view of a task.

use chrono::{DateTime, Utc};
use projections::due::Task;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{TaskKindName, TaskOriginName, TaskStatusName};

/// A task.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskView {
    /// Id of the task.
    task_id: Uuid,
    /// What it asks for.
    #[schema(value_type = TaskKindName)]
    kind: &'static str,
    /// Current status.
    #[schema(value_type = TaskStatusName)]
    status: &'static str,
    /// Time at which it is due.
    due_at: DateTime<Utc>,
    /// The person that it is about.
    contact_id: Option<Uuid>,
    /// The call that it is about.
    call_id: Option<Uuid>,
    /// The appointment that it is about.
    appointment_id: Option<Uuid>,
    /// What made it.
    #[schema(value_type = TaskOriginName)]
    origin: &'static str,
    /// Its text; null for keys without scope `personal`, for a task without one, and after an erasure.
    text: Option<String>,
    /// Time at which it was made.
    created_at: DateTime<Utc>,
    /// Time at which it was done or cancelled.
    closed_at: Option<DateTime<Utc>>,
    /// Log position of its last change.
    position: i64,
}

impl TaskView {
    pub(super) fn of(task: &Task, text: Option<String>) -> Self {
        Self {
            task_id: task.task_id,
            kind: task.kind.as_str(),
            status: task.status.as_str(),
            due_at: task.due_at,
            contact_id: task.contact_id,
            call_id: task.call_id,
            appointment_id: task.appointment_id,
            origin: task.origin.as_str(),
            text,
            created_at: task.created_at,
            closed_at: task.closed_at,
            position: task.position,
        }
    }
}
