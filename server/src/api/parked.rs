//! Parked events, which a projection could not apply: list, retry, drop. A tenant's key reaches its own, a
//! key of the installation all.

pub mod drop;
pub mod list;
pub mod retry;

use axum::http::StatusCode;
use projections::parked::{Dropped, ParkedError};
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

/// Result of a drop.
#[derive(Debug, Serialize, ToSchema)]
pub struct DroppedView {
    /// The tenant of the event.
    tenant_id: Uuid,
    /// Name of the read model that leaves the event out.
    name: String,
    /// Id of the dropped event.
    event_id: Uuid,
    /// Position of the event in the tenant's log.
    position: i64,
    /// `folded`: all other events of its stream are in the read model, or will be when it reaches
    /// them; `parked`: some of them wait.
    #[schema(value_type = ParkedOutcome)]
    state: &'static str,
    /// Whether the event had been dropped before; the first decision and its reason are kept.
    already_dropped: bool,
}

impl From<Dropped> for DroppedView {
    fn from(one: Dropped) -> Self {
        Self {
            tenant_id: one.tenant_id.0,
            name: one.name,
            event_id: one.event_id,
            position: one.position.0,
            state: if one.goes_on { "folded" } else { "parked" },
            already_dropped: one.decided.is_none(),
        }
    }
}

impl From<ParkedError> for ApiError {
    fn from(error: ParkedError) -> Self {
        match error {
            ParkedError::Missing => Self::not_found("parked-not-found", "parked event"),
            ParkedError::NoEvent => Self::not_found("event-not-found", "event"),
            ParkedError::NotFolded => {
                Self::new(StatusCode::CONFLICT, "event-not-folded", error.to_string())
            }
            ParkedError::Version(error) => error.into(),
            ParkedError::Store(error) => error.into(),
            ParkedError::Database(error) => error.into(),
        }
    }
}
