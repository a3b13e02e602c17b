//! Parked events, which a projection could not apply: list, retry, drop. A tenant's key reaches its own, a
//! key of the installation all.

pub mod drop;
pub mod list;
pub mod retry;

use projections::parked::ParkedError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::ParkedOutcome;
use crate::problem::ApiError;

/// Result of a retry or drop.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// Id of the parked entry.
    parked_id: Uuid,
    /// `folded` if the entry and all events behind it were applied, or `parked` if it still waits.
    #[schema(value_type = ParkedOutcome)]
    state: &'static str,
}

impl OutcomeView {
    fn new(parked_id: Uuid, is_folded: bool) -> Self {
        Self { parked_id, state: if is_folded { "folded" } else { "parked" } }
    }
}

impl From<ParkedError> for ApiError {
    fn from(error: ParkedError) -> Self {
        match error {
            ParkedError::Missing => Self::not_found("parked-not-found", "parked event"),
            ParkedError::Version(error) => error.into(),
            ParkedError::Store(error) => error.into(),
            ParkedError::Database(error) => error.into(),
        }
    }
}
