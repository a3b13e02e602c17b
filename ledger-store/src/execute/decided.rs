//! From decided events to an append request: ids, seals and versions.

use ledger_core::aggregate::{Decided, Stream};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, EventId};
use serde::Serialize;
use uuid::Uuid;

use super::context::{CommandContext, Fault};
use super::history::History;
use crate::Store;
use crate::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use crate::seal::{SealedSections, SectionContext};

/// Stored metadata of an event that a command decided.
#[derive(Serialize)]
struct Meta<'a> {
    actor: &'a str,
    request_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// Whether sections were left out because the subject is fenced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl Store {
    /// Builds the append of a decision, whose events are numbered from `first`. Each stream must have
    /// the version that the decision was made on.
    ///
    /// # Errors
    /// [`Fault`] for a stream that is not in the list, and for sections without a subject.
    pub(super) fn decided_request(
        &self,
        context: &CommandContext,
        (command_id, first): (CommandId, u16),
        streams: &[Stream],
        history: &History,
        decided: &[Decided<Event>],
    ) -> Result<AppendRequest, Fault> {
        let mut appends: Vec<StreamAppend> = streams
            .iter()
            .map(|stream| StreamAppend {
                stream_id: stream.stream_id,
                kind: stream.kind,
                expected: Expected::Exactly(history.version(stream.stream_id)),
                events: Vec::new(),
            })
            .collect();
        for (nth, decided) in (first..).zip(decided) {
            let event_id = context.tenant_id.command_event(command_id, nth);
            let event = self.decided_event(context, event_id, decided)?;
            appends.get_mut(decided.stream).ok_or(Fault)?.events.push(event);
        }
        appends.retain(|append| !append.events.is_empty());
        Ok(AppendRequest { tenant_id: context.tenant_id, streams: appends })
    }

    /// Seals a decided event under an id.
    ///
    /// # Errors
    /// [`Fault`] for sections without a subject.
    pub(crate) fn decided_event(
        &self,
        context: &CommandContext,
        event_id: EventId,
        decided: &Decided<Event>,
    ) -> Result<NewEvent, Fault> {
        let now = self.clock.now_micros();
        let event = &decided.event;
        let mut sealed = SealedSections::default();
        for section in decided.sections.iter() {
            let subject = context.subject.as_ref().ok_or(Fault)?;
            let place = SectionContext {
                tenant_id: context.tenant_id,
                subject_id: subject.subject_id,
                generation: subject.generation,
                event_id,
                event_type: event.event_type(),
                schema_version: event.schema_version(),
                name: section.name,
            };
            sealed.seal(subject.sealing_key(), &place, &section.plain);
        }
        let meta = Meta {
            actor: &context.by.actor.to_string(),
            request_id: context.by.request_id,
            content: context.content.map(hex::encode),
            erased: sealed.is_erased,
        };
        Ok(NewEvent {
            event_id,
            event_type: event.event_type(),
            schema_version: event.schema_version(),
            occurred_at: now,
            recorded_at: now,
            facts: event.to_facts(),
            sections: sealed.small,
            bulk: sealed.bulk,
            subjects: sealed.subjects,
            meta: serde_json::to_string(&meta).expect("plain strings and ids"),
        })
    }
}
