//! Digests of tool call arguments, stored in the facts.
//!
//! Arguments are sealed and read models have no keys, but the same tool call id with other
//! arguments is another tool call. A digest is keyed by the tenant and covers call and tool, so it
//! reveals nothing of the arguments, not even that two calls have equal ones.

use ledger_core::envelope::Sections;
use ledger_core::event::{CallEvent, ToolFact};
use ledger_core::ids::StreamId;
use serde_json::Value;

use crate::keyring::DigestKey;

/// Bytes kept of a digest; enough to distinguish the tool calls of one call.
const DIGEST_BYTES: usize = 8;

/// Sets the digest of the arguments in each tool fact of an event.
pub(super) fn fill(
    key: &DigestKey,
    stream_id: StreamId,
    event: &mut CallEvent,
    sections: &Sections,
) {
    let facts: &mut [ToolFact] = match event {
        CallEvent::ToolCalled(called) => std::slice::from_mut(&mut called.tool),
        CallEvent::Ended(ended) => &mut ended.tools,
        _ => return,
    };
    for (fact, io) in facts.iter_mut().zip(&sections.tool_io) {
        // A tool call known only by its result has an empty name, and unknown arguments.
        if !fact.tool.is_empty() {
            fact.arguments = Some(digest(key, stream_id, &fact.tool, io.arguments.as_ref()));
        }
    }
}

fn digest(key: &DigestKey, stream_id: StreamId, tool: &str, arguments: Option<&Value>) -> String {
    // `serde_json` keeps object keys sorted in a `BTreeMap`, so the text is canonical.
    let arguments = arguments.map_or_else(|| "null".to_owned(), Value::to_string);
    let mut input = Vec::with_capacity(64 + tool.len() + arguments.len());
    for part in
        [&b"tool-arguments"[..], stream_id.0.as_bytes(), tool.as_bytes(), arguments.as_bytes()]
    {
        input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        input.extend_from_slice(part);
    }
    hex::encode(&key.digest(&input)[..DIGEST_BYTES])
}
