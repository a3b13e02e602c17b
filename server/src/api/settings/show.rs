//! `GET /v1/settings/{name}`: the value of a setting.

use axum::Json;
use axum::extract::State;
use ledger_core::settings::{Setting, SettingName};
use ledger_store::TenantTx;
use ledger_store::tenants::tenant_view;
use serde_json::Value;

use super::{PathSetting, SettingValue};
use crate::api::tenant::not_found;
use crate::api::words::SettingWord;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    GetSetting { id: "get_setting", action: "settings.show", access: Admin, audit: ReadsFacts }
}

/// Returns a setting of the tenant with all its fields.
///
/// # Errors
/// 404 `setting-not-found` for an unknown name, with the known ones; 404 `tenant-not-found` for a key of the
/// installation.
#[utoipa::path(
    get, path = "/v1/settings/{name}", tag = "operations",
    params(("name" = SettingWord, Path, description = "The setting")),
    responses(
        (status = 200, body = SettingValue, description = "The value"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A query parameter was sent"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such setting, or the key is of the installation"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.settings.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetSetting>,
    State(app): State<App>,
    PathSetting(name): PathSetting,
    _: NoQuery,
) -> Result<Json<Value>, ApiError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let view = tenant_view(&mut tx).await?.ok_or_else(not_found)?;
    drop(tx);
    let setting = match name {
        SettingName::Plan => Setting::Plan(view.profile.plan),
        SettingName::Hours
        | SettingName::Resources
        | SettingName::Services
        | SettingName::Bookings
        | SettingName::Reminders => {
            let values = app.store.booking_settings_in_full(caller.tenant_id()).await?;
            values.setting(name).ok_or_else(not_found)?
        }
    };
    Ok(Json(setting.to_json()))
}
