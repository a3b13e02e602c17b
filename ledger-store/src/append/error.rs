//! The reasons for which an append request has no positions.

use std::sync::Arc;

use ledger_core::ids::StreamVersion;
use thiserror::Error;

use super::rejection::AppendRejection;

/// The reason for which a request was not appended.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The stream is not at the expected version: read it and decide again.
    #[error("the stream is at version {}", .actual.0)]
    Conflict {
        /// Current version of the stream.
        actual: StreamVersion,
    },
    /// The request breaks a rule of the log; a retry fails in the same way.
    #[error("the append was rejected: {0}")]
    Rejected(AppendRejection),
    /// The queue is full. Nothing was stored; try again in a moment.
    #[error("too many appends are waiting")]
    Overloaded,
    /// The database did not answer. The request may have been appended or not: sending it again is
    /// safe.
    #[error("the log could not be reached")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
}

impl AppendError {
    /// Whether a later retry can succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable(_))
    }
}
