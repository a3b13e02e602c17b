//! `GET /v1/tenant`: the tenant of the API key.

use axum::Json;
use axum::extract::State;
use ledger_store::TenantTx;
use ledger_store::tenants::tenant_view;

use super::{TenantView, not_found};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    GetTenant { id: "get_tenant", action: "tenant.show", access: Admin, audit: ReadsFacts }
}

/// Returns the tenant of the API key.
///
/// # Errors
/// 404 `tenant-not-found` for a key of the installation, which is no tenant.
#[utoipa::path(
    get, path = "/v1/tenant", tag = "operations",
    responses(
        (status = 200, body = TenantView, description = "The tenant"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A query parameter was sent"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The key is of the installation"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.tenant.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetTenant>,
    State(app): State<App>,
    _: NoQuery,
) -> Result<Json<TenantView>, ApiError> {
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let view = tenant_view(&mut tx).await?.ok_or_else(not_found)?;
    Ok(Json(TenantView::new(caller.tenant_id().0, view.slug, view.profile)))
}
