//! `POST /v1/projections/{name}/cancel`: cancels a rebuild.

use axum::Json;
use axum::extract::State;
use projections::versions;

use super::{PathName, VersionView, changeable_rebuild};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    CancelProjectionRebuild {
        id: "cancel_projection_rebuild",
        action: "projections.cancel",
        access: Admin,
        audit: Administers,
    }
}

/// Cancels the rebuild and deletes the rows of the new version. A tenant's key may cancel a rebuild of its
/// own rows.
///
/// # Errors
/// 403 `installation-key-required`; 404 `projection-not-found`; 409 `rebuild-not-running`.
#[utoipa::path(
    post, path = "/v1/projections/{name}/cancel", tag = "operations",
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
    caller: Authorized<CancelProjectionRebuild>,
    State(app): State<App>,
    name: PathName,
    _: NoQuery,
) -> Result<Json<VersionView>, ApiError> {
    let name = name.named()?;
    let building = changeable_rebuild(&app, &caller, name).await?;
    let version = versions::cancel_version(app.store.owner(), &building).await?;
    let tenant_id = building.only.map(|only| only.0);
    Ok(Json(VersionView { name: name.to_owned(), version, state: "cancelled", tenant_id }))
}
