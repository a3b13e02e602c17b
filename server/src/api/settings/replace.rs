//! `PUT /v1/settings/{name}`: sets a setting.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_app::settings::{self, SettingError};
use ledger_core::settings::{InvalidSetting, Setting};
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;
use serde_json::Value;

use super::{PathSetting, SettingValue};
use crate::api::tenant::{not_found, refused};
use crate::api::words::SettingWord;
use crate::app::App;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

operation! {
    ReplaceSetting {
        id: "replace_setting",
        action: "settings.replace",
        access: Admin,
        audit: Administers,
    }
}

/// Sets a setting of the tenant. The value is replaced as a whole: an absent field gets its default.
///
/// # Errors
/// 404 `setting-not-found` for an unknown name, with the known ones; 422 for an unknown or malformed field,
/// named in the answer, and for one that does not fit another setting; 403 `tenant-not-active` for a frozen tenant.
#[utoipa::path(
    put, path = "/v1/settings/{name}", tag = "operations",
    params(("name" = SettingWord, Path, description = "The setting")),
    request_body(content = SettingValue, content_type = "application/json"),
    responses(
        (status = 200, body = SettingValue, description = "The value as it is now", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The body is no JSON object"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such setting, or the key is of the installation"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too large"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, not of its form, or does not fit another setting"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.settings.replace", skip_all)]
pub async fn handler(
    caller: Authorized<ReplaceSetting>,
    State(app): State<App>,
    PathSetting(name): PathSetting,
    _: NoQuery,
    JsonBody(fields): JsonBody<BTreeMap<String, Value>>,
) -> Result<Response, ApiError> {
    let setting = Setting::parse(name, fields).map_err(invalid)?;
    let answer = Json(setting.to_json()).into_response();
    let (by, tenant_id) = (caller.actor(), caller.tenant_id());
    let position = settings::replace(&app.store, &by, tenant_id, setting).await.map_err(not_set)?;
    tracing::info!(name = name.as_str(), "setting.replaced");
    Ok(with_write_position(answer, position))
}

/// The answer for a setting that was not recorded.
fn not_set(error: SettingError) -> ApiError {
    match error {
        SettingError::TenantNotFound => not_found(),
        SettingError::Tenant(error) => refused(error),
        SettingError::Store(error) => error.into(),
        SettingError::Booking(error) => not_executed(error, invalid),
        SettingError::Call(error) => not_executed(error, |never| match never {}),
    }
}

fn not_executed<R>(error: ExecuteError<R>, rejected: impl FnOnce(R) -> ApiError) -> ApiError {
    match error {
        ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
            ApiError::tenant_not_active()
        }
        ExecuteError::Append(error) => StoreError::from(error).into(),
        ExecuteError::Store(error) => error.into(),
        ExecuteError::Rejected(rejection) => rejected(rejection),
        ExecuteError::Busy | ExecuteError::Reused | ExecuteError::Misplaced => {
            ApiError::unavailable("unavailable", "the setting could not be recorded")
        }
    }
}

fn invalid(invalid: InvalidSetting) -> ApiError {
    let error = ApiError::field(&invalid.field, invalid.detail);
    if invalid.is_unknown { ApiError { code: "unknown-field", ..error } } else { error }
}
