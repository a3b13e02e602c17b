//! Events that a read model could not fold: listed, tried again, done without. A tenant's key sees its
//! own, a key of the installation all.

pub mod drop;
pub mod list;
pub mod retry;

use projections::parked::ParkedError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::ParkedOutcome;
use crate::problem::ApiError;

/// What became of a parked key.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// The entry.
    parked_id: Uuid,
    /// `folded`, with all that waited behind it, or `parked`: it waits on.
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
