//! The command path: load the streams of an [`Aggregate`], decide, append with the loaded versions.
//!
//! Every event id is derived from the command, so a command that runs again, in this process or in
//! another one, finds its own events and gets its first answer. Only accepted commands are found
//! again: a rejection, and a decision without events, record nothing and are decided again.

mod append;
mod companion;
mod context;
mod decided;
mod load;
mod rows;
mod run;

use std::time::Duration;

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, Position, StreamId, StreamVersion, TenantId};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use crate::Store;
use crate::append::{
    AppendError, AppendRejection, AppendRequest, Appended, Expected, StreamAppend,
};
use crate::error::StoreError;
use crate::shares::Shares;
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;

use self::append::lock_log;
pub(crate) use self::companion::Companion;
pub use self::context::CommandContext;
use self::context::{Fault, MAX_EVENTS};
pub(crate) use self::run::Contended;
use self::run::Run;
pub use rows::ChangeError;
pub(crate) use rows::Rows;

/// Time after which a command that could not be decided is answered with [`ExecuteError::Busy`].
const DEADLINE: Duration = Duration::from_secs(2);
/// Longest pause before a command is decided again after a conflict with another process.
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// Locks of the streams that commands of this process decide on. Without them, commands on a busy
/// stream would fail each other's version checks.
pub(crate) type StreamLocks = Shares<(TenantId, StreamId)>;

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

/// A command after loading and deciding.
enum Prepared<A: Aggregate> {
    /// Nothing is to be appended.
    Done(Executed<A::Event>),
    /// The decision depends on these streams too, which were not loaded.
    Further(Vec<Stream>),
    /// The decision is to be appended.
    Decided(Decision<A>),
}

/// A decision with its append.
struct Decision<A: Aggregate> {
    /// The events of an accepted command; the reason for a rejected one, of which only the event of
    /// the companion is appended.
    result: Result<Vec<Event>, A::Rejection>,
    request: AppendRequest,
    /// The streams to check besides.
    unwritten: Vec<(StreamId, StreamVersion)>,
}

/// One attempt: done, or to be decided again.
enum Attempt<T> {
    Done(T),
    Again,
    Further(Vec<Stream>),
}

impl Store {
    /// Executes a command: loads the streams it depends on, decides, and appends all events in one
    /// append that fails if one of the streams has changed since, also one that gets no event;
    /// except for streams of an alternative that was not chosen ([`Stream::group`]).
    ///
    /// After a conflict, which another process caused, the command is decided under the lock of the
    /// tenant's log, so that it conflicts once at most. It looks for events of the same command
    /// before each decision.
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
        let streams = A::streams(context.tenant_id, command);
        let first = streams.len();
        let mut run = Run::<A> { context, command_id, command, streams, first, companion };
        let deadline = Instant::now() + DEADLINE;
        let mut locks = self.lock_streams(&run, deadline).await?;
        let mut pause = Duration::from_millis(1);
        let mut had_conflict = self.contended.has(&run);
        let mut unknown = None;
        loop {
            let attempt = if had_conflict {
                self.attempt_locked(&run, deadline).await
            } else {
                self.attempt(&run).await
            };
            let failed = match attempt {
                Ok(Attempt::Done(executed)) => return Ok(executed),
                Ok(Attempt::Further(streams)) => {
                    // All locks are taken in one order, so the ones that are held go first.
                    drop(locks);
                    run.streams.truncate(first);
                    run.streams.extend(streams);
                    locks = self.lock_streams(&run, deadline).await?;
                    had_conflict |= self.contended.has(&run);
                    if Instant::now() >= deadline {
                        return Err(ExecuteError::Busy);
                    }
                    continue;
                }
                Ok(Attempt::Again) => {
                    had_conflict = true;
                    self.contended.mark(&run);
                    None
                }
                // The events may be in the log: the next attempt looks for them.
                Err(ExecuteError::Append(error @ AppendError::Unavailable(_))) => Some(error),
                Err(error @ (ExecuteError::Rejected(_) | ExecuteError::Reused)) => {
                    return Err(error);
                }
                // After an attempt with an unknown outcome, no later error makes it known.
                Err(error) => return Err(unknown.map_or(error, ExecuteError::Append)),
            };
            unknown = failed.or(unknown);
            if Instant::now() + pause >= deadline {
                return Err(unknown.map_or(ExecuteError::Busy, ExecuteError::Append));
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Takes the locks of a command's streams, in one order for all commands, so that two of them
    /// never wait for each other.
    async fn lock_streams<A: Aggregate>(
        &self,
        run: &Run<'_, A>,
        deadline: Instant,
    ) -> Result<Vec<OwnedSemaphorePermit>, ExecuteError<A::Rejection>> {
        let mut locked: Vec<_> = run.streams.iter().map(|stream| stream.stream_id).collect();
        locked.sort_unstable();
        locked.dedup();
        let mut locks = Vec::with_capacity(locked.len());
        for stream_id in locked {
            let stream = (run.context.tenant_id, stream_id);
            let lock = self.stream_locks.take(&stream, 1, 1);
            locks.push(timeout_at(deadline, lock).await.map_err(|_| ExecuteError::Busy)?);
        }
        Ok(locks)
    }

    /// Decides and appends with the group commit, if the versions still are those that were loaded.
    async fn attempt<A: Aggregate>(
        &self,
        run: &Run<'_, A>,
    ) -> Result<Attempt<Executed<A::Event>>, ExecuteError<A::Rejection>> {
        let mut tx = TenantTx::begin(&self.commands, run.context.tenant_id).await?;
        let prepared = self.prepare(&mut tx, run).await?;
        drop(tx);
        let Decision { result, request, unwritten } = match prepared {
            Prepared::Done(executed) => return Ok(Attempt::Done(executed)),
            Prepared::Further(streams) => return Ok(Attempt::Further(streams)),
            Prepared::Decided(decision) => decision,
        };
        let appended = if unwritten.is_empty() {
            stage::drive(Stage::Append, self.appender.append(request)).await
        } else {
            self.append_checked(&request, &unwritten).await
        };
        outcome(run, result, appended)
    }

    /// Loads, decides and appends under the lock of the tenant's log: nothing comes between.
    async fn attempt_locked<A: Aggregate>(
        &self,
        run: &Run<'_, A>,
        deadline: Instant,
    ) -> Result<Attempt<Executed<A::Event>>, ExecuteError<A::Rejection>> {
        let locked = async {
            let mut tx = TenantTx::begin(&self.apart, run.context.tenant_id).await?;
            lock_log(&mut tx).await?;
            Ok::<_, sqlx::Error>(tx)
        };
        // Nothing is appended before the lock is held.
        let mut tx = timeout_at(deadline, locked).await.map_err(|_| ExecuteError::Busy)??;
        let Decision { result, request, .. } = match self.prepare(&mut tx, run).await? {
            Prepared::Done(executed) => return Ok(Attempt::Done(executed)),
            Prepared::Further(streams) => return Ok(Attempt::Further(streams)),
            Prepared::Decided(decision) => decision,
        };
        let appended = self.append_and_commit(tx, &request).await;
        outcome(run, result, appended)
    }

    /// Loads the streams, looks for an earlier run of the command, and decides.
    async fn prepare<A: Aggregate>(
        &self,
        tx: &mut TenantTx,
        run: &Run<'_, A>,
    ) -> Result<Prepared<A>, ExecuteError<A::Rejection>> {
        let Run { context, command_id, command, streams, first, companion } = run;
        let loaded = load::streams(tx, streams).await?;
        // After the load: an earlier run of this command is either found here, or its events are in
        // none of the loaded streams.
        if let Some(earlier) = load::earlier(tx.conn(), context.tenant_id, *command_id).await? {
            let is_other = context.content.is_some_and(|content| {
                earlier.content.as_deref() != Some(hex::encode(content).as_str())
            });
            if is_other {
                return Err(ExecuteError::Reused);
            }
            return Ok(Prepared::Done(executed(earlier.events, true)));
        }
        let mut state = A::State::default();
        for event in loaded.events::<A::Event>() {
            A::evolve(&mut state, &event);
        }
        let further = A::further_streams(context.tenant_id, &state, command);
        if further != streams[*first..] {
            return Ok(Prepared::Further(further));
        }
        let decided = A::decide(&state, command);
        let accompanying = companion.map(|companion| {
            let event_id = context.tenant_id.command_event(*command_id, 0);
            let decision = decided.as_ref().map(Vec::as_slice);
            let event = companion.event(event_id, &state, decision);
            let (stream_id, kind) = companion.stream();
            StreamAppend { stream_id, kind, expected: Expected::Any, events: vec![event] }
        });
        let (decided, rejection) = match decided {
            Ok(decided) if decided.is_empty() && accompanying.is_none() => {
                return Ok(Prepared::Done(executed(Vec::new(), false)));
            }
            Ok(decided) => (decided, None),
            Err(rejection) if accompanying.is_none() => {
                return Err(ExecuteError::Rejected(rejection));
            }
            Err(rejection) => (Vec::new(), Some(rejection)),
        };
        let first_event = usize::from(accompanying.is_some());
        if decided.len() + first_event > MAX_EVENTS {
            return Err(ExecuteError::Misplaced);
        }
        let decided: Vec<Decided<Event>> = decided
            .into_iter()
            .map(|Decided { stream, event, sections }| Decided {
                stream,
                event: event.into(),
                sections,
            })
            .collect();
        let command = (*command_id, u16::try_from(first_event).unwrap_or_default());
        let request = self.decided_request(context, command, streams, &loaded, &decided);
        let mut request = request.map_err(|Fault| ExecuteError::Misplaced)?;
        let unwritten = if decided.is_empty() { Vec::new() } else { loaded.unwritten(&request) };
        request.streams.splice(0..0, accompanying);
        let events = decided.into_iter().map(|decided| decided.event).collect();
        let result = rejection.map_or(Ok(events), Err);
        Ok(Prepared::Decided(Decision { result, request, unwritten }))
    }
}

/// Loads the events of streams that an aggregate folds, in the order of the log.
pub(crate) async fn load_streams<E: TryFrom<Event>>(
    tx: &mut TenantTx,
    streams: &[Stream],
) -> Result<Vec<E>, StoreError> {
    Ok(load::streams(tx, streams).await?.events().collect())
}

/// The result of an append of a decision.
fn outcome<A: Aggregate>(
    run: &Run<'_, A>,
    result: Result<Vec<Event>, A::Rejection>,
    appended: Result<Appended, AppendError>,
) -> Result<Attempt<Executed<A::Event>>, ExecuteError<A::Rejection>> {
    match appended {
        Ok(appended) if !appended.duplicate => {
            if let Some(companion) = run.companion {
                companion.recorded(appended);
            }
            let events = result.map_err(ExecuteError::Rejected)?;
            let events = events.into_iter().map(|event| (appended.last, event)).collect();
            Ok(Attempt::Done(executed(events, false)))
        }
        Ok(_)
        | Err(AppendError::Conflict { .. } | AppendError::Rejected(AppendRejection::PartlyKnown)) => {
            Ok(Attempt::Again)
        }
        Err(error) => Err(error.into()),
    }
}

fn executed<E: TryFrom<Event>>(events: Vec<(Position, Event)>, is_repeated: bool) -> Executed<E> {
    Executed {
        position: events.iter().map(|(position, _)| *position).max(),
        events: events.into_iter().filter_map(|(_, event)| event.try_into().ok()).collect(),
        is_repeated,
    }
}
