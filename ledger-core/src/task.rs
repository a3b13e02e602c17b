//! Tasks: what a person of the tenant has to do, with the time at which it is due.
//!
//! A task is open until it is done or cancelled; both are final. A change to the present status
//! records nothing, so of two changes at the same time one is recorded.

#[cfg(test)]
mod tests;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use thiserror::Error;

use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{TaskClosed, TaskCreated, TaskEvent, TaskKind, TaskOrigin, TaskStatus};
use crate::ids::{AppointmentId, StreamId, SubjectId, TaskId, TenantId};
use crate::personal::TaskText;
use crate::section::Sections;

/// Days that the due time of a new task may be in the past: work that is overdue already.
pub const MAX_DAYS_OVERDUE: i64 = 31;
/// Days that the due time of a new task may be ahead: five years.
pub const MAX_DAYS_AHEAD: i64 = 1826;

/// A task command, with the time that its decision depends on.
#[derive(Debug, Clone)]
pub struct TaskCommand {
    /// The task.
    pub task_id: TaskId,
    /// The time of the command. The due time of a new task is judged by it.
    pub now: DateTime<Utc>,
    /// The requested action.
    pub action: TaskAction,
}

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum TaskAction {
    /// Make a task.
    Create(NewTask),
    /// Record that the task was done.
    Finish,
    /// Cancel the task.
    Cancel,
}

/// A new task. Its contact, call and appointment exist.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What it asks for.
    pub kind: TaskKind,
    /// Time at which it is due. Recorded in microseconds.
    pub due_at: DateTime<Utc>,
    /// The person that it is about.
    pub contact_id: Option<SubjectId>,
    /// The call that it is about.
    pub call_id: Option<StreamId>,
    /// The appointment that it is about.
    pub appointment_id: Option<AppointmentId>,
    /// What makes it.
    pub origin: TaskOrigin,
    /// Its text, which is sealed for the subject of the command.
    pub text: Option<TaskText>,
}

/// The reason for which a task command is refused. Nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TaskRefusal {
    /// The due time is further in the past than [`MAX_DAYS_OVERDUE`].
    #[error("it is more than {MAX_DAYS_OVERDUE} days in the past")]
    DueTooEarly,
    /// The due time is further ahead than [`MAX_DAYS_AHEAD`].
    #[error("it is more than {MAX_DAYS_AHEAD} days ahead")]
    DueTooLate,
    /// There is no such task.
    #[error("there is no such task")]
    NotFound,
    /// The id of the new task is in use.
    #[error("the task exists already")]
    Exists,
    /// The status does not permit the change.
    #[error("a task that is {} cannot be changed to {}", from.as_str(), to.as_str())]
    InvalidTransition {
        /// Status of the task.
        from: TaskStatus,
        /// Requested status.
        to: TaskStatus,
    },
}

/// The aggregate of tasks. Its state is the status; `None` before the task was made.
#[derive(Debug, Clone, Copy)]
pub struct Tasks;

impl Aggregate for Tasks {
    type State = Option<TaskStatus>;
    type Command = TaskCommand;
    type Event = TaskEvent;
    type Rejection = TaskRefusal;

    fn streams(_: TenantId, command: &TaskCommand) -> Vec<Stream> {
        vec![Stream::new(StreamId(command.task_id.0), StreamKind::Task)]
    }

    fn decide(
        status: &Option<TaskStatus>,
        command: &TaskCommand,
    ) -> Result<Vec<Decided<TaskEvent>>, TaskRefusal> {
        match &command.action {
            TaskAction::Create(task) => create(*status, command.now, task),
            TaskAction::Finish => close(*status, TaskStatus::Done),
            TaskAction::Cancel => close(*status, TaskStatus::Cancelled),
        }
    }

    fn evolve(status: &mut Option<TaskStatus>, event: &TaskEvent) {
        *status = Some(match event {
            TaskEvent::Created(_) => TaskStatus::Open,
            TaskEvent::Done(_) => TaskStatus::Done,
            TaskEvent::Cancelled(_) => TaskStatus::Cancelled,
        });
    }
}

fn create(
    status: Option<TaskStatus>,
    now: DateTime<Utc>,
    task: &NewTask,
) -> Result<Vec<Decided<TaskEvent>>, TaskRefusal> {
    if status.is_some() {
        return Err(TaskRefusal::Exists);
    }
    let ahead = task.due_at.signed_duration_since(now);
    if ahead < -TimeDelta::days(MAX_DAYS_OVERDUE) {
        return Err(TaskRefusal::DueTooEarly);
    }
    if ahead > TimeDelta::days(MAX_DAYS_AHEAD) {
        return Err(TaskRefusal::DueTooLate);
    }
    let created = TaskCreated {
        kind: task.kind,
        due_at: task.due_at.trunc_subsecs(6),
        contact_id: task.contact_id,
        call_id: task.call_id,
        appointment_id: task.appointment_id,
        origin: task.origin,
    };
    let sections = Sections { task: task.text.clone(), ..Sections::default() };
    Ok(vec![Decided { stream: 0, event: TaskEvent::Created(created), sections }])
}

fn close(
    status: Option<TaskStatus>,
    to: TaskStatus,
) -> Result<Vec<Decided<TaskEvent>>, TaskRefusal> {
    let from = status.ok_or(TaskRefusal::NotFound)?;
    if from == to {
        return Ok(Vec::new());
    }
    if from != TaskStatus::Open {
        return Err(TaskRefusal::InvalidTransition { from, to });
    }
    let event = match to {
        TaskStatus::Cancelled => TaskEvent::Cancelled(TaskClosed {}),
        TaskStatus::Open | TaskStatus::Done => TaskEvent::Done(TaskClosed {}),
    };
    Ok(vec![Decided::first(event)])
}
