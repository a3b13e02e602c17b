//! The settings of the tenant, each with a typed schema (`ledger_core::settings`).

pub mod replace;
mod schemas;
pub mod show;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use ledger_core::settings::SettingName;

use crate::problem::ApiError;

pub use schemas::*;

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
    use std::collections::{BTreeMap, BTreeSet};

    use ledger_core::settings::Setting;
    use serde_json::Value;
    use utoipa::PartialSchema;

    use super::*;

    fn names(object: &Value) -> BTreeSet<String> {
        object.as_object().expect("an object").keys().cloned().collect()
    }

    fn described<T: PartialSchema>() -> BTreeSet<String> {
        names(&serde_json::to_value(T::schema()).expect("JSON")["properties"])
    }

    #[test]
    fn the_described_fields_of_a_setting_are_those_that_are_answered() {
        for (name, described) in [
            (SettingName::Plan, described::<PlanSetting>()),
            (SettingName::Hours, described::<HoursSetting>()),
            (SettingName::Resources, described::<ResourcesSetting>()),
            (SettingName::Services, described::<ServicesSetting>()),
            (SettingName::Bookings, described::<BookingsSetting>()),
            (SettingName::Reminders, described::<RemindersSetting>()),
            (SettingName::Dispositions, described::<DispositionsSetting>()),
            (SettingName::Annotations, described::<AnnotationsSetting>()),
            (SettingName::LeadScore, described::<LeadScoreSetting>()),
            (SettingName::Contacts, described::<ContactsSetting>()),
            (SettingName::Retention, described::<RetentionSetting>()),
        ] {
            let default = Setting::parse(name, BTreeMap::new()).expect("every field has a default");
            assert_eq!(described, names(&default.to_json()), "{name:?}");
        }
    }
}
