//! Digests of the arguments of tool calls, in the facts: the arguments are sealed, and read models have
//! no keys, yet the same id with other arguments is another tool call.
//!
//! A digest is keyed by the tenant and covers the call and the tool, so that it shows nothing of the
//! arguments, not even that two calls have the same.

use ledger_core::envelope::Sections;
use ledger_core::event::{Event, ToolFact};
use ledger_core::ids::StreamId;
use serde_json::Value;

use crate::keyring::DigestKey;

/// Bytes of a digest that are kept: it tells apart the tool calls of one call.
const KEPT: usize = 8;

/// Gives each tool call of an event the digest of its arguments.
pub(super) fn fill(key: &DigestKey, stream_id: StreamId, event: &mut Event, sections: &Sections) {
    let facts: &mut [ToolFact] = match event {
        Event::CallToolCalled(called) => std::slice::from_mut(&mut called.tool),
        Event::CallEnded(ended) => &mut ended.tools,
        _ => return,
    };
    for (fact, io) in facts.iter_mut().zip(&sections.tool_io) {
        // What only a result is told of was called with nobody knows what.
        if !fact.tool.is_empty() {
            fact.arguments = Some(digest(key, stream_id, &fact.tool, io.arguments.as_ref()));
        }
    }
}

fn digest(key: &DigestKey, stream_id: StreamId, tool: &str, arguments: Option<&Value>) -> String {
    // Keys of objects are sorted: `serde_json` keeps them in a `BTreeMap`.
    let arguments = arguments.map_or_else(|| "null".to_owned(), Value::to_string);
    let mut told = Vec::with_capacity(64 + tool.len() + arguments.len());
    for part in
        [&b"tool-arguments"[..], stream_id.0.as_bytes(), tool.as_bytes(), arguments.as_bytes()]
    {
        told.extend_from_slice(&(part.len() as u64).to_be_bytes());
        told.extend_from_slice(part);
    }
    hex::encode(&key.digest(&told)[..KEPT])
}
