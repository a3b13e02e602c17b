//! `POST /v1/projections/{name}/promote`: serves the new version.

use axum::Json;
use axum::extract::State;
use projections::versions;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PathName, VersionView, changeable_rebuild};
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Options of a promotion; without a body, newly parked keys prevent it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// True to promote even if keys are parked in the new version that are not parked in the served one.
    #[serde(default, deserialize_with = "fields::flag")]
    with_parked: Option<bool>,
}

operation! {
    PromoteProjection {
        id: "promote_projection",
        action: "projections.promote",
        access: Admin,
        audit: Administers,
    }
}

/// Promotes the version being built, if it has caught up. A tenant's key may promote a rebuild of its own
/// rows.
///
/// # Errors
/// 403 `installation-key-required`; 404 `projection-not-found`; 409 `rebuild-not-running`, `projection-behind`
/// or `projection-parked`; 422 for a field, named in the answer.
#[utoipa::path(
    post, path = "/v1/projections/{name}/promote", tag = "operations",
    params(("name" = String, Path, description = "The read model")),
    request_body(content = Option<PromoteRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = VersionView),
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
#[tracing::instrument(name = "api.projections.promote", skip_all)]
pub async fn handler(
    caller: Authorized<PromoteProjection>,
    State(app): State<App>,
    name: PathName,
    _: NoQuery,
    OptionalJsonBody(request): OptionalJsonBody<PromoteRequest>,
) -> Result<Json<VersionView>, ApiError> {
    let with_parked = request.with_parked.unwrap_or(false);
    let name = name.named()?;
    let building = changeable_rebuild(&app, &caller, name).await?;
    let version = versions::promote_version(app.store.owner(), &building, with_parked).await?;
    let tenant_id = building.only.map(|only| only.0);
    Ok(Json(VersionView { name: name.to_owned(), version, state: "active", tenant_id }))
}
