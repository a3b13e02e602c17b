//! The tool that escalates the call.

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::annotation::command::{Action, AnnotateCall};
use ledger_core::annotation::decide::{AnnotatedCall, Annotating};
use ledger_core::annotation::settings::CallSettings;
use ledger_core::annotation::words::EscalationSource;
use ledger_core::envelope::StreamKind;
use ledger_core::event::{CallEvent, Event};
use ledger_core::tools::{EscalationWish, words};

use super::{Asked, Said, ToolAnswered, ToolError};
use crate::Store;
use crate::execute::load_streams;
use crate::tenant_tx::TenantTx;

impl Store {
    /// Escalates the call in the append of the tool call. A call that has as many escalations as it
    /// can have is not escalated again; tool calls at the same time may exceed that number.
    pub(super) async fn escalate(
        &self,
        asked: &Asked<'_>,
        wish: EscalationWish,
    ) -> Result<ToolAnswered, ToolError> {
        let Some(call_id) = asked.call_id() else {
            return self.tell(asked, Said::only(Err(words::not_escalated()))).await;
        };
        let tenant_id = asked.delivery.origin.tenant_id;
        let stream = Stream::new(call_id, StreamKind::Call);
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let events = load_streams::<CallEvent>(&mut tx, &[stream]).await?;
        drop(tx);
        let mut state = AnnotatedCall::default();
        // The tool call may be the first message of the call.
        for event in events.iter().chain([&asked.draft.event]) {
            Annotating::evolve(&mut state, event);
        }
        let EscalationWish { reason, text } = wish;
        let subject = &asked.delivery.resolved.subject;
        // The text about a person whose key is destroyed is not kept.
        let text = text.filter(|_| subject.sealing_key().is_some());
        let action = Action::Escalate { reason, text, source: EscalationSource::Tool };
        let settings = CallSettings::default().into();
        let command = AnnotateCall { call_id, settings, action };
        let Ok(decided) = Annotating::decide(&state, &command) else {
            return self.tell(asked, Said::only(Err(words::not_escalated()))).await;
        };
        let context = asked.command(Some(subject.clone()));
        let mut events = Vec::new();
        for (nth, Decided { stream, event, sections }) in (1..).zip(decided) {
            let decided = Decided { stream, event: Event::Call(event), sections };
            let event_id = tenant_id.command_event(asked.command_id, nth);
            let event = self.decided_event(&context, event_id, &decided);
            events.push(event.map_err(|_| ToolError::Misplaced)?);
        }
        self.tell_with(asked, Said::only(Ok(words::escalated())), events).await
    }
}
