//! Replies in Vapi's format.

use serde_json::{Value, json};

use crate::provider::{Reply, ReplyContent, ToolReply, ToolRequest};

/// Writes a reply. `replies.json` describes the shapes.
pub(super) fn respond(reply: &Reply, content: &ReplyContent<'_>) -> Value {
    match reply {
        Reply::Acknowledge => json!({}),
        Reply::ToolResults(requests) => {
            let results = requests.iter().zip(content.tools).enumerate();
            let results = results.map(|(nth, (request, tool))| {
                let is_verbatim = content.verbatim.get(nth).copied().unwrap_or_default();
                result(request, tool, is_verbatim)
            });
            let results: Vec<_> = results.collect();
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

/// Maximum length of a message that is spoken, in characters.
const MAX_SPOKEN: usize = 1_000;

fn result(request: &ToolRequest, tool: &ToolReply, is_verbatim: bool) -> Value {
    let (key, kind, text) = match tool {
        Ok(result) => ("result", "request-complete", result),
        Err(error) => ("error", "request-failed", error),
    };
    let mut answer = json!({ "toolCallId": request.tool_call_id, "name": request.tool, key: text });
    if is_verbatim {
        let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let content: String = one_line.take(MAX_SPOKEN).collect();
        answer["message"] = json!({ "type": kind, "content": content });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_spoken_are_one_line_of_at_most_a_thousand_characters() {
        let request = ToolRequest { tool_call_id: Some("t".to_owned()), tool: "book".to_owned() };
        let long = format!("one\ntwo{}", "\u{e4}".repeat(2_000));
        let answer = result(&request, &Ok(long), true);
        assert_eq!(answer["message"]["type"], "request-complete");
        let content = answer["message"]["content"].as_str().expect("a text");
        assert!(content.starts_with("one two"), "{content}");
        assert_eq!(content.chars().count(), MAX_SPOKEN);
        let refused = result(&request, &Err("No.".to_owned()), true);
        let message = json!({ "type": "request-failed", "content": "No." });
        assert_eq!((&refused["message"], &refused["error"]), (&message, &json!("No.")));
        assert_eq!(result(&request, &Err("No.".to_owned()), false).get("message"), None);
    }
}
