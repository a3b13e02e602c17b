//! Projection events: an operator's decisions on read models.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

events! {
    /// An operator's decision on a read model.
    ProjectionEvent {
        /// An operator decided that a read model skips an event that could not be applied.
        EventDropped(EventDropped) = "projection.event_dropped" v 1;
    }
}

/// `projection.event_dropped`. A read model leaves an event out, whether it was folded before or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDropped {
    /// Name of the read model.
    pub projection: String,
    /// Position of the skipped event.
    pub position: i64,
    /// Reason given with the decision.
    pub reason: String,
    /// API key of the request; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}
