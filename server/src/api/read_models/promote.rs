//! `POST /v1/projections/{name}/promote`: serves the new version.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use projections::versions;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PathName, VersionView, changeable_rebuild};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::fields::BodyFields;
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// Options of a promotion; without a body, newly parked keys prevent it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract; what is sent is taken apart by `BodyFields`")]
pub struct PromoteRequest {
    /// True to promote even if keys are parked in the new version that are not parked in the served one.
    with_parked: Option<bool>,
}

/// Promotes the version being built, if it has caught up. A tenant's key may promote a rebuild of its own
/// rows.
///
/// # Errors
/// 403 `installation-key-required`; 404 `projection-not-found`; 409 `rebuild-not-running`, `projection-behind`
/// or `projection-parked`; 422 for a field, named in the answer.
#[utoipa::path(
    post, path = "/v1/projections/{name}/promote", operation_id = "promote_projection", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    name: PathName,
    params: Params,
    body: Body,
) -> Result<Json<VersionView>, ApiError> {
    caller.require(&app, Scope::Admin, "projections.promote").await?;
    params.reject_unknown()?;
    let mut fields = BodyFields::read_any(body).await?;
    let with_parked = fields.flag("with_parked")?.unwrap_or(false);
    fields.reject_unknown()?;
    let name = name.named()?;
    let building = changeable_rebuild(&app, &caller, name, "projections.promote").await?;
    let version = versions::promote_version(app.store.owner(), &building, with_parked).await?;
    let tenant_id = building.only.map(|only| only.0);
    Ok(Json(VersionView { name: name.to_owned(), version, state: "active", tenant_id }))
}
