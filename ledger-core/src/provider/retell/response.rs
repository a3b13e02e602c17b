//! Replies in Retell's format.

use serde_json::{Value, json};

use crate::provider::{Reply, ReplyContent};

/// Writes a reply. `replies.json` describes the shapes.
pub(super) fn respond(reply: &Reply, content: &ReplyContent<'_>) -> Value {
    match reply {
        // Without an agent in the answer, Retell uses the agent of the number.
        Reply::Assistant => match content.assistant_id {
            Some(agent_id) => json!({ "call_inbound": { "override_agent_id": agent_id } }),
            None => json!({ "call_inbound": {} }),
        },
        Reply::FunctionResult(_) | Reply::ToolResults(_) => {
            let text = content.tools.first().map(|tool| match tool {
                Ok(text) | Err(text) => text.as_str(),
            });
            json!({ "result": text.unwrap_or_default() })
        }
        Reply::Acknowledge | Reply::Destination | Reply::Fixed(_) => json!({}),
    }
}
