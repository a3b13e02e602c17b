//! Replies to webhooks: the form that a message expects, and the content that the adapter writes in
//! the provider's format.

use serde_json::Value;

/// A tool call that the provider wants a result for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// The provider's id, returned unchanged in the reply.
    pub tool_call_id: Option<String>,
    /// Name of the function.
    pub tool: String,
}

/// Form of the response that the provider expects once the message is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An empty success.
    Acknowledge,
    /// One result for each tool call, in this order. The drafts have an entry for each, in the same
    /// order.
    ToolResults(Vec<ToolRequest>),
    /// One result without an id.
    FunctionResult(ToolRequest),
    /// The assistant that takes the call.
    Assistant,
    /// A destination for a transfer; there is none to give.
    Destination,
    /// A fixed body in the provider's own shape that means "nothing".
    Fixed(Value),
}

impl Reply {
    /// Returns the number of tool calls that expect a result.
    #[must_use]
    pub fn tool_calls(&self) -> usize {
        match self {
            Self::ToolResults(requests) => requests.len(),
            Self::FunctionResult(_) => 1,
            _ => 0,
        }
    }
}

/// Result of a tool call: a result or an error, as text for the assistant to say.
pub type ToolReply = Result<String, String>;

/// Content of a reply.
#[derive(Debug, Clone, Copy)]
pub struct ReplyContent<'a> {
    /// The assistant configured for the source.
    pub assistant_id: Option<&'a str>,
    /// One entry for each tool call of the request, in its order.
    pub tools: &'a [ToolReply],
    /// Whether the caller is told each of them word by word, in the same order; shorter if the model
    /// words the rest.
    pub verbatim: &'a [bool],
    /// Text for the assistant to say if there is neither an assistant nor a destination.
    pub error: &'a str,
}
