//! Replies in Vapi's format.

use serde_json::{Value, json};

use crate::provider::{Reply, ReplyContent, ToolReply, ToolRequest};

/// Writes a reply. `replies.json` describes the shapes.
pub(super) fn respond(reply: &Reply, content: &ReplyContent<'_>) -> Value {
    match reply {
        Reply::Acknowledge => json!({}),
        Reply::ToolResults(requests) => {
            let results = requests.iter().zip(content.tools);
            let results: Vec<_> = results.map(|(request, tool)| result(request, tool)).collect();
            json!({ "results": results })
        }
        Reply::FunctionResult(_) => {
            let text = content.tools.first().map(|tool| match tool {
                Ok(text) | Err(text) => text.as_str(),
            });
            json!({ "result": text.unwrap_or_default() })
        }
        Reply::Assistant => match content.assistant_id {
            Some(assistant_id) => json!({ "assistantId": assistant_id }),
            None => json!({ "error": content.error }),
        },
        Reply::Destination => json!({ "error": content.error }),
        Reply::Fixed(body) => body.clone(),
    }
}

fn result(request: &ToolRequest, tool: &ToolReply) -> Value {
    let (key, text) = match tool {
        Ok(result) => ("result", result),
        Err(error) => ("error", error),
    };
    json!({ "toolCallId": request.tool_call_id, "name": request.tool, key: text })
}
