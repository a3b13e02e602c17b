//! Card data removed from a message before anything of it is stored.

use serde::{Deserialize, Serialize};

/// Data that may not be stored, and was removed. Never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedData {
    /// Class of the removed value.
    pub class: RemovedClass,
    /// The part of the message that it was in.
    pub from: RemovedFrom,
    /// Number of places in that part, copies included.
    pub count: u32,
}

/// Classes of data that are removed (PCI DSS 3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedClass {
    /// Card verification code.
    CardCode,
    /// PIN of a card or an account.
    Pin,
    /// Data of a magnetic stripe.
    Track,
}

/// Part of a message. A fixed list, since the names of fields are chosen by senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedFrom {
    /// The transcript as one text.
    Transcript,
    /// The turns.
    Messages,
    /// The summary.
    Summary,
    /// Data that the platform extracted.
    StructuredData,
    /// Arguments or result of a tool call.
    ToolCall,
    /// Variables and metadata of the call.
    Variables,
    /// Any other part.
    Other,
}
