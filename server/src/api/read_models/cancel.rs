//! `POST /v1/projections/{name}/cancel`: cancels a rebuild.

use axum::Json;
use axum::extract::State;
use projections::versions;

use super::{PathName, VersionView, changeable_rebuild};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// Cancels the rebuild and deletes the rows of the new version. A tenant's key may cancel a rebuild of its
/// own rows.
///
/// # Errors
/// 403 `installation-key-required`; 404 `projection-not-found`; 409 `rebuild-not-running`.
#[utoipa::path(
    post, path = "/v1/projections/{name}/cancel", operation_id = "cancel_projection_rebuild", tag = "operations", security(("api_key" = [])),
    params(("name" = String, Path, description = "The read model")),
    responses(
        (status = 200, body = VersionView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.projections.cancel", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    name: PathName,
    params: Params,
) -> Result<Json<VersionView>, ApiError> {
    caller.require(&app, Scope::Admin, "projections.cancel").await?;
    params.reject_unknown()?;
    let name = name.named()?;
    let building = changeable_rebuild(&app, &caller, name, "projections.cancel").await?;
    let version = versions::cancel_version(app.store.owner(), &building).await?;
    let tenant_id = building.only.map(|only| only.0);
    Ok(Json(VersionView { name: name.to_owned(), version, state: "cancelled", tenant_id }))
}
