//! The command path: load the streams of an [`Aggregate`], decide, append with the loaded versions.
//!
//! Every event id is derived from the command, so a command that runs again, in this process or in
//! another one, finds its own events and gets its first answer. Only accepted commands are found
//! again: a rejection, and a decision without events, record nothing and are decided again.

mod decided;
mod load;
mod rows;
mod run;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, Position, StreamId, StreamVersion, TenantId};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use self::run::Run;
use crate::Store;
use crate::admin_events::Attribution;
use crate::append::AppendError;
use crate::append::{AppendOutcome, AppendRejection, AppendRequest, Appended, append};
use crate::error::StoreError;
use crate::shares::Shares;
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;
use crate::vault::Subject;

pub(crate) use self::run::Contended;
pub use rows::ChangeError;
pub(crate) use rows::Rows;

/// Time after which a command that could not be decided is answered with [`ExecuteError::Busy`].
const DEADLINE: Duration = Duration::from_secs(2);
/// Longest pause before a command is decided again after a conflict with another process.
const MAX_PAUSE: Duration = Duration::from_millis(20);
/// Maximum number of events of one decision.
const MAX_EVENTS: usize = 64;

/// Locks of the streams that commands of this process decide on. Without them, commands on a busy
/// stream would fail each other's version checks.
pub(crate) type StreamLocks = Shares<(TenantId, StreamId)>;

/// The tenant, the actor and the identity of a command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// The tenant of the streams.
    pub tenant_id: TenantId,
    /// The actor. Its command id identifies the command; without one the command cannot be
    /// repeated.
    pub by: Attribution,
    /// Keyed digest of the command's content. The same id with another digest is another command
    /// and is refused; without a digest the content is not compared.
    pub content: Option<[u8; 32]>,
    /// The subject whose key seals the sections of the events; its key is durable. `None` for a
    /// command without personal data.
    pub subject: Option<Subject>,
}

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

/// A decision that does not fit its streams or its subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault;

/// A command after loading and deciding.
enum Prepared<E> {
    /// Nothing is to be appended.
    Done(Executed<E>),
    /// The decision depends on these streams too, which were not loaded.
    Further(Vec<Stream>),
    /// The decision, its append and the streams to check besides.
    Decided(Vec<Event>, AppendRequest, Vec<(StreamId, StreamVersion)>),
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
    /// tenant's log, so that it conflicts once at most; for a short time so are later commands on
    /// the same streams. Each looks for events of the same command
    /// before each decision.
    ///
    /// # Errors
    /// [`ExecuteError`]; repeating the command with the same id is safe in every case.
    pub async fn execute<A: Aggregate>(
        &self,
        context: &CommandContext,
        command: &A::Command,
    ) -> Result<Executed<A::Event>, ExecuteError<A::Rejection>> {
        let fresh = || CommandId(self.ids.ordered());
        let command_id = context.by.command_id.unwrap_or_else(fresh);
        let streams = A::streams(context.tenant_id, command);
        let first = streams.len();
        let mut run = Run::<A> { context, command_id, command, streams, first };
        let deadline = Instant::now() + DEADLINE;
        let mut locks = self.lock_streams(&run, deadline).await?;
        let mut pause = Duration::from_millis(1);
        let mut had_conflict = self.contended.has(&run);
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
                Err(error) => return Err(error),
            };
            if Instant::now() + pause >= deadline {
                return Err(failed.map_or(ExecuteError::Busy, ExecuteError::Append));
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
        let mut tx = TenantTx::begin(&self.app, run.context.tenant_id).await?;
        let prepared = self.prepare(&mut tx, run).await?;
        drop(tx);
        let (events, request, unwritten) = match prepared {
            Prepared::Done(executed) => return Ok(Attempt::Done(executed)),
            Prepared::Further(streams) => return Ok(Attempt::Further(streams)),
            Prepared::Decided(events, request, unwritten) => (events, request, unwritten),
        };
        let appended = if unwritten.is_empty() {
            stage::drive(Stage::Append, self.appender.append(request)).await
        } else {
            self.append_checked(&request, &unwritten).await
        };
        outcome(events, appended)
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
        let (events, request) = match self.prepare(&mut tx, run).await? {
            Prepared::Done(executed) => return Ok(Attempt::Done(executed)),
            Prepared::Further(streams) => return Ok(Attempt::Further(streams)),
            Prepared::Decided(events, request, _) => (events, request),
        };
        let appended = self.append_and_commit(tx, &request).await;
        outcome(events, appended)
    }

    /// Loads the streams, looks for an earlier run of the command, and decides.
    async fn prepare<A: Aggregate>(
        &self,
        tx: &mut TenantTx,
        run: &Run<'_, A>,
    ) -> Result<Prepared<A::Event>, ExecuteError<A::Rejection>> {
        let Run { context, command_id, command, streams, first } = run;
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
        let decided = A::decide(&state, command).map_err(ExecuteError::Rejected)?;
        if decided.is_empty() {
            return Ok(Prepared::Done(executed(Vec::new(), false)));
        }
        if decided.len() > MAX_EVENTS {
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
        let request = self.decided_request(context, *command_id, streams, &loaded, &decided);
        let request = request.map_err(|Fault| ExecuteError::Misplaced)?;
        let unwritten = loaded.unwritten(&request);
        let events = decided.into_iter().map(|decided| decided.event).collect();
        Ok(Prepared::Decided(events, request, unwritten))
    }

    /// Appends a request after checking the versions of streams that get no event. The tenant's row
    /// is locked before the check, so no other append of the tenant comes between.
    async fn append_checked(
        &self,
        request: &AppendRequest,
        unwritten: &[(StreamId, StreamVersion)],
    ) -> Result<Appended, AppendError> {
        let failed = |error: sqlx::Error| AppendError::Unavailable(Some(Arc::new(error)));
        let tenant_id = request.tenant_id;
        let mut tx = TenantTx::begin(&self.apart, tenant_id).await.map_err(failed)?;
        lock_log(&mut tx).await.map_err(failed)?;
        let ids: Vec<_> = unwritten.iter().map(|(stream_id, _)| *stream_id).collect();
        let actual = load::versions(&mut tx, &ids).await.map_err(failed)?;
        for (stream_id, expected) in unwritten {
            let actual = actual.get(stream_id).copied().unwrap_or_default();
            if actual != *expected {
                return Err(AppendError::Conflict { actual });
            }
        }
        self.append_and_commit(tx, request).await
    }

    /// Appends in a transaction that has the lock of the tenant's log, and commits it.
    async fn append_and_commit(
        &self,
        mut tx: TenantTx,
        request: &AppendRequest,
    ) -> Result<Appended, AppendError> {
        let failed = |error: sqlx::Error| AppendError::Unavailable(Some(Arc::new(error)));
        let tenant_id = request.tenant_id;
        let outcome = append(tx.conn(), &[request]).await.map_err(failed)?.pop();
        tx.commit().await.map_err(failed)?;
        match outcome {
            Some(AppendOutcome::Appended(appended)) => {
                self.notifier.notify([tenant_id]);
                Ok(appended)
            }
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }),
            Some(AppendOutcome::Rejected(why)) => Err(AppendError::Rejected(why)),
            None => Err(AppendError::Unavailable(None)),
        }
    }
}

/// Loads the events of streams that an aggregate folds, in the order of the log.
pub(crate) async fn load_streams<E: TryFrom<Event>>(
    tx: &mut TenantTx,
    streams: &[Stream],
) -> Result<Vec<E>, StoreError> {
    Ok(load::streams(tx, streams).await?.events().collect())
}

/// Locks the tenant's log until the end of the transaction: no append of the tenant comes between.
async fn lock_log(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("select ledger.lock_tenant($1)", tenant_id.0).execute(tx.conn()).await?;
    Ok(())
}

/// The result of an append of a decision.
fn outcome<E: TryFrom<Event>, R>(
    events: Vec<Event>,
    appended: Result<Appended, AppendError>,
) -> Result<Attempt<Executed<E>>, ExecuteError<R>> {
    match appended {
        Ok(Appended { last, duplicate: false, .. }) => {
            let events = events.into_iter().map(|event| (last, event)).collect();
            Ok(Attempt::Done(executed(events, false)))
        }
        Ok(Appended { duplicate: true, .. })
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
