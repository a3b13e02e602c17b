//! A command in its group: what the group and the task of the command send to each other.
//!
//! The command is decided in the task of its caller, which has the aggregate and the command, when
//! the group gives it its turn. A task that is gone, or does not take its turn in time, has decided
//! nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger_core::aggregate::Stream;
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, StreamId, StreamVersion};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::history::History;
use crate::append::{AppendError, AppendRequest, Appended};
use crate::error::StoreError;

/// Longest time for which a group waits for the decision of one command.
const MAX_TURN: Duration = Duration::from_millis(200);

/// A command that waits for its turn.
pub(super) struct Member {
    pub(super) command_id: CommandId,
    /// The streams that it depends on, as far as they are known.
    pub(super) streams: Vec<Stream>,
    /// Whether it must be the only one of its group: a group with it failed.
    pub(super) is_alone: bool,
    /// Whether it is decided under the lock of the log: another process changed its streams.
    pub(super) had_conflict: bool,
    pub(super) task: mpsc::UnboundedSender<Turn>,
}

/// A message to the task of a command.
pub(super) enum Turn {
    /// Decide on these events.
    Decide(Arc<Mutex<History>>, oneshot::Sender<Step>),
    /// What became of the decision.
    Outcome(Outcome),
}

/// The decision of a command, for its group.
pub(super) enum Step {
    /// These streams are to be loaded first.
    Further(Vec<Stream>),
    /// Nothing is to be appended: rejected, or nothing changes.
    Nothing,
    /// The answer does not depend on other commands of the group, and is given.
    Answered,
    /// Events are to be appended.
    Append(Decision),
}

/// Events to append.
pub(super) struct Decision {
    pub(super) request: AppendRequest,
    /// Streams to check besides, with their versions in the log.
    pub(super) unwritten: Vec<(StreamId, StreamVersion)>,
    /// Whether the append checks a version: it has more than the event of a companion.
    pub(super) is_versioned: bool,
    /// The events that later commands of the group are decided on.
    pub(super) events: Vec<(StreamId, Event)>,
}

/// What became of a decision.
pub(super) enum Outcome {
    /// The events are in the log.
    Appended(Appended),
    /// Nothing was to be appended, and everything that the decision depends on is in the log.
    Confirmed,
    /// The command is decided again. After an error the events may be in the log.
    Again(Option<AppendError>),
    /// The log refused the events, which no repetition changes.
    Refused(AppendError),
    /// The streams could not be read.
    Unread(StoreError),
}

impl Member {
    /// Lets the task decide; `None` if it is gone or does not take its turn.
    pub(super) async fn decide(&self, history: &Arc<Mutex<History>>) -> Option<Step> {
        let (decided, step) = oneshot::channel();
        self.task.send(Turn::Decide(Arc::clone(history), decided)).ok()?;
        timeout(MAX_TURN, step).await.ok()?.ok()
    }

    /// Tells the task what became of its decision.
    pub(super) fn tell(&self, outcome: Outcome) {
        // If the caller is gone, so is its answer; events stay appended.
        let _ = self.task.send(Turn::Outcome(outcome));
    }

    /// Whether the task is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.task.is_closed()
    }
}
