//! Looks up the first answers of tool calls in the log, for a delivery that repeats them and is not
//! recorded.

use std::ops::ControlFlow;

use ledger_core::envelope::{Correlation, Draft};
use ledger_core::event::{CallEvent, Event, ToolFact};
use ledger_core::ids::EventId;
use ledger_core::personal::ToolIo;
use serde_json::Value;

use super::{DeliveryContext, RecordError, stream_of, tool_digests};
use crate::Store;
use crate::read::{self, StoredEvent};
use crate::seal::{Opened, SectionName};
use crate::tenant_tx::TenantTx;
use crate::vault::SectionColumn;

/// The stored answer to a tool call that is sent again.
#[derive(Clone, PartialEq, Eq)]
pub enum FirstAnswer {
    /// The tool call is not in the log.
    Unknown,
    /// The tool call is in the log, with this answer.
    Answered(Value),
    /// The tool call is in the log, but its answer cannot be opened: the key is destroyed, or the
    /// section is damaged.
    Unreadable,
}

impl Store {
    /// Returns the first answer of each tool call among the drafts of one stream, in their order.
    /// Writes nothing.
    ///
    /// A tool call is identified by id, name and arguments, as in the fold of a call. Its id alone
    /// also suffices, unless the id is only the name of the tool, which some models send instead.
    ///
    /// # Errors
    /// [`RecordError`]: the database or the keys cannot be reached.
    pub async fn first_answers(
        &self,
        origin: &DeliveryContext,
        drafts: &[Draft],
    ) -> Result<Vec<FirstAnswer>, RecordError> {
        let named = drafts.first().map(|draft| &draft.correlation);
        if !matches!(named, Some(Correlation::Named(..))) {
            // Such a delivery is a stream of its own, without earlier events to compare with.
            return Ok(vec![FirstAnswer::Unknown; drafts.len()]);
        }
        let key = self.keyring.digest_key(origin.tenant_id).await?;
        let (stream_id, _) = stream_of(origin, &[0; 32], drafts);
        let asked = drafts.iter().filter_map(|draft| {
            let mut event = draft.event.clone();
            tool_digests::fill(&key, stream_id, &mut event, &draft.sections);
            tool_of(Event::Call(event))
        });
        let asked: Vec<ToolFact> = asked.collect();
        let mut known: Vec<Known> = Vec::new();
        let mut tx = TenantTx::begin(&self.app, origin.tenant_id).await?;
        read::scan_stream(&mut tx, stream_id, |stored| {
            let tool = stored.decode().ok().and_then(|recorded| tool_of(recorded.event));
            if let Some(tool) = tool
                && asked.iter().any(|asked| likeness(asked, &tool).is_some())
            {
                known.push(Known { tool, stored });
            }
            ControlFlow::Continue(())
        })
        .await?;
        drop(tx);
        let mut answers = Vec::with_capacity(asked.len());
        for asked in &asked {
            answers.push(match first(asked, &known) {
                Some(known) => self.answer_of(origin, &known.stored).await?,
                None => FirstAnswer::Unknown,
            });
        }
        Ok(answers)
    }

    /// Opens the stored answer of a tool call.
    pub(crate) async fn answer_of(
        &self,
        origin: &DeliveryContext,
        stored: &StoredEvent,
    ) -> Result<FirstAnswer, RecordError> {
        let column = stored.sections.as_deref().unwrap_or_default();
        let place = SectionColumn::Sections(EventId(stored.event_id));
        let opened =
            self.vault.with_restricted().open(origin.tenant_id, &[(place, column)]).await?;
        let sections = opened.into_iter().flatten();
        let io = sections.filter(|section| section.name == SectionName::ToolIo);
        let answer = io.filter_map(|section| {
            let Opened::Clear(plain) = section.plain else { return None };
            let io: Vec<ToolIo> = serde_json::from_slice(&plain.reveal()).ok()?;
            io.into_iter().find_map(|io| io.result)
        });
        Ok(answer.map(FirstAnswer::Answered).next().unwrap_or(FirstAnswer::Unreadable))
    }
}

/// A tool call of the log that matches one of the drafts.
struct Known {
    tool: ToolFact,
    stored: StoredEvent,
}

/// How a stored tool call matches, in increasing order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Id,
    Whole,
}

fn tool_of(event: Event) -> Option<ToolFact> {
    match event {
        Event::Call(CallEvent::ToolCalled(called)) => Some(called.tool),
        _ => None,
    }
}

fn likeness(asked: &ToolFact, known: &ToolFact) -> Option<Likeness> {
    let whole = |tool: &ToolFact| {
        (tool.tool_call_id.clone(), tool.tool.clone(), tool.arguments.clone(), tool.nth)
    };
    let is_whole = asked.arguments.is_some() && whole(asked) == whole(known);
    let id = asked.tool_call_id.as_ref().filter(|id| **id != asked.tool);
    let is_same_id = id.is_some() && known.tool_call_id.as_ref() == id;
    is_whole.then_some(Likeness::Whole).or(is_same_id.then_some(Likeness::Id))
}

/// Returns the first stored tool call with the best match, in the order of the stream.
fn first<'k>(asked: &ToolFact, known: &'k [Known]) -> Option<&'k Known> {
    let alike = |kind| known.iter().find(|known| likeness(asked, &known.tool) == Some(kind));
    alike(Likeness::Whole).or_else(|| alike(Likeness::Id))
}
