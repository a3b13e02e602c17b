//! `POST /v1/projections/{name}/rebuild`: starts a rebuild.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ledger_core::ids::TenantId;
use projections::versions;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PathName, VersionView, named_tenant};
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Extent of the rebuild; without a body every tenant's rows, or those of the key's tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebuildRequest {
    /// The only tenant to rebuild. A tenant's key may name its own only.
    #[serde(default, deserialize_with = "fields::id")]
    tenant_id: Option<Uuid>,
    /// False to wait for a manual promotion after the version has caught up; default: true.
    #[serde(default, deserialize_with = "fields::flag")]
    promote: Option<bool>,
}

operation! {
    RebuildProjection {
        id: "rebuild_projection",
        action: "projections.rebuild",
        access: Admin,
        audit: Administers,
    }
}

/// Starts a new version; servers fill it, and promote it when it has caught up.
///
/// `GET /v1/projections` reports the progress. A tenant's key rebuilds its own rows only.
///
/// # Errors
/// 404 `projection-not-found`, `tenant-not-found`; 409 `rebuild-running`; 422 for a field, named in the
/// answer.
#[utoipa::path(
    post, path = "/v1/projections/{name}/rebuild", tag = "operations",
    params(("name" = String, Path, description = "The read model")),
    request_body(content = Option<RebuildRequest>, content_type = "application/json"),
    responses(
        (status = 202, body = VersionView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.projections.rebuild", skip_all)]
pub async fn handler(
    caller: Authorized<RebuildProjection>,
    State(app): State<App>,
    name: PathName,
    _: NoQuery,
    OptionalJsonBody(request): OptionalJsonBody<RebuildRequest>,
) -> Result<(StatusCode, Json<VersionView>), ApiError> {
    let promote = request.promote.unwrap_or(true);
    let projector = versions::named(name.named()?)?;
    let only = match request.tenant_id {
        Some(id) => Some(named_tenant(&app, &caller, TenantId(id)).await?),
        None => caller.tenant_scope(),
    };
    let version = versions::begin(app.store.owner(), &*projector, only, promote).await?;
    let (name, tenant_id) = (projector.name().to_owned(), only.map(|only| only.0));
    let begun = VersionView { name, version, state: "building", tenant_id };
    Ok((StatusCode::ACCEPTED, Json(begun)))
}
