//! The command path: load the streams of an [`Aggregate`], decide, append with the loaded versions.
//!
//! Commands of one tenant that wait at the same time form a group (`chain.rs`): their streams are
//! loaded together, each is decided on the events that the ones before it decided, and all are
//! appended together. A command is answered after the commit of its events, and of those that its
//! decision depends on.
//!
//! Every event id is derived from the command, so a command that runs again, in this process or in
//! another one, finds its own events and gets its first answer. Only accepted commands are found
//! again: a rejection, and a decision without events, record nothing and are decided again.

mod chain;
mod companion;
mod contended;
mod context;
mod decided;
mod group;
mod history;
mod load;
mod lock;
mod prepare;
mod rows;
mod schedules;
mod turn;

use std::sync::PoisonError;
use std::time::Duration;

use ledger_core::aggregate::{Aggregate, Stream};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, Position};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::Store;
use crate::append::{AppendError, Appended};
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

pub(crate) use self::chain::Chains;
pub(crate) use self::companion::Companion;
pub use self::context::CommandContext;
pub(crate) use self::load::events as events_of;
use self::prepare::{Prepared, Run};
use self::turn::{Member, Outcome, Step, Turn};
pub use rows::ChangeError;
pub(crate) use rows::Rows;

/// Time after which a command that could not be decided is answered with [`ExecuteError::Busy`].
const DEADLINE: Duration = Duration::from_secs(2);

/// An accepted command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed<E> {
    /// The events of the command, in the order of the decision; empty if nothing changed. The answer
    /// to the command is computed from them, so a repetition gets the same answer.
    pub events: Vec<E>,
    /// Position of the last event; `None` if nothing changed.
    pub position: Option<Position>,
    /// Whether an earlier run of the command recorded the events.
    pub is_repeated: bool,
}

/// The reason for which a command was not executed.
#[derive(Debug, Error)]
pub enum ExecuteError<R> {
    /// The aggregate rejected the command.
    #[error("the command was rejected")]
    Rejected(R),
    /// The command id was used for a command with other content.
    #[error("the command id was used for another command")]
    Reused,
    /// The streams changed too often to decide before the deadline. Nothing was recorded.
    #[error("the streams of the command changed too often")]
    Busy,
    /// The decision has more events than one command may have, names a stream that is not in its
    /// list, or has sections without a subject. A fault of the aggregate or its caller.
    #[error("the decision does not fit its streams")]
    Misplaced,
    /// The log refused the events, or was not reachable. After
    /// [`AppendError::Unavailable`] the outcome is unknown; repeating the command is safe.
    #[error("the decision was not recorded")]
    Append(#[from] AppendError),
    /// The streams could not be read.
    #[error("the streams of the command cannot be read")]
    Store(#[from] StoreError),
}

impl<R> From<sqlx::Error> for ExecuteError<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Executes a command: loads the streams it depends on, decides, and appends all events in one
    /// append that fails if one of the streams has changed since, also one that gets no event;
    /// except for streams of an alternative that was not chosen ([`Stream::group`]).
    ///
    /// After a conflict, which another process caused, the command is decided under the lock of the
    /// tenant's log, with the commands that wait with it, so that it conflicts once at most. Before
    /// each decision it looks for events of the same command.
    ///
    /// # Errors
    /// [`ExecuteError`]; repeating the command with the same id is safe in every case.
    pub async fn execute<A: Aggregate>(
        &self,
        context: &CommandContext,
        command: &A::Command,
    ) -> Result<Executed<A::Event>, ExecuteError<A::Rejection>> {
        self.execute_with::<A>(context, command, None).await
    }

    /// [`Store::execute`] with an event that is recorded in the same append, whatever the decision
    /// is: also a rejection, and a decision that changes nothing. A rejection is returned after it
    /// is recorded; when the command runs again, it is found like an accepted command, without
    /// events of the aggregate.
    ///
    /// # Errors
    /// As for [`Store::execute`].
    pub(crate) async fn execute_with<A: Aggregate>(
        &self,
        context: &CommandContext,
        command: &A::Command,
        companion: Option<&dyn Companion<A>>,
    ) -> Result<Executed<A::Event>, ExecuteError<A::Rejection>> {
        let fresh = || CommandId(self.ids.ordered());
        let command_id = context.by.command_id.unwrap_or_else(fresh);
        let mut run = Run::<A>::new(context, command_id, command, companion);
        let deadline = Instant::now() + DEADLINE;
        let mut turns = self.enter(&run);
        let mut waiting = Waiting { decided: None, unknown: None };
        loop {
            let turn = if waiting.decided.is_some() {
                turns.recv().await
            } else {
                // Without a decision nothing can be recorded.
                let turn = timeout_at(deadline, turns.recv()).await;
                turn.map_err(|_| waiting.unknown_or(ExecuteError::Busy))?
            };
            match turn {
                Some(Turn::Decide(history, step)) => {
                    let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                    let prepared = self.prepare(&mut run, &history);
                    drop(history);
                    let (done, decided) = match prepared {
                        Prepared::Answer(answer) => {
                            let _ = step.send(Step::Answered);
                            return answer;
                        }
                        Prepared::Further => (Step::Further(run.streams.clone()), None),
                        Prepared::Nothing(answer) => (Step::Nothing, Some(Waits::Nothing(answer))),
                        Prepared::Decided(result, decision) => {
                            (Step::Append(decision), Some(Waits::Append(result)))
                        }
                    };
                    if step.send(done).is_ok() {
                        waiting.decided = decided;
                    }
                }
                Some(Turn::Outcome(outcome)) => {
                    if let Some(answer) = waiting.outcome(&run, outcome) {
                        return answer;
                    }
                    if Instant::now() >= deadline {
                        return Err(waiting.unknown_or(ExecuteError::Busy));
                    }
                }
                // The group went on without the command, or ended.
                None => {
                    if waiting.decided.take().is_some() {
                        waiting.unknown.get_or_insert(AppendError::Unavailable(None));
                    }
                    if Instant::now() >= deadline {
                        return Err(waiting.unknown_or(ExecuteError::Busy));
                    }
                    turns = self.enter(&run);
                }
            }
        }
    }

    /// Queues the command in the chain of its tenant.
    fn enter<A: Aggregate>(&self, run: &Run<'_, A>) -> mpsc::UnboundedReceiver<Turn> {
        let (task, turns) = mpsc::unbounded_channel();
        let (command_id, streams) = (run.command_id, run.streams.clone());
        let member = Member { command_id, streams, is_alone: false, had_conflict: false, task };
        self.chains.enter(run.context.tenant_id, member);
        turns
    }
}

/// The answer to a command.
type Answer<A> =
    Result<Executed<<A as Aggregate>::Event>, ExecuteError<<A as Aggregate>::Rejection>>;

/// A decision whose outcome is not known yet.
enum Waits<A: Aggregate> {
    /// The answer if everything that it depends on is recorded.
    Nothing(Answer<A>),
    /// The events of an accepted command; the reason for a rejected one, of which only the event of
    /// the companion is appended.
    Append(Result<Vec<Event>, A::Rejection>),
}

/// A command between its turns.
struct Waiting<A: Aggregate> {
    decided: Option<Waits<A>>,
    /// The error of an append whose events may be in the log. No later error makes it known.
    unknown: Option<AppendError>,
}

impl<A: Aggregate> Waiting<A> {
    fn unknown_or(&mut self, error: ExecuteError<A::Rejection>) -> ExecuteError<A::Rejection> {
        self.unknown.take().map_or(error, ExecuteError::Append)
    }

    /// The answer to the command; `None` if it is decided again.
    fn outcome(&mut self, run: &Run<'_, A>, outcome: Outcome) -> Option<Answer<A>> {
        let decided = self.decided.take();
        match (outcome, decided) {
            (Outcome::Appended(appended), Some(Waits::Append(result))) => {
                Some(recorded(run, result, appended))
            }
            (Outcome::Confirmed, Some(Waits::Nothing(answer))) => Some(answer),
            (Outcome::Again(error), _) => {
                self.unknown = error.or(self.unknown.take());
                None
            }
            (Outcome::Refused(error), _) => Some(Err(self.unknown_or(error.into()))),
            (Outcome::Unread(error), _) => Some(Err(self.unknown_or(error.into()))),
            // The look-up of the next turn finds what was recorded.
            (Outcome::Appended(_) | Outcome::Confirmed, _) => None,
        }
    }
}

/// The answer to a command whose events are in the log.
fn recorded<A: Aggregate>(
    run: &Run<'_, A>,
    result: Result<Vec<Event>, A::Rejection>,
    appended: Appended,
) -> Answer<A> {
    if let Some(companion) = run.companion {
        companion.recorded(appended);
    }
    let events = result.map_err(ExecuteError::Rejected)?;
    Ok(executed(events.into_iter().map(|event| (appended.last, event)).collect(), false))
}

/// Loads the events of streams that an aggregate folds, in the order of the log.
pub(crate) async fn load_streams<E: TryFrom<Event>>(
    tx: &mut TenantTx,
    streams: &[Stream],
) -> Result<Vec<E>, StoreError> {
    let ids: Vec<_> = streams.iter().map(|stream| stream.stream_id).collect();
    let recorded = load::events(tx, &ids).await?;
    Ok(recorded.into_iter().filter_map(|recorded| recorded.event.try_into().ok()).collect())
}

fn executed<E: TryFrom<Event>>(events: Vec<(Position, Event)>, is_repeated: bool) -> Executed<E> {
    Executed {
        position: events.iter().map(|(position, _)| *position).max(),
        events: events.into_iter().filter_map(|(_, event)| event.try_into().ok()).collect(),
        is_repeated,
    }
}
