//! Task events. The text of a task is in a sealed section.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AppointmentId, StreamId, SubjectId};

events! {
    /// A change of a task.
    TaskEvent {
        /// A task was made.
        Created(TaskCreated) = "task.created" v 1;
        /// The task was done.
        Done(TaskClosed) = "task.done" v 1;
        /// The task was cancelled; it is not to be done.
        Cancelled(TaskClosed) = "task.cancelled" v 1;
    }
}

/// What a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Look after something that was left open.
    FollowUp,
    /// Call the person back.
    CallBack,
    /// Check what was recorded.
    Review,
}

impl TaskKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::FollowUp, Self::CallBack, Self::Review];

    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FollowUp => "follow_up",
            Self::CallBack => "call_back",
            Self::Review => "review",
        }
    }

    /// Returns the kind with this word; `None` for another word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What made a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOrigin {
    /// A request with an API key.
    Person,
    /// The ledger, for a tool call of a voice agent whose outcome could not be confirmed.
    Tool,
}

impl TaskOrigin {
    /// All origins.
    pub const ALL: [Self; 2] = [Self::Person, Self::Tool];

    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Tool => "tool",
        }
    }
}

/// Status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// To be done.
    Open,
    /// It was done.
    Done,
    /// It is not to be done.
    Cancelled,
}

impl TaskStatus {
    /// All statuses.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Cancelled];

    /// Returns the word of the API and of read models.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Facts of `task.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCreated {
    /// What the task asks for.
    pub kind: TaskKind,
    /// Time at which it is due, in microseconds at most.
    pub due_at: DateTime<Utc>,
    /// The person that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<SubjectId>,
    /// The call that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<StreamId>,
    /// The appointment that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<AppointmentId>,
    /// What made it.
    pub origin: TaskOrigin,
}

/// Facts of `task.done` and `task.cancelled`. The actor is in the metadata of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskClosed {}
