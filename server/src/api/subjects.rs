//! Persons, for the rights over their data: found by a handle, erased, held and restricted. A subject of
//! these routes is a contact.

pub mod erase;
pub mod lift_restriction;
pub mod lookup;
pub mod place_hold;
pub mod release_hold;
pub mod restrict;
pub mod show;
pub mod view;

use ledger_core::ids::SubjectId;
use uuid::Uuid;

use crate::problem::ApiError;

/// 404, the same for a missing person and for another tenant's.
fn not_found() -> ApiError {
    ApiError::not_found("subject-not-found", "person")
}

/// The subject of a path.
fn subject(id: Option<Uuid>) -> Result<SubjectId, ApiError> {
    id.map(SubjectId).ok_or_else(not_found)
}
