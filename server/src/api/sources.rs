//! Webhook sources: create, list with counts, change, disable, rotate the secret.
//!
//! A tenant's key sees the tenant's own sources. The installation's key sees the shared ones, which are
//! assigned to no tenant, and can disable every source.

pub mod create;
pub mod disable;
pub mod enable;
pub mod list;
pub mod rotate_secret;
pub mod settings;
mod tools;
pub mod update;

use ledger_store::source::{SourceError, SourceRejection};

use crate::problem::ApiError;

/// The answer to a change that was not made.
fn refused(error: SourceError) -> ApiError {
    match error {
        SourceError::Store(error) => error.into(),
        SourceError::Rejected(rejection) => match rejection {
            SourceRejection::NotFound => settings::not_found(),
            SourceRejection::NotActive(_) => ApiError::tenant_not_active(),
            SourceRejection::WeakSecret(fault) => ApiError::field("secret", fault.to_string()),
            // The id of a source is random, or derived from its command.
            SourceRejection::Exists => ApiError::internal(&rejection),
        },
    }
}
