//! Tool calls that the ledger answers itself: bookings, free times and look-ups.

use ledger_core::envelope::Draft;
use ledger_core::event::CallEvent;
use ledger_core::ids::TenantId;
use ledger_core::provider::ToolReply;
use ledger_core::tools::{Tool, words};
use ledger_store::append::Appended;
use ledger_store::quarantine::ContentDigest;
use ledger_store::record::FirstAnswer;
use ledger_store::tool_calls::{ToolCall, ToolError, UnconfirmedTool};

use super::delivery::WebhookDelivery;
use super::error::DeliveryError;
use super::follow_ups::Watched;
use super::tool_results::FAILED;
use crate::fault::Fault;

/// The answers to the tool calls of a message, as far as they are known.
#[derive(Default)]
pub struct ToolAnswers {
    /// Answers of the tools that the ledger answers, by their place among the tool calls.
    pub replies: Vec<Option<ToolReply>>,
    /// Answers in the log to tool calls that are not recorded now.
    pub first: Vec<FirstAnswer>,
}

impl WebhookDelivery<'_> {
    /// Whether a message calls a tool that the ledger answers at its source.
    pub(super) fn has_known_tool(&self, drafts: &[Draft]) -> bool {
        drafts.iter().any(|draft| self.tool_of(draft).is_some())
    }

    fn tool_of(&self, draft: &Draft) -> Option<Tool> {
        match &draft.event {
            CallEvent::ToolCalled(called) => self.source.tools.names.tool(&called.tool.tool),
            _ => None,
        }
    }

    /// Records a message with tool calls that were answered when it arrived, an append for each draft,
    /// without doing anything. The drafts have those answers.
    pub(super) async fn record_unanswered(
        &self,
        tenant_id: TenantId,
        content: &ContentDigest,
        drafts: Vec<Draft>,
    ) -> Result<Appended, DeliveryError> {
        let origin = &self.origin(tenant_id);
        let mut recorded = None;
        let mut seen = Vec::new();
        for draft in drafts {
            let appended = match self.tool_of(&draft) {
                None => self.record(tenant_id, content, vec![draft]).await?,
                Some(tool) => {
                    let ordinal = ordinal(&mut seen, &draft);
                    let call = ToolCall { origin, canonical: content, tool, draft, ordinal };
                    self.store.record_unanswered(call).await.map_err(refuse)?
                }
            };
            recorded = Some(joined(recorded, appended));
        }
        recorded.ok_or_else(|| Fault::internal(&"a message without events").into())
    }

    /// Answers the tool calls of a message one after the other, an append for each, so that each
    /// sees what the ones before it did. `replies` is filled as far as it goes: a tool call under way
    /// has an answer that leaves its outcome open.
    pub(super) async fn answer_tools(
        &self,
        tenant_id: TenantId,
        content: &ContentDigest,
        drafts: Vec<Draft>,
        replies: &mut Vec<Option<ToolReply>>,
    ) -> Result<Appended, DeliveryError> {
        let origin = &self.origin(tenant_id);
        let mut recorded: Option<Appended> = None;
        let mut failed = None;
        let mut seen: Vec<(Option<String>, String)> = Vec::new();
        for draft in drafts {
            let done = match self.tool_of(&draft) {
                None => {
                    let done = self.record(tenant_id, content, vec![draft]).await;
                    replies.push(None);
                    done
                }
                Some(tool) => {
                    let ordinal = ordinal(&mut seen, &draft);
                    replies.push(Some(Err(words::UNCONFIRMED.to_owned())));
                    let call = ToolCall { origin, canonical: content, tool, draft, ordinal };
                    let watched = self.watch(&call, content);
                    let answered = self.store.answer_tool(call).await;
                    if answered.as_ref().map_or_else(ToolError::is_certain, |_| true)
                        && let Some(watched) = watched
                    {
                        watched.confirm();
                    }
                    let (reply, done) = match answered {
                        Ok(answered) => (answered.reply, Ok(answered.appended)),
                        Err(error) => (Err(words_for(&error).to_owned()), Err(refuse(error))),
                    };
                    replies.pop();
                    replies.push(Some(reply));
                    done
                }
            };
            match done {
                Ok(appended) => recorded = Some(joined(recorded, appended)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match (failed, recorded) {
            (Some(error), _) => Err(error),
            (None, Some(appended)) => Ok(appended),
            (None, None) => Err(Fault::internal(&"a message without events").into()),
        }
    }
}

impl WebhookDelivery<'_> {
    /// Watches a tool call that may change an appointment: without a certain outcome it gets a follow-up
    /// task. `None` for one that changes nothing.
    fn watch(&self, call: &ToolCall<'_>, content: &ContentDigest) -> Option<Watched<'_>> {
        let changes = matches!(call.tool, Tool::Book | Tool::Cancel | Tool::Reschedule);
        let follow_ups = self.follow_ups.filter(|_| changes)?;
        let now = self.store.clock().now_micros();
        Some(follow_ups.watch(UnconfirmedTool::of(call, *content, now)))
    }
}

/// Number of tool calls with the same id and name before this one.
fn ordinal(seen: &mut Vec<(Option<String>, String)>, draft: &Draft) -> u16 {
    let CallEvent::ToolCalled(called) = &draft.event else { return 0 };
    let identity = (called.tool.tool_call_id.clone(), called.tool.tool.clone());
    let before = seen.iter().filter(|known| **known == identity).count();
    seen.push(identity);
    u16::try_from(before).unwrap_or(u16::MAX)
}

/// What the voice says if a tool call has no answer.
fn words_for(error: &ToolError) -> &'static str {
    match error {
        ToolError::Busy => words::BUSY,
        error if error.is_certain() => FAILED,
        _ => words::UNCONFIRMED,
    }
}

fn refuse(error: ToolError) -> DeliveryError {
    match error {
        ToolError::Busy => DeliveryError::ScheduleBusy,
        ToolError::Record(error) => error.into(),
        error @ ToolError::Misplaced => Fault::internal(&error).into(),
    }
}

fn joined(before: Option<Appended>, next: Appended) -> Appended {
    let Some(before) = before else { return next };
    Appended {
        first: before.first.min(next.first),
        last: before.last.max(next.last),
        duplicate: before.duplicate && next.duplicate,
    }
}
