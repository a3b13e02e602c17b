//! API keys: issue, list, revoke.
//!
//! A key of scope `admin` issues keys of its own tenant with scopes that it has itself. It can revoke any key
//! of the tenant, including itself and the last one, since a leaked key must be revocable at once, and the
//! command line can always issue another.

pub mod create;
pub mod list;
pub mod revoke;

use ledger_store::api_keys::{KeyError, KeyRejection};

use crate::problem::ApiError;

/// The answer to a change that was not made.
fn refused(error: KeyError) -> ApiError {
    match error {
        KeyError::Store(error) => error.into(),
        KeyError::Rejected(rejection) => match rejection {
            KeyRejection::NotFound => ApiError::not_found("key-not-found", "API key"),
            KeyRejection::NotActive(_) => ApiError::tenant_not_active(),
            KeyRejection::Expired => ApiError::field("expires_at", "it is in the past"),
            KeyRejection::NoScopes | KeyRejection::InstallationScope => {
                ApiError::field("scopes", rejection.to_string())
            }
            // The id of a key is random, or that of its command.
            KeyRejection::Exists => ApiError::internal(&rejection),
        },
    }
}
