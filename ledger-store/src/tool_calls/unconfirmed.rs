//! Tool calls whose outcome was not known when the caller was answered: a follow-up task, unless the
//! tool call turns out to be recorded.

use chrono::{DateTime, Utc};
use ledger_core::actor::Actor;
use ledger_core::envelope::{Draft, StreamKind};
use ledger_core::event::{TaskKind, TaskOrigin};
use ledger_core::ids::{CommandId, TaskId, TenantId};
use ledger_core::section::Sections;
use ledger_core::task::{NewTask, TaskAction, TaskCommand, TaskRefusal, Tasks};

use super::{ToolCall, ToolError, command_of};
use crate::Store;
use crate::admin_events::Attribution;
use crate::execute::{CommandContext, ExecuteError};
use crate::quarantine::ContentDigest;
use crate::read;
use crate::record::{DeliveryContext, RecordError, stream_of};
use crate::tenant_tx::TenantTx;

/// A tool call by its identity, without arguments.
#[derive(Debug, Clone)]
pub struct UnconfirmedTool {
    origin: DeliveryContext,
    canonical: ContentDigest,
    draft: Draft,
    ordinal: u16,
    asked_at: DateTime<Utc>,
}

/// What became of an unconfirmed tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowedUp {
    /// The log has the tool call with its answer; it needs no task.
    Recorded,
    /// The log has a task about it.
    Task,
}

impl UnconfirmedTool {
    /// The identity of a tool call that is asked at a time.
    #[must_use]
    pub fn of(call: &ToolCall<'_>, canonical: ContentDigest, asked_at: DateTime<Utc>) -> Self {
        let draft = &call.draft;
        Self {
            origin: call.origin.clone(),
            canonical,
            draft: Draft {
                correlation: draft.correlation.clone(),
                dedupe: draft.dedupe.clone(),
                occurred_at: draft.occurred_at,
                event: draft.event.clone(),
                sections: Sections::default(),
            },
            ordinal: call.ordinal,
            asked_at,
        }
    }

    /// The tenant of the call.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.origin.tenant_id
    }

    /// Whether both are the same tool call in the same body.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.origin.tenant_id == other.origin.tenant_id
            && (self.canonical, self.ordinal) == (other.canonical, other.ordinal)
            && self.draft.event == other.draft.event
    }
}

impl Store {
    /// Makes a follow-up task about a tool call that is not in the log. The ids of the task are derived
    /// from the tool call, so it is made once, whichever server is asked and however often.
    ///
    /// A tool call whose append is still under way is not seen: the caller waits until no append of it
    /// can be.
    ///
    /// # Errors
    /// [`ToolError`]; asking again is safe in every case.
    pub async fn follow_up(&self, call: &UnconfirmedTool) -> Result<FollowedUp, ToolError> {
        let UnconfirmedTool { origin, canonical, draft, ordinal, asked_at } = call;
        let tenant_id = origin.tenant_id;
        let key = self.keyring.digest_key(tenant_id).await.map_err(RecordError::from)?;
        let digest = key.digest(canonical);
        let (stream_id, kind) = stream_of(origin, &digest, std::slice::from_ref(draft));
        let asked = command_of(origin, stream_id, &digest, draft, *ordinal);
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let known = read::find_existing(&mut tx, &[tenant_id.command_event(asked, 0)]).await?;
        drop(tx);
        if !known.is_empty() {
            return Ok(FollowedUp::Recorded);
        }
        let derive = |part: &[u8]| tenant_id.derive(&[b"follow-up", part, asked.0.as_bytes()]);
        let by = Attribution {
            actor: Actor::Source(origin.source_id),
            request_id: origin.request_id,
            command_id: Some(CommandId(derive(b"command"))),
        };
        let context = CommandContext { tenant_id, by, content: None, subject: None };
        let task = NewTask {
            kind: TaskKind::FollowUp,
            due_at: *asked_at,
            contact_id: None,
            call_id: (kind == StreamKind::Call).then_some(stream_id),
            appointment_id: None,
            origin: TaskOrigin::Tool,
            text: None,
        };
        let command = TaskCommand {
            task_id: TaskId(derive(b"task")),
            now: self.clock.now_micros(),
            action: TaskAction::Create(task),
        };
        match self.execute::<Tasks>(&context, &command).await {
            Ok(_) | Err(ExecuteError::Rejected(TaskRefusal::Exists)) => Ok(FollowedUp::Task),
            Err(ExecuteError::Busy) => Err(ToolError::Busy),
            Err(ExecuteError::Append(error)) => Err(error.into()),
            Err(ExecuteError::Store(error)) => Err(error.into()),
            Err(ExecuteError::Rejected(_) | ExecuteError::Reused | ExecuteError::Misplaced) => {
                Err(ToolError::Misplaced)
            }
        }
    }
}
