//! The settings of the tenant, each with a typed schema (`ledger_core::settings`).

pub mod replace;
pub mod show;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use ledger_core::settings::SettingName;
use ledger_core::tenant::{Limit, PlanLimits};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::ApiError;

/// Limits of the tenant's plan per billing month; null is unlimited. Usage is compared with them, and nothing
/// is refused.
#[derive(Debug, Serialize, ToSchema)]
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

impl From<PlanLimits> for PlanSetting {
    fn from(limits: PlanLimits) -> Self {
        Self {
            calls: limits.calls.map(Limit::get),
            minutes: limits.minutes.map(Limit::get),
            cost_nanos: limits.cost_nanos.map(Limit::get),
            events: limits.events.map(Limit::get),
        }
    }
}

/// The setting that a path names. Rejects another name with 404 `setting-not-found` and the names that exist.
#[derive(Debug)]
pub struct PathSetting(SettingName);

impl<S: Send + Sync> FromRequestParts<S> for PathSetting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let name = name.ok().and_then(|Path(name)| SettingName::parse(&name));
        name.map(Self).ok_or_else(|| {
            let detail =
                format!("there is no such setting; choose one of {}", SettingName::known());
            ApiError::new(StatusCode::NOT_FOUND, "setting-not-found", detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ledger_core::settings::Setting;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_described_fields_of_a_setting_are_those_that_are_parsed() {
        let described =
            serde_json::to_value(PlanSetting::from(PlanLimits::default())).expect("JSON");
        let described = described.as_object().expect("an object");
        let parsed = |name: &String| BTreeMap::<String, Value>::from([(name.clone(), json!(7))]);
        for name in described.keys() {
            let Ok(Setting::Plan(limits)) = Setting::parse(SettingName::Plan, parsed(name)) else {
                panic!("{name} is not parsed");
            };
            let answered = serde_json::to_value(PlanSetting::from(limits)).expect("JSON");
            assert_eq!(answered[name], 7);
            assert_eq!(answered, Setting::Plan(limits).to_json());
        }
    }
}
