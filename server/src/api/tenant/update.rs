//! `PATCH /v1/tenant`: changes the profile of the tenant.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_core::tenant::{TenantCommand, TenantPatch};
use ledger_store::TenantTx;
use ledger_store::tenants::tenant_view;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{TenantView, not_found, refused};
use crate::app::App;
use crate::http::fields::{self, Change};
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// Profile fields to change. An absent field keeps its value. The slug cannot be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChanges {
    /// Name of the business.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2 country of national phone numbers from now on; null for none.
    #[serde(default)]
    #[schema(min_length = 2, max_length = 2, value_type = Option<String>)]
    country: Change,
    /// IANA time zone of the tenant's days, opening hours and spoken times from now on. Appointments keep their
    /// instants, and usage stays counted in months of the first zone.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    timezone: Option<String>,
}

operation! {
    UpdateTenant { id: "update_tenant", action: "tenant.update", access: Admin, audit: Administers }
}

/// Changes the profile of the tenant.
///
/// This server applies the change to the next webhook, others within five seconds. Calls that are in the log
/// stay as they are. Equal values are no change and record nothing.
///
/// # Errors
/// 404 `tenant-not-found` for a key of the installation; 422 for an unknown or malformed field, named in the
/// answer; 403 `tenant-not-active` for a frozen tenant.
#[utoipa::path(
    patch, path = "/v1/tenant", tag = "operations",
    request_body(content = TenantChanges, content_type = "application/json"),
    responses(
        (status = 200, body = TenantView, description = "The tenant as it is now", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The body is no JSON object"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The key is of the installation"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too large"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.tenant.update", skip_all)]
pub async fn handler(
    caller: Authorized<UpdateTenant>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<TenantChanges>,
) -> Result<Response, ApiError> {
    let country = request.country.into_option().map(Option::unwrap_or_default);
    let patch = TenantPatch::new(request.name, country, request.timezone.as_deref())
        .map_err(|invalid| ApiError::field(invalid.field, invalid.detail))?;
    let tenant_id = caller.tenant_id();
    let command = TenantCommand::Update(patch);
    let changed = app.store.administer_tenant(&caller.actor(), tenant_id, &command).await;
    let changed = changed.map_err(refused)?;
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let slug = tenant_view(&mut tx).await?.ok_or_else(not_found)?.slug;
    tracing::info!("tenant.updated");
    let view = TenantView::new(tenant_id.0, slug, changed.profile);
    Ok(with_write_position(Json(view).into_response(), changed.position))
}
