//! The settings of the tenant, each with a typed schema (`ledger_core::settings`).

pub mod replace;
pub mod show;

use axum::http::StatusCode;
use ledger_core::settings::SettingName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::ApiError;

/// Limits of the tenant's plan per billing month; null is unlimited. Usage is compared with them, and nothing
/// is refused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSetting {
    /// Number of calls.
    #[schema(minimum = 1)]
    calls: Option<i64>,
    /// Minutes of all calls.
    #[schema(minimum = 1)]
    minutes: Option<i64>,
    /// Cost of the calls, in nano-dollars.
    #[schema(minimum = 1)]
    cost_nanos: Option<i64>,
    /// Number of events in the log.
    #[schema(minimum = 1)]
    events: Option<i64>,
}

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
