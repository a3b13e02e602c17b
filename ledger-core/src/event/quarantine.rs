//! Quarantine events: what became of a message without a single tenant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

events! {
    /// An event about a quarantined message, in the log of the tenant that it was assigned to.
    QuarantineEvent {
        /// A message from quarantine was recorded in this tenant's log.
        Replayed(QuarantineReplayed) = "quarantine.replayed" v 1;
    }
}

/// Facts of `quarantine.replayed`. Recorded in the log of the tenant that the message was assigned
/// to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReplayed {
    /// Id of the quarantine entry.
    pub quarantine_id: Uuid,
    /// Id of the shared source that received the message.
    pub source_id: Uuid,
    /// Position of the message in this log.
    pub position: i64,
    /// Installation key of the request; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}
