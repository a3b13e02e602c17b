//! The event of a tool call, with what the voice was told.

use std::sync::{Mutex, PoisonError};

use ledger_core::aggregate::Decided;
use ledger_core::booking::{BookingCommand, BookingEvent, BookingState, Bookings, Refusal};
use ledger_core::envelope::{Draft, StreamKind};
use ledger_core::event::{CallEvent, ToolAnswer};
use ledger_core::ids::{EventId, StreamId};
use ledger_core::provider::ToolReply;
use serde_json::json;

use super::{Asked, ToolAnswered, ToolError};
use crate::Store;
use crate::append::{AppendRequest, Appended, Expected, NewEvent, StreamAppend};
use crate::execute::{Companion, ExecuteError};
use crate::record::ResolvedDelivery;
use crate::stage::{self, Stage};
use crate::vault::Subject;

/// The reply to a tool call.
pub(super) struct Said {
    pub(super) reply: ToolReply,
    /// True if it tells a time that is free, or the time of a new appointment.
    pub(super) offered: bool,
}

impl Said {
    /// A reply that offers nothing.
    pub(super) fn only(reply: ToolReply) -> Self {
        Self { reply, offered: false }
    }
}

/// What is said about a decision.
type Say<'a> =
    dyn Fn(&BookingState, Result<&[Decided<BookingEvent>], &Refusal>) -> Said + Sync + 'a;

/// Makes the event of a tool call for the decision on it.
struct Telling<'a> {
    store: &'a Store,
    asked: &'a Asked<'a>,
    say: &'a Say<'a>,
    /// The reply of the last decision.
    reply: Mutex<Option<ToolReply>>,
    appended: Mutex<Option<Appended>>,
}

impl Companion<Bookings> for Telling<'_> {
    fn stream(&self) -> (StreamId, StreamKind) {
        (self.asked.delivery.stream_id, self.asked.delivery.kind)
    }

    fn event(
        &self,
        event_id: EventId,
        state: &BookingState,
        decision: Result<&[Decided<BookingEvent>], &Refusal>,
    ) -> NewEvent {
        let said = (self.say)(state, decision);
        let draft = answered(self.asked.draft.clone(), &said);
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(said.reply);
        self.store.seal_draft_as(&self.asked.delivery, &draft, event_id)
    }

    fn recorded(&self, appended: Appended) {
        *self.appended.lock().unwrap_or_else(PoisonError::into_inner) = Some(appended);
    }
}

/// Writes a reply into the event of a tool call.
pub(super) fn answered(mut draft: Draft, said: &Said) -> Draft {
    for io in &mut draft.sections.tool_io {
        io.result = Some(match &said.reply {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": error }),
        });
    }
    if let CallEvent::ToolCalled(called) = &mut draft.event {
        called.answer = if said.reply.is_ok() { ToolAnswer::Done } else { ToolAnswer::Refused };
        called.offered = said.offered;
    }
    draft
}

impl Store {
    /// Executes a command of a tool call and records what is said about the decision.
    pub(super) async fn execute_tool(
        &self,
        asked: &Asked<'_>,
        subject: Option<Subject>,
        command: &BookingCommand,
        say: &Say<'_>,
    ) -> Result<ToolAnswered, ToolError> {
        asked.release_turn();
        let (reply, appended) = (Mutex::new(None), Mutex::new(None));
        let telling = Telling { store: self, asked, say, reply, appended };
        let context = asked.command(subject);
        match self.execute_with::<Bookings>(&context, command, Some(&telling)).await {
            Ok(executed) if executed.is_repeated => return self.first_answer(asked).await,
            Ok(_) | Err(ExecuteError::Rejected(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let reply = telling.reply.into_inner().unwrap_or_else(PoisonError::into_inner);
        let appended = telling.appended.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (reply, appended) {
            (Some(reply), Some(appended)) => Ok(ToolAnswered { reply, appended }),
            _ => self.first_answer(asked).await,
        }
    }

    /// Records a tool call that changes nothing.
    pub(super) async fn tell(
        &self,
        asked: &Asked<'_>,
        said: Said,
    ) -> Result<ToolAnswered, ToolError> {
        self.tell_with(asked, said, Vec::new()).await
    }

    /// Records a tool call with further events of its call, whose ids are those of its command.
    pub(super) async fn tell_with(
        &self,
        asked: &Asked<'_>,
        said: Said,
        further: Vec<NewEvent>,
    ) -> Result<ToolAnswered, ToolError> {
        asked.release_turn();
        let draft = answered(asked.draft.clone(), &said);
        let tenant_id = asked.delivery.origin.tenant_id;
        let event_id = tenant_id.command_event(asked.command_id, 0);
        let event = self.seal_draft_as(&asked.delivery, &draft, event_id);
        let events = std::iter::once(event).chain(further).collect();
        let appended = self.append_told(&asked.delivery, events).await?;
        if appended.duplicate {
            return self.first_answer(asked).await;
        }
        Ok(ToolAnswered { reply: said.reply, appended })
    }

    /// Appends the events of a tool call to its stream.
    pub(super) async fn append_told(
        &self,
        delivery: &ResolvedDelivery<'_>,
        events: Vec<NewEvent>,
    ) -> Result<Appended, ToolError> {
        let (tenant_id, kind) = (delivery.origin.tenant_id, delivery.kind);
        let (stream_id, expected) = (delivery.stream_id, Expected::Any);
        let stream = StreamAppend { stream_id, kind, expected, events };
        let request = AppendRequest { tenant_id, streams: vec![stream] };
        Ok(stage::drive(Stage::Append, self.appender.append(request)).await?)
    }

    /// The answer that another delivery of the tool call recorded meanwhile. Another body is recorded
    /// too.
    async fn first_answer(&self, asked: &Asked<'_>) -> Result<ToolAnswered, ToolError> {
        let origin = asked.delivery.origin;
        let known = self.known_answer(origin, asked.command_id, &asked.digest).await?;
        let known = known.ok_or(ToolError::Misplaced)?;
        if !known.is_same_body {
            let (draft, reply) = (asked.draft.clone(), &known.answered.reply);
            self.record_again(origin, asked.canonical, draft, reply).await?;
        }
        Ok(known.answered)
    }
}
