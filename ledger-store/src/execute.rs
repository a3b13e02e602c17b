//! The command path: load the streams of an [`Aggregate`], decide, append with the loaded versions.
//!
//! Every event id is derived from the command, so a command that runs again, in this process or in
//! another one, finds its own events and gets its first answer. Only accepted commands are found
//! again: a rejection, and a decision without events, record nothing and are decided again.

mod load;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, EventId, Position, StreamId, StreamVersion, TenantId};
use serde::Serialize;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use self::load::Loaded;
use crate::Store;
use crate::admin_events::Attribution;
use crate::append::AppendError;
use crate::append::{
    AppendOutcome, AppendRejection, AppendRequest, Appended, Expected, NewEvent, StreamAppend,
    append,
};
use crate::error::StoreError;
use crate::shares::Shares;
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;

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
    /// The decision has more events than one command may have, or names a stream that is not in its
    /// list. A fault of the aggregate.
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

/// Stored metadata of an event that a command decided.
#[derive(Serialize)]
struct Meta<'a> {
    actor: &'a str,
    request_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// One attempt: done, or to be decided again.
enum Attempt<T> {
    Done(T),
    Again,
}

impl Store {
    /// Executes a command: loads the streams it depends on, decides, and appends all events in one
    /// append that fails if one of the streams has changed since, also one that gets no event.
    /// After a conflict it first looks for events of the same command, and then decides again,
    /// until the deadline.
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
        let deadline = Instant::now() + DEADLINE;
        let mut locked: Vec<_> = streams.iter().map(|stream| stream.stream_id).collect();
        // One order for all commands, so that two of them never wait for each other.
        locked.sort_unstable();
        locked.dedup();
        let mut locks = Vec::with_capacity(locked.len());
        for stream_id in locked {
            let stream = (context.tenant_id, stream_id);
            let lock = self.stream_locks.take(&stream, 1, 1);
            locks.push(timeout_at(deadline, lock).await.map_err(|_| ExecuteError::Busy)?);
        }
        let mut pause = Duration::from_millis(1);
        loop {
            let attempt = self.attempt::<A>(context, command_id, &streams, command);
            let failed = match attempt.await {
                Ok(Attempt::Done(executed)) => return Ok(executed),
                Ok(Attempt::Again) => None,
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

    async fn attempt<A: Aggregate>(
        &self,
        context: &CommandContext,
        command_id: CommandId,
        streams: &[Stream],
        command: &A::Command,
    ) -> Result<Attempt<Executed<A::Event>>, ExecuteError<A::Rejection>> {
        let tenant_id = context.tenant_id;
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let loaded = load::streams(&mut tx, streams).await?;
        // After the load: an earlier run of this command is either found here, or its events are in
        // none of the loaded streams.
        if let Some(earlier) = load::earlier(&mut tx, command_id).await? {
            let is_other = context.content.is_some_and(|content| {
                earlier.content.as_deref() != Some(hex::encode(content).as_str())
            });
            if is_other {
                return Err(ExecuteError::Reused);
            }
            return Ok(Attempt::Done(executed(earlier.events, true)));
        }
        drop(tx);
        let mut state = A::State::default();
        for event in loaded.events::<A::Event>() {
            A::evolve(&mut state, &event);
        }
        let decided = A::decide(&state, command).map_err(ExecuteError::Rejected)?;
        if decided.is_empty() {
            return Ok(Attempt::Done(Executed {
                events: Vec::new(),
                position: None,
                is_repeated: false,
            }));
        }
        if decided.len() > MAX_EVENTS || decided.iter().any(|one| one.stream >= streams.len()) {
            return Err(ExecuteError::Misplaced);
        }
        let decided = decided
            .into_iter()
            .map(|Decided { stream, event }| Decided { stream, event: event.into() });
        let decided: Vec<Decided<Event>> = decided.collect();
        let request = self.decided_request(context, command_id, streams, &loaded, &decided);
        let unwritten = loaded.unwritten(&request);
        let appended = if unwritten.is_empty() {
            stage::drive(Stage::Append, self.appender.append(request)).await
        } else {
            self.append_checked(&request, &unwritten).await
        };
        match appended {
            Ok(Appended { last, duplicate: false, .. }) => {
                let events = decided.into_iter().map(|one| (last, one.event)).collect();
                Ok(Attempt::Done(executed(events, false)))
            }
            Ok(Appended { duplicate: true, .. }) | Err(AppendError::Conflict { .. }) => {
                Ok(Attempt::Again)
            }
            Err(AppendError::Rejected(AppendRejection::PartlyKnown)) => Ok(Attempt::Again),
            Err(error) => Err(error.into()),
        }
    }

    /// Builds the append of a decision. Each stream must have the version that was loaded.
    fn decided_request(
        &self,
        context: &CommandContext,
        command_id: CommandId,
        streams: &[Stream],
        loaded: &Loaded,
        decided: &[Decided<Event>],
    ) -> AppendRequest {
        let mut appends: Vec<StreamAppend> = streams
            .iter()
            .map(|stream| StreamAppend {
                stream_id: stream.stream_id,
                kind: stream.kind,
                expected: Expected::Exactly(loaded.version(stream.stream_id)),
                events: Vec::new(),
            })
            .collect();
        for (nth, Decided { stream, event }) in (0..).zip(decided) {
            let event_id = context.tenant_id.command_event(command_id, nth);
            appends[*stream].events.push(self.decided_event(context, event_id, event));
        }
        appends.retain(|append| !append.events.is_empty());
        AppendRequest { tenant_id: context.tenant_id, streams: appends }
    }

    fn decided_event(
        &self,
        context: &CommandContext,
        event_id: EventId,
        event: &Event,
    ) -> NewEvent {
        let now = self.clock.now_micros();
        let meta = Meta {
            actor: &context.by.actor.to_string(),
            request_id: context.by.request_id,
            content: context.content.map(hex::encode),
        };
        NewEvent {
            event_id,
            event_type: event.event_type(),
            schema_version: event.schema_version(),
            occurred_at: now,
            recorded_at: now,
            facts: event.to_facts(),
            sections: None,
            bulk: None,
            subjects: Vec::new(),
            meta: serde_json::to_string(&meta).expect("plain strings and ids"),
        }
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
        sqlx::query!("select ledger.lock_tenant($1)", tenant_id.0)
            .execute(tx.conn())
            .await
            .map_err(failed)?;
        let ids: Vec<_> = unwritten.iter().map(|(stream_id, _)| *stream_id).collect();
        let actual = load::versions(&mut tx, &ids).await.map_err(failed)?;
        for (stream_id, expected) in unwritten {
            let actual = actual.get(stream_id).copied().unwrap_or_default();
            if actual != *expected {
                return Err(AppendError::Conflict { actual });
            }
        }
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

fn executed<E: TryFrom<Event>>(events: Vec<(Position, Event)>, is_repeated: bool) -> Executed<E> {
    Executed {
        position: events.iter().map(|(position, _)| *position).max(),
        events: events.into_iter().filter_map(|(_, event)| event.try_into().ok()).collect(),
        is_repeated,
    }
}
