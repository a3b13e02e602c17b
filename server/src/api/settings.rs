//! The settings of the tenant, each with a typed schema (`ledger_core::settings`).

pub mod replace;
mod schemas;
pub mod show;

use axum::http::StatusCode;
use ledger_core::settings::SettingName;

use crate::problem::ApiError;

pub use schemas::*;

/// Parses the name in a path.
///
/// # Errors
/// 404 `setting-not-found` with the names that exist.
pub(super) fn setting_name(name: &str) -> Result<SettingName, ApiError> {
    SettingName::parse(name).ok_or_else(|| {
        let detail = format!("there is no such setting; choose one of {}", SettingName::known());
        ApiError::new(StatusCode::NOT_FOUND, "setting-not-found", detail)
    })
}
