//! Problem documents of refused webhooks.

use axum::http::StatusCode;
use ledger_core::provider::TranslateError;

use crate::problem::ApiError;

/// Returns the 400 response to a body that is no message of the provider.
pub(super) fn translate_error(refused: &TranslateError) -> ApiError {
    let code = match refused {
        TranslateError::NotUtf8 { .. } => "body-not-utf8",
        TranslateError::NotJson { .. } => "body-not-json",
        TranslateError::TooDeep { .. } => "body-too-deep",
        TranslateError::TooMany { .. } => "body-too-complex",
        TranslateError::UnrecognizedMessage(_) => "unrecognized-message",
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, refused.to_string())
}

pub(super) fn overloaded() -> ApiError {
    ApiError::unavailable("overloaded", "too much is waiting; try again in a moment")
}

pub(super) fn unavailable() -> ApiError {
    ApiError::unavailable("unavailable", "the ledger cannot answer now; try again")
}
