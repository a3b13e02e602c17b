//! `GET /v1/settings/{name}`: the value of a setting.

use axum::Json;
use axum::extract::{Path, State};
use ledger_core::settings::{Setting, SettingName};
use ledger_store::TenantTx;
use ledger_store::tenants::tenant_view;
use serde_json::Value;

use super::{SettingValue, setting_name};
use crate::api::NoQuery;
use crate::api::tenant::not_found;
use crate::api::words::SettingWord;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Returns a setting of the tenant with all its fields.
///
/// # Errors
/// 404 `setting-not-found` for an unknown name, with the known ones; 404 `tenant-not-found` for a key of the
/// installation.
#[utoipa::path(
    get, path = "/v1/settings/{name}", operation_id = "get_setting", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Json<Value>, ApiError> {
    caller.require(&app, Scope::Admin, "settings.show").await?;
    let name = setting_name(&name)?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let view = tenant_view(&mut tx).await?.ok_or_else(not_found)?;
    drop(tx);
    let setting = match name {
        SettingName::Plan => Setting::Plan(view.profile.plan),
        SettingName::Hours
        | SettingName::Resources
        | SettingName::Services
        | SettingName::Bookings => {
            let values = app.store.booking_settings_in_full(caller.tenant_id()).await?;
            values.setting(name).ok_or_else(not_found)?
        }
    };
    Ok(Json(setting.to_json()))
}
