//! Results of tool calls that the ledger does not answer. They are sealed with the call, and the assistant
//! reads them out.

use ledger_core::envelope::Draft;
use ledger_core::event::{CallEvent, ToolAnswer};
use serde_json::json;

/// Text for the assistant when the ledger has no such tool. One line, without any promise.
pub const NOT_CONFIGURED: &str =
    "This tool is not configured here. Nothing was done. Please take a message instead.";

/// Text for the assistant when the ledger failed; makes no claim about the result.
pub const FAILED: &str =
    "The system cannot be reached at the moment. Nothing was done. Please try again later.";

/// Whether a draft is a tool call.
pub(super) fn is_tool_call(draft: &Draft) -> bool {
    matches!(draft.event, CallEvent::ToolCalled(_))
}

/// Writes the response into each tool call draft, before it is sealed.
pub(super) fn fill_tool_results(drafts: &mut [Draft], error: &str) {
    for draft in drafts.iter_mut().filter(|draft| is_tool_call(draft)) {
        for io in &mut draft.sections.tool_io {
            io.result = Some(json!({ "error": error }));
        }
    }
}

/// Writes into each tool call draft that the tool was not called and the assistant was told so.
pub(super) fn mark_unanswered(drafts: &mut [Draft]) {
    fill_tool_results(drafts, FAILED);
    for draft in drafts {
        if let CallEvent::ToolCalled(called) = &mut draft.event {
            called.answer = ToolAnswer::NotAnswered;
        }
    }
}
