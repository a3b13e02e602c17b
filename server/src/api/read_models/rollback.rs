//! `POST /v1/projections/{name}/rollback`: serves the previous version again.

use axum::Json;
use axum::extract::State;
use projections::versions;

use super::{PathName, VersionView};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    RollbackProjection {
        id: "rollback_projection",
        action: "projections.rollback",
        access: Installation,
        audit: Administers,
    }
}

/// Swaps the served version and the previous one; a second rollback restores the first state.
///
/// # Errors
/// 403 `installation-key-required`; 404 `projection-not-found`; 409 `no-previous-version` or
/// `projection-behind`.
#[utoipa::path(
    post, path = "/v1/projections/{name}/rollback", tag = "operations",
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
#[tracing::instrument(name = "api.projections.rollback", skip_all)]
pub async fn handler(
    _: Authorized<RollbackProjection>,
    State(app): State<App>,
    name: PathName,
    _: NoQuery,
) -> Result<Json<VersionView>, ApiError> {
    let name = name.named()?;
    let version = versions::rollback(app.store.owner(), name).await?;
    Ok(Json(VersionView { name: name.to_owned(), version, state: "active", tenant_id: None }))
}
